/** What a managed certificate is, without a cloud. Nothing of it can change, and proxies use it: give another one another name. */
import type { Resource } from '../resource.ts'
import type { ManagedSslCertificateProps } from './schema.ts'

export const managedSslCertificateResource: Resource<ManagedSslCertificateProps> = {
  kind: 'managed-ssl-certificate',
  identity: (props) => ({ projectId: props.projectId, name: props.name }),
  replacing: ['type', 'domains'],
}
