/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/compute_global_forwarding_rule */
import { terraformLink } from '../terraform.ts'
import type { TerraformMapping } from '../terraform.ts'
import type { ForwardingRuleProps } from './schema.ts'

export const forwardingRuleTerraform: TerraformMapping<ForwardingRuleProps> = (name, props) => ({
  type: 'google_compute_global_forwarding_rule',
  name,
  body: {
    project: props.projectId,
    name: props.name,
    target: terraformLink(props.target),
    ip_address: props.address,
    ip_protocol: 'TCP',
    port_range: String(props.port),
    load_balancing_scheme: props.loadBalancingScheme,
    labels: props.labels,
    ...(props.description === '' ? {} : { description: props.description }),
  },
})
