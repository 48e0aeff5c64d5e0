/**
 * What a failed Google API call becomes: one `ApiError` with Google's own message, its status, and a hint that names the next action.
 * Google's error body: https://google.aip.dev/193 (compute and storage use an older form with `errors[].reason`).
 */
import { KilnError, systemErrorCode } from '../base/errors.ts'
import type { KilnErrorOptions } from '../base/errors.ts'
import type { ErrorCode } from '../base/error-codes.ts'
import { roleForPermission } from './roles.ts'

export interface ApiErrorFacts {
  /** HTTP status; undefined when no answer came. */
  readonly status?: number
  /** Google's canonical status such as NOT_FOUND, if the answer has one. */
  readonly canonicalStatus?: string
  /** Reasons of `errors[]` and of ErrorInfo details, such as `notFound`, `SERVICE_DISABLED`. */
  readonly reasons?: readonly string[]
  /** `GET https://…`, without the query, which may hold secrets. */
  readonly request?: string
}

/** A Google API call that failed. */
export class ApiError extends KilnError {
  readonly status: number | undefined
  readonly canonicalStatus: string | undefined
  readonly reasons: readonly string[]
  readonly request: string | undefined

  constructor(code: ErrorCode, message: string, facts: ApiErrorFacts, options: KilnErrorOptions = {}) {
    super(code, message, options)
    this.name = 'ApiError'
    this.status = facts.status
    this.canonicalStatus = facts.canonicalStatus
    this.reasons = facts.reasons ?? []
    this.request = facts.request
  }
}

/**
 * Awaits a call of one of Google's clients and gives its body.
 * @throws KilnError as `apiError` maps it; the abort reason when aborted.
 * @example const bucket = await call(storage.buckets.get({ bucket: 'b' }, { signal }))
 */
export async function call<T>(reply: Promise<{ readonly data: T }>): Promise<T> {
  try {
    return (await reply).data
  } catch (error) {
    throw apiError(error)
  }
}

/** Any error of a client, of the transport or of the network as a KilnError: E_API, E_PERMISSION, E_NETWORK, E_CLOUD_NOT_RUNNING or E_CANCELLED. */
export function apiError(error: unknown): KilnError {
  for (const link of causes(error)) {
    if (link instanceof KilnError) return link
  }
  for (const link of causes(error)) {
    if (link instanceof Error && link.name === 'AbortError') return new KilnError('E_CANCELLED', 'the call was cancelled', { cause: error })
  }
  return new ApiError('E_API', `the call could not be made: ${error instanceof Error ? error.message : String(error)}`, {}, { cause: error })
}

/** True when the named thing is not there. */
export function isNotFound(error: unknown): boolean {
  return statusOf(error) === 404
}

/** True for 409: it exists already, or somebody else changed it meanwhile. */
export function isConflict(error: unknown): boolean {
  return statusOf(error) === 409
}

/** True when a precondition (generation, fingerprint, etag) no longer held. */
export function isPreconditionFailed(error: unknown): boolean {
  return statusOf(error) === 412
}

/** True for 403. */
export function isPermissionDenied(error: unknown): boolean {
  return statusOf(error) === 403
}

/** True when the API that would answer is not enabled in the project. */
export function isServiceDisabled(error: unknown): boolean {
  const failure = findApiError(error)
  if (failure?.status !== 403) return false
  return failure.reasons.some((reason) => reason === 'SERVICE_DISABLED' || reason === 'accessNotConfigured') || /has not been used in project|it is disabled/.test(failure.message)
}

/**
 * True when nothing of this name can be there: 404, the API is off, the project is gone or missing.
 * Google answers 403 "… (or it may not exist)" for what it hides, so a reader that lacks a permission also sees absence;
 * the creation that follows then fails with that permission's name.
 */
export function isAbsent(error: unknown): boolean {
  if (isNotFound(error) || isServiceDisabled(error) || isProjectGone(error)) return true
  const failure = findApiError(error)
  if (failure?.status !== 403) return false
  // these three answer 403 for every project that does not exist, in varying words
  return /may not exist/.test(failure.message) || /(serviceusage|cloudbilling|cloudresourcemanager)\.googleapis\.com/.test(failure.request ?? '')
}

/** What is read, or undefined where nothing of this name can be there. */
export async function orNothing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

/** True when a deletion has nothing left to do: the thing or its whole project is gone. */
export function isGone(error: unknown): boolean {
  return isNotFound(error) || isProjectGone(error)
}

function isProjectGone(error: unknown): boolean {
  const failure = findApiError(error)
  if (failure?.status !== 403 && failure?.status !== 400) return false
  return failure.reasons.includes('CONSUMER_INVALID') || /project .*(has been deleted|is being deleted|pending deletion|DELETE_REQUESTED)/i.test(failure.message)
}

