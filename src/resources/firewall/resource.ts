/** What a firewall rule is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { FirewallProps } from './schema.ts'

export const firewallResource: Resource<FirewallProps> = {
  kind: 'firewall',
  identity: (props) => ({ projectId: props.projectId, name: props.name }),
  replacing: ['network', 'direction'],
}
