/** Props and attributes of a URL map: which backend service answers which host, and which hosts are sent to https. */
import { z } from 'zod'

const hosts = z.array(z.string()).min(1)

export const UrlMapProps = z.strictObject({
  projectId: z.string(),
  name: z.string(),
  /** Link of the backend service for every host that no rule names. */
  defaultService: z.string(),
  /** Hosts such as `dev.example.com` or `*.example.com`, each in one rule only, and the link of their backend service or that they are sent to https. */
  hostRules: z.array(z.union([z.strictObject({ hosts, service: z.string() }), z.strictObject({ hosts, redirectToHttps: z.literal(true) })])).default([]),
  /** URL maps have no labels; the description says whose it is. */
  description: z.string().default(''),
})
export type UrlMapProps = z.output<typeof UrlMapProps>

export type UrlMapAttributes = {
  readonly name: string
  readonly selfLink: string
  /** `projects/P/global/backendServices/S`; empty when something else than a service is the default. */
  readonly defaultService: string
  /** `service` is empty where hosts are sent to https, or elsewhere. */
  readonly hostRules: readonly { readonly hosts: readonly string[]; readonly service: string; readonly redirectToHttps?: boolean }[]
  /** Key paths of rules that Kiln does not write, such as `pathMatchers.a.pathRules`. */
  readonly otherRules: readonly string[]
  readonly description: string
  readonly fingerprint: string
}
