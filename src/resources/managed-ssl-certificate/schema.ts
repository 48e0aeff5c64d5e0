/** Props and attributes of a certificate that the cloud gets, renews and keeps the key of. */
import { z } from 'zod'

export const ManagedSslCertificateProps = z.strictObject({
  projectId: z.string(),
  name: z.string(),
  /** Domain names without wildcards. Google signs when each of them leads to the load balancer. */
  domains: z.array(z.string()).min(1).max(100),
  /** Written once; certificates have no labels, so it says whose it is. */
  description: z.string().default(''),
})
export type ManagedSslCertificateProps = z.output<typeof ManagedSslCertificateProps>

export type ManagedSslCertificateAttributes = {
  readonly name: string
  readonly selfLink: string
  /** `MANAGED` */
  readonly type: string
  readonly domains: readonly string[]
  /** `ACTIVE` when it is signed, which on Google takes minutes to an hour; before that `PROVISIONING`. */
  readonly status: string
}
