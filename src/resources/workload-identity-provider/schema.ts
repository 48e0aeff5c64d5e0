/** Props and attributes of an OpenID Connect provider in a workload identity pool. */
import { z } from 'zod'

export const WorkloadIdentityProviderProps = z.strictObject({
  projectId: z.string(),
  poolId: z.string(),
  providerId: z.string(),
  displayName: z.string().default(''),
  description: z.string().default(''),
  issuerUri: z.string(),
  /** Google's attribute -> CEL over the token's claims. */
  attributeMapping: z.record(z.string(), z.string()),
  /** CEL over the token's claims: tokens of which it is not true are refused. Never empty: an issuer signs for everybody. */
  attributeCondition: z.string().min(1),
})
export type WorkloadIdentityProviderProps = z.output<typeof WorkloadIdentityProviderProps>

export type WorkloadIdentityProviderAttributes = {
  /** `projects/NUMBER/locations/global/workloadIdentityPools/ID/providers/ID`: what a workflow is configured with. */
  readonly name: string
  readonly displayName: string
  readonly description: string
  readonly disabled: boolean
  readonly issuerUri: string
  readonly allowedAudiences: readonly string[]
  /** Keys beside those that the issuer publishes. */
  readonly uploadedKeys: boolean
  readonly attributeMapping: Readonly<Record<string, string>>
  readonly attributeCondition: string
}
