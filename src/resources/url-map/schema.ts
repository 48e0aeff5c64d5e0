/** Props and attributes of a URL map: which backend service answers which host. */
import { z } from 'zod'

export const UrlMapProps = z.strictObject({
  projectId: z.string(),
  name: z.string(),
  /** Link of the backend service for every host that no rule names. */
  defaultService: z.string(),
  /** Hosts such as `dev.example.com` or `*.example.com`, each in one rule only, and the link of their backend service. */
  hostRules: z.array(z.strictObject({ hosts: z.array(z.string()).min(1), service: z.string() })).default([]),
  /** URL maps have no labels; the description says whose it is. */
  description: z.string().default(''),
})
export type UrlMapProps = z.output<typeof UrlMapProps>

export type UrlMapAttributes = {
  readonly name: string
  readonly selfLink: string
  /** `projects/P/global/backendServices/S`; empty when something else than a service is the default. */
  readonly defaultService: string
  readonly hostRules: readonly { readonly hosts: readonly string[]; readonly service: string }[]
  /** Key paths of rules that Kiln does not write, such as `pathMatchers.a.pathRules`. */
  readonly otherRules: readonly string[]
  readonly description: string
  readonly fingerprint: string
}
