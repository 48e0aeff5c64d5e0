/** What a global address is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { GlobalAddressProps } from './schema.ts'

export const globalAddressResource: Resource<GlobalAddressProps> = {
  kind: 'global-address',
  identity: (props) => ({ projectId: props.projectId, name: props.name }),
  replacing: ['addressType'],
}
