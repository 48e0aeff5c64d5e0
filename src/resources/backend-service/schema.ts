/** Props and attributes of a backend service: instance groups behind a load balancer. */
import { z } from 'zod'

export const BackendServiceProps = z.strictObject({
  projectId: z.string(),
  name: z.string(),
  /** Links of instance groups. How much of the traffic each one takes is not looked at: that belongs to whoever rolls out. */
  groups: z.array(z.string()).min(1),
  /** Links of groups that others may add and take away: neither made nor removed here. */
  guests: z.array(z.string()).default([]),
  /** Link of the health check; requests go to healthy instances only. */
  healthCheck: z.string(),
  /** The groups' named port that requests go to. */
  portName: z.string().default('http'),
  /** How long a request may take. */
  timeoutSeconds: z.number().int().min(1).default(30),
  /** How long an instance that leaves may still answer the requests that it has. */
  drainingSeconds: z.number().int().min(0).max(3600).default(30),
  loadBalancingScheme: z.enum(['EXTERNAL', 'EXTERNAL_MANAGED']).default('EXTERNAL_MANAGED'),
  /** Backend services have no labels; the description says whose it is. */
  description: z.string().default(''),
})
export type BackendServiceProps = z.output<typeof BackendServiceProps>

export type BackendServiceAttributes = {
  readonly name: string
  readonly selfLink: string
  /** With `group` as `projects/P/zones/Z/instanceGroups/G`. */
  readonly backends: readonly { readonly group: string; readonly [field: string]: unknown }[]
  /** `projects/P/global/healthChecks/H` */
  readonly healthChecks: readonly string[]
  readonly protocol: string
  readonly portName: string
  readonly timeoutSeconds: number
  readonly drainingSeconds: number
  readonly loadBalancingScheme: string
  readonly description: string
  readonly fingerprint: string
}
