/**
 * The one way out: every call to Google's APIs, of Google's own clients and of ours, goes through `Transport.send`.
 * It puts the call under the root URL (`http://127.0.0.1:PORT/<google host>/…` on the pocket cloud), adds credentials and user agent,
 * repeats what may be repeated, and turns failures into `ApiError`. Google's clients get it as their `fetch`: their own root-URL option
 * drops a path prefix and does not move uploads.
 */
import { sleep } from '../base/wait.ts'
import { MINUTE_MS, SECOND_MS } from '../base/units.ts'
import { ApiError, errorFromAnswer, errorFromNetwork } from './errors.ts'
import { sendStream } from './stream-send.ts'
import type { StreamBody } from './stream-send.ts'

/** Gives the headers that authenticate a call. `refused` is true after a 401: a cached token must not be used again. */
export type Credentials = (refused: boolean) => Promise<Readonly<Record<string, string>>>

export interface RetryPolicy {
  /** Calls in all, the first included. */
  readonly attempts: number
  /** Wait before the first repetition, in milliseconds; doubles each time, with jitter. */
  readonly firstDelayMs: number
  readonly maxDelayMs: number
}

export const defaultRetryPolicy: RetryPolicy = { attempts: 6, firstDelayMs: 200, maxDelayMs: 30 * SECOND_MS }

export interface SendOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Something that can be sent again: text, bytes, a Blob (up to some MiB: fetch keeps it in memory), or a stream that is opened anew. */
  readonly body?: string | Uint8Array<ArrayBuffer> | Blob | StreamBody
  readonly signal?: AbortSignal
  /** Deadline of one attempt in milliseconds; 0 for none (uploads). Default: three minutes. */
  readonly timeoutMs?: number
  /** False for calls whose repetition would do the thing twice. Refused (429, 503) and unsent calls are repeated all the same. */
  readonly repeatable?: boolean
  /** False to get the body as a stream; then a break in the body is the reader's matter. */
  readonly buffered?: boolean
  /** Statuses of 300 and more that the caller handles itself. */
  readonly accept?: readonly number[]
}

export interface Transport {
  /** Google's URL as it is reached here. */
  readonly url: (googleUrl: string) => string
  /** @throws ApiError E_API, E_PERMISSION, E_NETWORK, E_CLOUD_NOT_RUNNING; the abort reason when aborted. */
  readonly send: (googleUrl: string, options?: SendOptions) => Promise<Response>
  /** `send` with JSON in and out. */
  readonly json: <T>(method: string, googleUrl: string, options?: JsonOptions) => Promise<T>
}

export interface JsonOptions {
  readonly body?: unknown
  readonly signal?: AbortSignal
  /** As in `SendOptions`. */
  readonly repeatable?: boolean
  /** The project that the call counts for: some APIs refuse a person's credentials without one. */
  readonly quotaProject?: string
}

export interface TransportOptions {
  readonly rootUrl?: string
  readonly credentials: Credentials
  readonly userAgent: string
  readonly retry?: Partial<RetryPolicy>
  /** The network, for tests. */
  readonly fetch?: typeof fetch
}

const retriedStatuses: readonly number[] = [429, 500, 502, 503, 504]
/** Of these statuses the server says that it did nothing. */
const refusedStatuses: readonly number[] = [429, 503]
const longestRetryAfterMs = MINUTE_MS

/** Makes the transport; nothing is sent yet. */
export function createTransport(options: TransportOptions): Transport {
  const policy: RetryPolicy = { ...defaultRetryPolicy, ...options.retry }
  const network = options.fetch ?? fetch
  const rewrite = (googleUrl: string): string => underRoot(googleUrl, options.rootUrl)

  async function attempt(url: string, request: SendOptions, refused: boolean): Promise<Response> {
    const method = request.method ?? 'GET'
    const headers = { ...request.headers, ...(await options.credentials(refused)), 'user-agent': userAgent(options.userAgent, request.headers) }
    const timeoutMs = request.timeoutMs ?? 3 * MINUTE_MS
    const signals = [request.signal, timeoutMs === 0 ? undefined : AbortSignal.timeout(timeoutMs)].filter((signal) => signal !== undefined)
    const signal = signals.length === 0 ? {} : { signal: AbortSignal.any(signals) }
    try {
      const response = isStreamBody(request.body)
        ? await sendStream(url, { method, headers, body: request.body, ...signal })
        : await network(url, { method, headers, redirect: 'manual', ...(request.body === undefined ? {} : { body: request.body }), ...signal })
      if (isRefused(response.status, request.accept)) throw withRetryAfter(errorFromAnswer(method, url, response.status, await response.text()), response)
      return request.buffered === false ? response : await buffer(response)
    } catch (error) {
      request.signal?.throwIfAborted()
      throw error instanceof ApiError ? error : errorFromNetwork(method, url, error)
    }
  }

  async function send(googleUrl: string, request: SendOptions = {}): Promise<Response> {
    const url = rewrite(googleUrl)
    let refused = false
    for (let count = 1; ; count += 1) {
      request.signal?.throwIfAborted()
      try {
        return await attempt(url, request, refused)
      } catch (error) {
        if (!(error instanceof ApiError)) throw error
        if (error.status === 401 && !refused) {
          refused = true
          count -= 1
          continue
        }
        if (count >= attemptsFor(error, policy) || !mayRepeat(error, request)) throw error
        await sleep(retryAfterMs(error) ?? backoffMs(policy, count), request.signal)
      }
    }
  }

  return {
    url: rewrite,
    send,
    async json<T>(method: string, googleUrl: string, call: JsonOptions = {}): Promise<T> {
      const response = await send(googleUrl, {
        method,
        headers: {
          accept: 'application/json',
          ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(call.quotaProject === undefined ? {} : { 'x-goog-user-project': call.quotaProject }),
        },
        ...(call.repeatable === undefined ? {} : { repeatable: call.repeatable }),
        ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
        ...(call.signal === undefined ? {} : { signal: call.signal }),
      })
      const text = await response.text()
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the shape is Google's contract; the callers name only the fields that they use
      return (text === '' ? {} : JSON.parse(text)) as T
    },
  }
}

