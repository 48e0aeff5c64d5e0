/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/dns_record_set */
import type { TerraformMapping } from '../terraform.ts'
import type { DnsRecordSetProps } from './schema.ts'

export const dnsRecordSetTerraform: TerraformMapping<DnsRecordSetProps> = (name, props) => ({
  type: 'google_dns_record_set',
  name,
  body: { project: props.projectId, managed_zone: props.zone, name: props.name, type: props.type, ttl: props.ttlSeconds, rrdatas: props.data },
})