function statusOf(error: unknown): number | undefined {
  return findApiError(error)?.status
}

function findApiError(error: unknown): ApiError | undefined {
  for (const link of causes(error)) {
    if (link instanceof ApiError) return link
  }
  return undefined
}

function* causes(error: unknown): Generator<unknown> {
  let current = error
  for (let depth = 0; depth < 10 && current !== undefined && current !== null; depth += 1) {
    yield current
    current = current instanceof Error ? current.cause : undefined
  }
}

interface ErrorBody {
  readonly message?: string
  readonly status?: string
  readonly errors?: readonly { readonly reason?: string; readonly message?: string }[]
  readonly details?: readonly { readonly reason?: string; readonly metadata?: Readonly<Record<string, string>> }[]
}

/** The error for an answer with status 400 or more. `text` is its body, in any form. */
export function errorFromAnswer(method: string, url: string, status: number, text: string): ApiError {
  const body = parseErrorBody(text)
  const message = body.message ?? (text.trim() === '' ? `HTTP ${status}` : text.trim().slice(0, 500))
  const reasons = [...(body.errors ?? []).map((entry) => entry.reason), ...(body.details ?? []).map((entry) => entry.reason)].filter((reason) => reason !== undefined)
  const request = `${method} ${url.split('?')[0]}`
  const facts: ApiErrorFacts = { status, ...(body.status === undefined ? {} : { canonicalStatus: body.status }), reasons, request }
  const label = body.status === undefined ? String(status) : `${status} ${body.status}`
  if (status === 401) {
    return new ApiError('E_PERMISSION', `${request} was refused: ${message} (${label})`, facts, { hint: 'the access token is missing, expired or not known here; sign in again' })
  }
  if (status !== 403) return new ApiError('E_API', `${request} failed: ${message} (${label})`, facts)
  return new ApiError('E_PERMISSION', `${request} was refused: ${message} (${label})`, facts, { hint: permissionHint(message, reasons, body) })
}

function parseErrorBody(text: string): ErrorBody {
  try {
    const value: unknown = JSON.parse(text)
    if (value === null || typeof value !== 'object') return {}
    if ('error' in value && typeof value.error === 'object' && value.error !== null) return value.error
    if ('error' in value && typeof value.error === 'string') {
      return { message: 'error_description' in value && typeof value.error_description === 'string' ? value.error_description : value.error }
    }
    return {}
  } catch {
    return {}
  }
}

function permissionHint(message: string, reasons: readonly string[], body: ErrorBody): string {
  const metadata = body.details?.find((detail) => detail.metadata !== undefined)?.metadata ?? {}
  if (reasons.includes('SERVICE_DISABLED') || /has not been used in project/.test(message)) {
    const service = metadata['service'] ?? /([a-z0-9]+\.googleapis\.com)/.exec(message)?.[1] ?? 'the API'
    return `enable ${service} in the project: gcloud services enable ${service}`
  }
  const permission = metadata['permission'] ?? permissionIn(message)
  const account = /[\w.+-]+@[\w.-]+\.\w+/.exec(message)?.[0] ?? 'the calling account'
  if (permission === undefined) return `give ${account} a role that allows this call`
  const role = roleForPermission(permission)
  return role === undefined ? `give ${account} a role with the permission ${permission}` : `give ${account} the role ${role} (it holds ${permission})`
}

function permissionIn(message: string): string | undefined {
  return /\b([a-z][a-z0-9]*\.[a-zA-Z]+\.[a-zA-Z]+)\b(?!\.com)/.exec(message.replaceAll(/[\w.+-]+@[\w.-]+/g, '').replaceAll(/\S*(?:googleapis|google)\.com\S*/g, ''))?.[1]
}

/** The error for a call that got no answer. */
export function errorFromNetwork(method: string, url: string, error: unknown): ApiError {
  const target = new URL(url)
  const request = `${method} ${url.split('?')[0]}`
  const code = firstSystemCode(error)
  if (code === 'ECONNREFUSED' && isLoopback(target.hostname)) {
    return new ApiError('E_CLOUD_NOT_RUNNING', `nothing listens on ${target.host}`, { request }, { hint: 'start the pocket cloud: kiln cloud start', cause: error })
  }
  const inner = innerMessage(error)
  return new ApiError('E_NETWORK', `${target.host} could not be reached: ${inner}`, { request }, { hint: 'check the network, then run the same command again', cause: error })
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
}

function firstSystemCode(error: unknown): string | undefined {
  for (const link of causes(error)) {
    const code = systemErrorCode(link) ?? (link instanceof AggregateError ? systemErrorCode(link.errors[0]) : undefined)
    if (code !== undefined) return code
  }
  return undefined
}

function innerMessage(error: unknown): string {
  let text = String(error)
  for (const link of causes(error)) {
    if (link instanceof Error && link.message !== '') text = link.message
  }
  return text
}
