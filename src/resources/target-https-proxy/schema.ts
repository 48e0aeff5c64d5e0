/** Props and attributes of a target HTTPS proxy: it ends TLS for a forwarding rule and hands the requests to a URL map. */
import { z } from 'zod'

export const TargetHttpsProxyProps = z.strictObject({
  projectId: z.string(),
  name: z.string(),
  /** Link of the URL map. */
  urlMap: z.string(),
  /** Links of certificates; the first one is for clients that name no host. */
  certificates: z.array(z.string()).min(1).max(15),
  /** Written once; proxies have no labels, so it says whose it is. */
  description: z.string().default(''),
})
export type TargetHttpsProxyProps = z.output<typeof TargetHttpsProxyProps>

export type TargetHttpsProxyAttributes = {
  readonly name: string
  readonly selfLink: string
  /** `projects/P/global/urlMaps/M` */
  readonly urlMap: string
  /** `projects/P/global/sslCertificates/C` */
  readonly certificates: readonly string[]
}
