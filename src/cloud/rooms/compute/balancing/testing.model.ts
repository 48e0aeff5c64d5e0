/** Parts of the balancer's model for tests and benchmarks. */
import type { BackendModel } from './config.ts'

/** A backend service of which nothing is set but what is given. */
export function plainBackend(fields: Pick<BackendModel, 'id' | 'link'> & Partial<BackendModel>): BackendModel {
  return { scheme: 'EXTERNAL', protocol: 'HTTP', timeoutSec: 30, affinity: 'NONE', affinityCookieTtlSec: 0, requestHeaders: [], responseHeaders: [], servers: [], ...fields }
}
