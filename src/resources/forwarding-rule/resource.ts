/** What a global forwarding rule is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { ForwardingRuleProps } from './schema.ts'

export const forwardingRuleResource: Resource<ForwardingRuleProps> = {
  kind: 'forwarding-rule',
  identity: (props) => ({ projectId: props.projectId, name: props.name }),
  replacing: ['address', 'port', 'loadBalancingScheme'],
}
