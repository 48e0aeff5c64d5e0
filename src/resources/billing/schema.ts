/** Props and attributes of a project's link to a billing account. */
import { z } from 'zod'

export const BillingProps = z.strictObject({
  projectId: z.string(),
  /** `012345-6789AB-CDEF01` */
  billingAccount: z.string(),
})
export type BillingProps = z.infer<typeof BillingProps>

export type BillingAttributes = {
  readonly billingAccount: string
  readonly enabled: boolean
}
