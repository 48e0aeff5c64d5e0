/** Props and attributes of a firewall rule that lets connections in. */
import { z } from 'zod'

export const FirewallProps = z.strictObject({
  projectId: z.string(),
  name: z.string(),
  network: z.string().default('default'),
  /** TCP ports, as numbers or ranges: `8080`, `8000-8010`. */
  ports: z.array(z.string()).min(1),
  sourceRanges: z.array(z.string()).default(['0.0.0.0/0']),
  /** Instances with one of these network tags. */
  targetTags: z.array(z.string()).min(1),
  /** Firewall rules have no labels; the description says whose it is. */
  description: z.string().default(''),
})
export type FirewallProps = z.output<typeof FirewallProps>

export type FirewallAttributes = {
  readonly name: string
  readonly selfLink: string
  /** `projects/P/global/networks/N` */
  readonly network: string
  readonly allowed: readonly { readonly protocol: string; readonly ports: readonly string[] }[]
  readonly sourceRanges: readonly string[]
  readonly targetTags: readonly string[]
  readonly direction: string
  readonly disabled: boolean
  readonly description: string
}
