/** Props and attributes of a project's sign-in. */
import { z } from 'zod'

export const IdentityPlatformProps = z.strictObject({
  projectId: z.string(),
  /** E-mail and password. */
  email: z.boolean().default(false),
  phone: z.boolean().default(false),
  anonymous: z.boolean().default(false),
  /** Domains to which a sign-in may lead back. */
  authorizedDomains: z.array(z.string()),
})
export type IdentityPlatformProps = z.output<typeof IdentityPlatformProps>

export type IdentityPlatformAttributes = {
  readonly email: boolean
  readonly phone: boolean
  readonly anonymous: boolean
  /** Sorted. */
  readonly authorizedDomains: readonly string[]
}
