/** What a billing link is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { BillingProps } from './schema.ts'

export const billingResource: Resource<BillingProps> = {
  kind: 'billing',
  identity: (props) => ({ projectId: props.projectId }),
  replacing: [],
}
