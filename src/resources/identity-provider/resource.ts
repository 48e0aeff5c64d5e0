/** What an identity provider of a project is, without a cloud. */
import { part } from '../resource.ts'
import type { Resource } from '../resource.ts'
import type { IdentityProviderProps } from './schema.ts'

export const identityProviderResource: Resource<IdentityProviderProps> = {
  kind: 'identity-provider',
  identity: (props) => ({ projectId: props.projectId, idpId: props.idpId }),
  replacing: [],
}

/** `projects/P/defaultSupportedIdpConfigs/I`; also what salts the digest of its secret. */
export function identityProviderName(identity: Readonly<Record<string, string>>): string {
  return `projects/${part(identity, 'projectId')}/defaultSupportedIdpConfigs/${part(identity, 'idpId')}`
}
