/** Props and attributes of a zonal managed instance group: identical virtual machines, made anew when one breaks. */
import { z } from 'zod'

const count = z.number().int().min(0).max(1000)

const AutoHealing = z.strictObject({
  /** Link of the health check; an instance that it finds unhealthy is made anew. */
  healthCheck: z.string(),
  /** How long a new instance may take to start before it counts. */
  initialDelaySeconds: z.number().int().min(0).max(3600).default(300),
})

const UpdatePolicy = z
  .strictObject({
    /** PROACTIVE: a new version reaches the instances by itself. OPPORTUNISTIC: only instances that are made anyway get it. */
    type: z.enum(['PROACTIVE', 'OPPORTUNISTIC']).default('PROACTIVE'),
    minimalAction: z.enum(['REFRESH', 'RESTART', 'REPLACE']).default('REPLACE'),
    /** RECREATE keeps the names of instances, and needs maxSurge 0. */
    replacementMethod: z.enum(['SUBSTITUTE', 'RECREATE']).default('SUBSTITUTE'),
    /** So many instances may there be more than wanted during an update. */
    maxSurge: count.default(1),
    /** So many may there be fewer. */
    maxUnavailable: count.default(0),
  })
  .refine((policy) => policy.maxSurge + policy.maxUnavailable > 0, { path: ['maxSurge'], error: 'maxSurge and maxUnavailable cannot both be 0: no update could begin' })
  .refine((policy) => policy.replacementMethod === 'SUBSTITUTE' || policy.maxSurge === 0, { path: ['maxSurge'], error: 'must be 0 with the replacement method RECREATE' })

/** One more instance first, then one fewer. */
export const firstPolicy: z.output<typeof UpdatePolicy> = { type: 'PROACTIVE', minimalAction: 'REPLACE', replacementMethod: 'SUBSTITUTE', maxSurge: 1, maxUnavailable: 0 }

export const InstanceGroupProps = z.strictObject({
  projectId: z.string(),
  zone: z.string(),
  name: z.string(),
  /** Instances are named `<baseInstanceName>-xxxx`; at most 58 characters. */
  baseInstanceName: z.string().regex(/^[a-z][-a-z0-9]{0,57}$/, 'expected lower case letters, digits and dashes, at most 58'),
  /** Link of the instance template that the group begins with. Never looked at again: which version a group runs belongs to the deployer. */
  template: z.string(),
  /** How many instances. Left out: the group begins with `firstSize`, and its size is then somebody else's. */
  targetSize: count.optional(),
  /** How many instances a group begins with whose size is not looked after. Never looked at again. */
  firstSize: count.default(1),
  /** Names for ports that backend services use. */
  namedPorts: z.record(z.string(), z.number().int().min(1).max(65_535)).default({}),
  /** Left out: an instance is made anew only when its machine stops. */
  autoHealing: AutoHealing.optional(),
  /** Left out: the group begins with one more instance at a time, and the policy is then somebody else's. */
  updatePolicy: UpdatePolicy.optional(),
  /** Written once; groups have no labels, so it says whose it is. */
  description: z.string().default(''),
})
export type InstanceGroupProps = z.output<typeof InstanceGroupProps>

/** A number, or a percentage of the group's size. */
type Amount = { readonly fixed?: number; readonly percent?: number }

export type InstanceGroupAttributes = {
  readonly name: string
  /** The manager's link. */
  readonly selfLink: string
  /** The link that backend services name. */
  readonly instanceGroup: string
  readonly baseInstanceName: string
  readonly targetSize: number
  readonly namedPorts: Readonly<Record<string, number>>
  readonly autoHealing: { readonly healthCheck: string; readonly initialDelaySeconds: number } | null
  readonly updatePolicy: {
    readonly type: string
    readonly minimalAction: string
    readonly replacementMethod: string
    readonly maxSurge: Amount
    readonly maxUnavailable: Amount
  }
  readonly fingerprint: string
}
