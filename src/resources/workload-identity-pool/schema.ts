/** Props and attributes of a workload identity pool. */
import { z } from 'zod'

export const WorkloadIdentityPoolProps = z.strictObject({
  projectId: z.string(),
  poolId: z.string(),
  displayName: z.string().default(''),
  /** Pools have no labels; the description says whose it is. */
  description: z.string().default(''),
})
export type WorkloadIdentityPoolProps = z.output<typeof WorkloadIdentityPoolProps>

export type WorkloadIdentityPoolAttributes = {
  /** `projects/NUMBER/locations/global/workloadIdentityPools/ID`, as policies name it. */
  readonly name: string
  readonly displayName: string
  readonly description: string
  readonly disabled: boolean
}
