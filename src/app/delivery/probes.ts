/** What a release is judged by beside health: the version that every VM says, and failed requests at the load balancer, of its users and of Kiln's own. */
import { KilnError, describeError } from '../../base/errors.ts'
import type { ProbedInstance, Probes } from '../../release/run.ts'
import { balancerUrl } from './balancer.ts'
import type { DeliveryParts } from './context.ts'

const ANSWER_MS = 10_000
const MOST_BYTES = 65_536
/** Of a body in the failure capsule. */
const MOST_KEPT_BYTES = 16_384
/** Asked at the load balancer at every look, so that all VMs behind it take part. */
const REQUESTS_PER_LOOK = 5

export function releaseProbes(parts: Pick<DeliveryParts, 'serving' | 'signal' | 'clients' | 'isRemote' | 'note'>): Probes {
  const { serving, signal } = parts
  const { server } = serving
  const isNear = parts.isRemote !== true
  const path = isNear ? server.versionPath : false
  return {
    mostFailedShare: server.maxErrorPercent / 100,
    errors: bothErrors(userErrors(parts), ownErrors(parts)),
    ...(isNear ? { health: async (instance) => wholeAnswer(`${rootOf(instance)}${serving.image.health.path}`, signal) } : {}),
    ...(path === false ? {} : { version: async (instance) => askVersion(`${rootOf(instance)}${path}`, signal) }),
  }
}

/** @throws KilnError E_NOT_HEALTHY when the instance has no address */
function rootOf({ address, port }: ProbedInstance): string {
  const host = address.external ?? address.internal
  if (host === undefined) throw new KilnError('E_NOT_HEALTHY', 'it has no address to be asked at')
  return `http://${host}:${port}`
}

/** What a server answers, whatever it is, as one reads it on the wire: status, headers, body. */
export async function wholeAnswer(url: string, signal: AbortSignal): Promise<string> {
  const startMs = performance.now()
  const asked = `GET ${url}`
  const took = (): string => `after ${Math.round(performance.now() - startMs)} ms`
  let head = ''
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]), redirect: 'manual', headers: { connection: 'close' } })
    head = [`${response.status} ${response.statusText}, ${took()}`, ...[...response.headers].map(([name, value]) => `${name}: ${value}`)].join('\n')
    const body = await startOf(response)
    return `${asked}\n${head}\n\n${body.text}${body.isWhole ? '' : `\n… (cut after ${MOST_KEPT_BYTES} bytes)`}\n`
  } catch (error) {
    signal.throwIfAborted()
    return `${asked}\n${head}${head === '' ? '' : '\n\n'}no${head === '' ? ' answer' : ' whole body'} ${took()}: ${describeError(error)}\n`
  }
}

async function startOf(response: Response): Promise<{ readonly text: string; readonly isWhole: boolean }> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of response.body ?? []) {
    pieces.push(piece)
    bytes += piece.byteLength
    if (bytes > MOST_KEPT_BYTES) break
  }
  return { text: Buffer.concat(pieces).subarray(0, MOST_KEPT_BYTES).toString(), isWhole: bytes <= MOST_KEPT_BYTES }
}

interface Sample {
  readonly atMs: number
  readonly failed: boolean
}

type Errors = NonNullable<Probes['errors']>

function bothErrors(ofUsers: Errors, ofOurs: Errors): Errors {
  return async (sinceMs) => (await Promise.all([ofUsers(sinceMs), ofOurs(sinceMs)])).flat()
}

/**
 * What the load balancer counted, as Cloud Monitoring tells it; Kiln's own requests are among them. Only stretches that began in the watch: before it another
 * release was answering, or none. On Google a short watch sees none, since they come minutes late. Whoever may not read them is told so once, and judges without.
 */
function userErrors({ clients, serving, signal, note }: Pick<DeliveryParts, 'serving' | 'signal' | 'clients' | 'note'>): Errors {
  let isTold = false
  return async (sinceMs) => {
    try {
      const answered = await clients.monitoring.answeredRequests(serving.projectId, serving.name, sinceMs, { signal })
      const counted = answered.filter(({ startMs }) => startMs >= sinceMs)
      const sum = (codeClass?: number): number => counted.filter((each) => codeClass === undefined || each.codeClass === codeClass).reduce((total, { count }) => total + count, 0)
      return [{ of: 'requests', requests: sum(), failed: sum(500) }]
    } catch (error) {
      signal.throwIfAborted()
      if (!isTold) note(`the requests at the load balancer cannot be counted, Kiln’s own are judged alone: ${describeError(error)}`)
      isTold = true
      return []
    }
  }
}

/** Requests of the deployer's own, through the load balancer, as any client's: an answer of 500 or more failed. Whoever cannot reach it has seen nothing. */
function ownErrors({ clients, serving, signal }: Pick<DeliveryParts, 'serving' | 'signal' | 'clients'>): Errors {
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
    return [{ of: 'requests of Kiln’s own', requests: counted.length, failed: counted.filter(({ failed }) => failed).length }]
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
