/** What a service account is, without a cloud. */
import { part } from '../resource.ts'
import type { Resource } from '../resource.ts'
import type { ServiceAccountProps } from './schema.ts'

export const serviceAccountResource: Resource<ServiceAccountProps> = {
  kind: 'service-account',
  identity: (props) => ({ projectId: props.projectId, accountId: props.accountId }),
  replacing: [],
}

/** The account's e-mail address, which Google builds from its name and its project. */
export function serviceAccountEmail(identity: Readonly<Record<string, string>>): string {
  // a domain-scoped project `example.com:web` becomes `web.example.com`
  const [first, second] = part(identity, 'projectId').split(':')
  const domain = second === undefined ? first : `${second}.${first}`
  return `${part(identity, 'accountId')}@${domain}.iam.gserviceaccount.com`
}
