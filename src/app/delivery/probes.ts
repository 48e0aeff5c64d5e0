/** What a release is judged by beside health: the version that every VM says, and failed requests at the load balancer. */
import { KilnError } from '../../base/errors.ts'
import type { Probes } from '../../release/run.ts'
import type { DeliveryParts } from './context.ts'

const ANSWER_MS = 10_000
const MOST_BYTES = 65_536

export function releaseProbes({ serving, signal }: Pick<DeliveryParts, 'serving' | 'signal'>): Probes {
  const { server } = serving
  const path = server.versionPath
  return {
    mostFailedShare: server.maxErrorPercent / 100,
    ...(path === false
      ? {}
      : {
          version: async ({ address, port }) => {
            const host = address.external ?? address.internal
            if (host === undefined) throw new KilnError('E_NOT_HEALTHY', 'it has no address to be asked at')
            return askVersion(`http://${host}:${port}${path}`, signal)
          },
        }),
  }
}

/** @throws KilnError E_NOT_HEALTHY when it does not answer 200 */
export async function askVersion(url: string, signal: AbortSignal): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]), redirect: 'manual', headers: { connection: 'close' } })
  const text = (await response.text()).slice(0, MOST_BYTES)
  if (response.status !== 200) {
    throw new KilnError('E_NOT_HEALTHY', `it answered ${response.status} (a server without it: \`versionPath: false\` in the section \`server\`)`)
  }
  return versionIn(text)
}

/** `{"name": "moshi-server", "version": "0.1.0"}` and `0.1.0` -> `0.1.0` */
export function versionIn(text: string): string {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && 'version' in value && typeof value.version === 'string') return value.version
    if (typeof value === 'string') return value
  } catch {
    // Plain text.
  }
  return text.trim()
}