/** The transport in the form of `fetch`, for Google's own clients. */
export function transportFetch(transport: Transport): typeof fetch {
  return async (input, init) => {
    const url = input instanceof Request ? input.url : String(input)
    const body = init?.body
    if (body !== undefined && body !== null && typeof body !== 'string') throw new TypeError('only JSON bodies pass here; uploads have their own helper')
    const method = (init?.method ?? 'GET').toUpperCase()
    return await transport.send(url, {
      method,
      headers: Object.fromEntries(new Headers(init?.headers)),
      ...(typeof body === 'string' ? { body } : {}),
      ...(init?.signal ? { signal: init.signal } : {}),
      repeatable: !doesThingsTwice(method, url),
    })
  }
}

function isStreamBody(body: SendOptions['body']): body is StreamBody {
  return typeof body === 'object' && 'open' in body
}

/** Creations whose names Google chooses: sent twice, they make two. Everything else carries its name, and a repetition meets 409. */
function doesThingsTwice(method: string, url: string): boolean {
  return method === 'POST' && /:addVersion(\?|$)|\/serviceAccounts\/[^/]+\/keys(\?|$)/.test(url)
}

/** Moves the URLs of Google's hosts under the root; others (a session URL that the pocket cloud gave) stay. */
function underRoot(googleUrl: string, rootUrl: string | undefined): string {
  if (rootUrl === undefined) return googleUrl
  const url = new URL(googleUrl)
  if (!/(^|\.)(googleapis\.com|pkg\.dev|google\.com)$/.test(url.hostname)) return googleUrl
  return `${rootUrl.replace(/\/+$/, '')}/${url.hostname}${url.pathname}${url.search}`
}

function userAgent(own: string, headers: Readonly<Record<string, string>> | undefined): string {
  const theirs = headers?.['user-agent'] ?? headers?.['User-Agent']
  return theirs === undefined ? own : `${own} ${theirs}`
}

function isRefused(status: number, accept: readonly number[] | undefined): boolean {
  return status >= 300 && status !== 304 && accept?.includes(status) !== true
}

async function buffer(response: Response): Promise<Response> {
  const bytes = await response.arrayBuffer()
  const headers = new Headers(response.headers)
  // fetch has decoded the body already
  headers.delete('content-encoding')
  headers.delete('content-length')
  const empty = response.status === 204 || response.status === 304
  return new Response(empty ? null : bytes, { status: response.status, headers })
}

/** A refused loopback connection means that nothing runs there: two quick tries cover a restart, more would only delay the message. */
function attemptsFor(error: ApiError, policy: RetryPolicy): number {
  return error.code === 'E_CLOUD_NOT_RUNNING' ? Math.min(2, policy.attempts) : policy.attempts
}

function mayRepeat(error: ApiError, request: SendOptions): boolean {
  if (error.code === 'E_CLOUD_NOT_RUNNING') return true
  if (error.status !== undefined && !retriedStatuses.includes(error.status)) return false
  if (request.repeatable !== false) return true
  return error.status !== undefined && refusedStatuses.includes(error.status)
}

function backoffMs(policy: RetryPolicy, count: number): number {
  const fullMs = Math.min(policy.firstDelayMs * 2 ** (count - 1), policy.maxDelayMs)
  return fullMs * (0.5 + Math.random() / 2)
}

const retryAfterByError = new WeakMap<ApiError, number>()

function withRetryAfter(error: ApiError, response: Response): ApiError {
  const header = response.headers.get('retry-after')
  if (header === null) return error
  const delayMs = /^\d+$/.test(header) ? Number(header) * SECOND_MS : Date.parse(header) - Date.now()
  if (Number.isFinite(delayMs)) retryAfterByError.set(error, Math.min(Math.max(delayMs, 0), longestRetryAfterMs))
  return error
}

function retryAfterMs(error: ApiError): number | undefined {
  return retryAfterByError.get(error)
}
