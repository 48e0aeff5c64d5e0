/** What a DNS zone is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { DnsManagedZoneProps } from './schema.ts'

export const dnsManagedZoneResource: Resource<DnsManagedZoneProps> = {
  kind: 'dns-managed-zone',
  identity: (props) => ({ projectId: props.projectId, name: props.name }),
  replacing: ['dnsName', 'visibility'],
}
