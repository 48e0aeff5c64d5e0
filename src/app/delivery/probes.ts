/** What a release is judged by beside health: the version that every VM says, and failed requests at the load balancer. */
import { KilnError } from '../../base/errors.ts'
import type { Probes } from '../../release/run.ts'
import { balancerUrl } from './balancer.ts'
import type { DeliveryParts } from './context.ts'

const ANSWER_MS = 10_000
const MOST_BYTES = 65_536
/** Asked at the load balancer at every look, so that all VMs behind it take part. */
const REQUESTS_PER_LOOK = 5

export function releaseProbes(parts: Pick<DeliveryParts, 'serving' | 'signal' | 'clients' | 'isRemote'>): Probes {
  const { serving, signal } = parts
  const { server } = serving
  const path = parts.isRemote === true ? false : server.versionPath
  return {
    mostFailedShare: server.maxErrorPercent / 100,
    errors: balancerErrors(parts),
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

interface Sample {
  readonly atMs: number
  readonly failed: boolean
}

/** Requests of the deployer's own, through the load balancer, as any client's: an answer of 500 or more failed. Whoever cannot reach it has seen nothing. */
function balancerErrors({ clients, serving, signal }: Pick<DeliveryParts, 'serving' | 'signal' | 'clients'>): NonNullable<Probes['errors']> {
  const samples: Sample[] = []
  let found: Promise<string | undefined> | undefined
  return async (sinceMs) => {
    found ??= balancerUrl(clients, serving)
    const url = await found
    if (url !== undefined) {
      const asked = await Promise.all(Array.from({ length: REQUESTS_PER_LOOK }, () => sampleOf(`${url}${serving.image.health.path}`, signal)))
      samples.push(...asked.filter((sample) => sample !== undefined))
    }
    const counted = samples.filter(({ atMs }) => atMs >= sinceMs)
    return { requests: counted.length, failed: counted.filter(({ failed }) => failed).length }
  }
}

async function sampleOf(url: string, signal: AbortSignal): Promise<Sample | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]), redirect: 'manual', headers: { connection: 'close' } })
    await response.body?.cancel()
    return { atMs: Date.now(), failed: response.status >= 500 }
  } catch {
    signal.throwIfAborted()
    return undefined
  }
}

/** @throws KilnError E_NOT_HEALTHY when it does not answer 200 */
async function askVersion(url: string, signal: AbortSignal): Promise<string> {
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
