/** What a record set is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { DnsRecordSetProps } from './schema.ts'

export const dnsRecordSetResource: Resource<DnsRecordSetProps> = {
  kind: 'dns-record-set',
  identity: (props) => ({ projectId: props.projectId, zone: props.zone, name: props.name, type: props.type }),
  replacing: [],
}
