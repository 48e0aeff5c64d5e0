/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/compute_global_address */
import type { TerraformMapping } from '../terraform.ts'
import type { GlobalAddressProps } from './schema.ts'

export const globalAddressTerraform: TerraformMapping<GlobalAddressProps> = (name, props) => ({
  type: 'google_compute_global_address',
  name,
  body: {
    project: props.projectId,
    name: props.name,
    address_type: 'EXTERNAL',
    ip_version: 'IPV4',
    labels: props.labels,
    ...(props.description === '' ? {} : { description: props.description }),
  },
})
