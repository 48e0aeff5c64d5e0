/** Props and attributes of a global forwarding rule: one port of an external address that leads to a target proxy. */
import { z } from 'zod'
import { Labels } from '../resource.ts'

export const ForwardingRuleProps = z.strictObject({
  projectId: z.string(),
  name: z.string(),
  /** Link of the target proxy. */
  target: z.string(),
  /** A reserved global address, as its value (`203.0.113.7`). */
  address: z.string(),
  port: z.number().int().min(1).max(65_535).default(80),
  /** The same as that of the backend services behind it. */
  loadBalancingScheme: z.enum(['EXTERNAL', 'EXTERNAL_MANAGED']).default('EXTERNAL_MANAGED'),
  labels: Labels,
  /** Written once. */
  description: z.string().default(''),
})
export type ForwardingRuleProps = z.output<typeof ForwardingRuleProps>

export type ForwardingRuleAttributes = {
  readonly name: string
  readonly selfLink: string
  /** `projects/P/global/targetHttpProxies/T` */
  readonly target: string
  readonly address: string
  readonly port: number
  readonly loadBalancingScheme: string
  readonly labels: Readonly<Record<string, string>>
  readonly labelFingerprint: string
}
