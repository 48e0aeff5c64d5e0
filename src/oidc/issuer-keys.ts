/**
 * Public keys of outside issuers, by OpenID Connect Discovery (https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig). Everything that is
 * fetched is bounded in time and size, nothing follows redirects, and plain http is for this machine only.
 */
import type { JsonWebKey } from 'node:crypto'
import { describeError } from '../base/errors.ts'

export interface IssuerKeys {
  /** The issuer's keys, from memory while they are young; `refresh` asks again, at most once in `minRefreshMs`. @throws IssuerError */
  keysOf(issuerUri: string, options?: { readonly refresh?: boolean }): Promise<readonly JsonWebKey[]>
}

/** The issuer could not be asked, or answered with something else than keys. */
export class IssuerError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'IssuerError'
  }
}

export interface IssuerKeysOptions {
  readonly fetch?: typeof fetch
  readonly nowMs?: () => number
  /** How long keys are used without asking; default ten minutes. */
  readonly maxAgeMs?: number
  /** So that tokens with invented key ids do not make this cloud hammer an issuer; default five seconds. */
  readonly minRefreshMs?: number
  readonly timeoutMs?: number
}

interface Kept {
  readonly keys: readonly JsonWebKey[]
  readonly fetchedAtMs: number
}

const MAX_BYTES = 512 * 1024
const MAX_KEYS = 100
const MAX_ISSUERS = 100
const WELL_KNOWN = '/.well-known/openid-configuration'

/** A source of keys with its own memory. */
export function createIssuerKeys(options: IssuerKeysOptions = {}): IssuerKeys {
  const { nowMs = Date.now, maxAgeMs = 600_000, minRefreshMs = 5000, timeoutMs = 5000 } = options
  const kept = new Map<string, Kept>()
  const asking = new Map<string, Promise<Kept>>()

  async function ask(issuerUri: string): Promise<Kept> {
    const get = (url: string): Promise<Record<string, unknown>> => fetchJson(options.fetch ?? fetch, url, timeoutMs)
    const discovery = await get(`${issuerUri.replace(/\/$/, '')}${WELL_KNOWN}`)
    if (discovery['issuer'] !== issuerUri) throw new IssuerError(`${issuerUri}${WELL_KNOWN} is about another issuer: ${JSON.stringify(discovery['issuer'])}`)
    const jwksUri = discovery['jwks_uri']
    if (typeof jwksUri !== 'string' || issuerUriProblem(jwksUri) !== undefined) throw new IssuerError(`the discovery document of ${issuerUri} has no https jwks_uri`)
    const found = { keys: parseKeySet(await get(jwksUri), jwksUri), fetchedAtMs: nowMs() }
    if (kept.size >= MAX_ISSUERS) kept.delete(kept.keys().next().value ?? '')
    kept.set(issuerUri, found)
    return found
  }

  return {
    async keysOf(issuerUri, { refresh = false } = {}) {
      const known = kept.get(issuerUri)
      const ageMs = known === undefined ? Infinity : nowMs() - known.fetchedAtMs
      if (known !== undefined && ageMs < (refresh ? minRefreshMs : maxAgeMs)) return known.keys
      const answer = asking.get(issuerUri) ?? ask(issuerUri).finally(() => asking.delete(issuerUri))
      asking.set(issuerUri, answer)
      return (await answer).keys
    },
  }
}

/** The keys of a JWKS text, as providers carry it in `jwksJson`. @throws IssuerError */
export function parseKeySetText(text: string): readonly JsonWebKey[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new IssuerError('the key set is not JSON', { cause: error })
  }
  return parseKeySet(value, 'the key set')
}

/** Why this cannot be the URL of an issuer or of its keys; undefined when it can. */
export function issuerUriProblem(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) return 'is not a URL'
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') return 'must have no query, fragment or user'
  const isHere = url.hostname === '127.0.0.1' || url.hostname === 'localhost' || url.hostname === '[::1]'
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isHere)) return 'must start with https://'
  return undefined
}

function parseKeySet(value: unknown, where: string): readonly JsonWebKey[] {
  const keys: unknown = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)['keys'] : undefined
  if (!Array.isArray(keys) || keys.length > MAX_KEYS) throw new IssuerError(`${where} has no list of at most ${MAX_KEYS} keys`)
  return keys.filter((key): key is JsonWebKey => typeof key === 'object' && key !== null)
}

async function fetchJson(get: typeof fetch, url: string, timeoutMs: number): Promise<Record<string, unknown>> {
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    const response = await get(url, { signal, redirect: 'error', headers: { accept: 'application/json' } })
    const text = await readBounded(response)
    if (!response.ok) throw new IssuerError(`${url} answered ${response.status}`)
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new IssuerError(`${url} did not answer with a JSON object`)
    return value as Record<string, unknown>
  } catch (error) {
    if (error instanceof IssuerError) throw error
    throw new IssuerError(signal.aborted ? `${url} did not answer within ${timeoutMs} ms` : `${url} could not be read: ${describeError(error)}`, { cause: error })
  }
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of response.body ?? []) {
    sizeBytes += chunk.length
    if (sizeBytes > MAX_BYTES) throw new IssuerError(`${response.url} answered with more than ${MAX_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
