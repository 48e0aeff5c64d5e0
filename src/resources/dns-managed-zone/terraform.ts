/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/dns_managed_zone */
import type { TerraformMapping } from '../terraform.ts'
import type { DnsManagedZoneProps } from './schema.ts'

export const dnsManagedZoneTerraform: TerraformMapping<DnsManagedZoneProps> = (name, props) => ({
  type: 'google_dns_managed_zone',
  name,
  body: {
    project: props.projectId,
    name: props.name,
    dns_name: props.dnsName,
    visibility: 'public',
    labels: props.labels,
    ...(props.description === '' ? {} : { description: props.description }),
  },
})
