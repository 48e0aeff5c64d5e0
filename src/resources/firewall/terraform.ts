/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/compute_firewall */
import type { TerraformMapping } from '../terraform.ts'
import type { FirewallProps } from './schema.ts'

export const firewallTerraform: TerraformMapping<FirewallProps> = (name, props) => ({
  type: 'google_compute_firewall',
  name,
  body: {
    project: props.projectId,
    name: props.name,
    network: props.network,
    direction: 'INGRESS',
    allow: [{ protocol: 'tcp', ports: props.ports }],
    source_ranges: props.sourceRanges,
    target_tags: props.targetTags,
    ...(props.description === '' ? {} : { description: props.description }),
  },
})
