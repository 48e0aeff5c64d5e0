/** Props and attributes of a target HTTP proxy: it hands what a forwarding rule takes in to a URL map. */
import { z } from 'zod'

export const TargetHttpProxyProps = z.strictObject({
  projectId: z.string(),
  name: z.string(),
  /** Link of the URL map. */
  urlMap: z.string(),
  /** Written once; proxies have no labels, so it says whose it is. */
  description: z.string().default(''),
})
export type TargetHttpProxyProps = z.output<typeof TargetHttpProxyProps>

export type TargetHttpProxyAttributes = {
  readonly name: string
  readonly selfLink: string
  /** `projects/P/global/urlMaps/M` */
  readonly urlMap: string
}
