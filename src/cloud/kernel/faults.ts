/**
 * Faults on purpose: errors, latency, quotas and short-lived tokens that the owner of the pocket cloud switches on to see how programs take them.
 * Durable, so that a restart changes no experiment. With none set, each call pays for one look at a boolean.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database, Migrations } from '../../store/database.ts'
import { ApiError } from './api-error.ts'
import type { ApiStatus } from './api-error.ts'
import { globMatches, parseFaultSpec } from './fault-specs.ts'
import type { FaultKind, FaultSpec } from './fault-specs.ts'
import type { Principal } from './principal.ts'

/** A fault that is set, with what it has done so far. */
export type Fault<Kind extends FaultKind = FaultKind> = FaultSpec<Kind> & {
  /** `f1`; names it in answers and on the command line. */
  readonly id: string
  readonly createTime: string
  /** Matching calls so far. */
  readonly seen: number
  /** How many of them it struck. */
  readonly struck: number
}

/** One call of a method, as the matchers see it. */
export interface FaultCall {
  readonly host: string
  readonly service: string
  readonly room: string
  /** Google's method id. */
  readonly method: string
  readonly projectId: string | undefined
  readonly principal: Principal
}

/** How an operation is to end instead of as its work would. */
export interface OperationFault {
  readonly id: string
  readonly status: ApiStatus
  readonly message: string
  readonly reason?: string
}

export interface Faults {
  /** Whether any fault is set that can still strike. */
  readonly active: boolean
  list(): readonly Fault[]
  /** Sets a fault; undefined when all that it says is done at once (`token-expiry` with only `now`). @throws ApiError 400 */
  add(spec: unknown): { readonly fault?: Fault; readonly endedTokens?: number }
  remove(id: string): boolean
  /** Removes all; gives their number. */
  clear(): number
  /** Before a method's handler: waits, and throws what is to be thrown. @throws ApiError */
  strike(call: FaultCall, signal: AbortSignal): Promise<void>
  /** Runs a method's handler so that operations started in it know whose they are. */
  during<T>(call: FaultCall, work: () => T): T
  /** For the operation that is being started now, in the call that `during` runs. */
  operationFault(): OperationFault | undefined
  /** How long the start of this instance's machine is held back, in milliseconds; 0 without a fault. Each call counts as one start. */
  bootDelayMs(instanceName: string, projectId: string): number
  /** True: every health probe of this instance counts as failed, whatever it answers. */
  isUnhealthy(instanceName: string, projectId: string): boolean
  /** The lifetime of a token for this principal that is issued now; undefined: as asked. `silent`: the answer promises what was asked. */
  tokenLifetime(principal: Principal): { readonly seconds: number; readonly silent: boolean } | undefined
}

export const faultMigrations: Migrations = {
  namespace: 'kernel.faults',
  steps: ['CREATE TABLE faults (number INTEGER PRIMARY KEY AUTOINCREMENT, spec TEXT NOT NULL, create_time TEXT NOT NULL, seen INTEGER NOT NULL, struck INTEGER NOT NULL) STRICT'],
}

interface FaultRow {
  readonly number: number
  readonly spec: string
  readonly create_time: string
  readonly seen: number
  readonly struck: number
}

const MINUTE_MS = 60_000
/** The methods that a quota counts when it names none: those that make something. */
const MAKES = /\.(insert|create|bulkInsert|upload)$/

/** @param nowMs the clock of rate limits, for tests */
export function createFaults(database: Database, nowMs: () => number = Date.now): Faults {
  database.migrate(faultMigrations)
  const calls = new AsyncLocalStorage<FaultCall>()
  const windows = new Map<string, { startMs: number; calls: number }>()
  let faults: Fault[] = database.all<FaultRow>('SELECT * FROM faults ORDER BY number').map(toFault)
  let active = faults.some(canStrike)

  function replace(next: Fault[]): void {
    faults = next
    active = faults.some(canStrike)
  }

  /** Counts a matching call, and says whether the fault strikes it. Written down first: a restart does not give back what was used up. */
  function draw(fault: Fault): boolean {
    const strikes = wins(fault)
    const counted = { ...fault, seen: fault.seen + 1, struck: fault.struck + (strikes ? 1 : 0) }
    database.run('UPDATE faults SET seen = ?, struck = ? WHERE number = ?', counted.seen, counted.struck, Number(fault.id.slice(1)))
    replace(faults.map((each) => (each.id === fault.id ? counted : each)))
    return strikes
  }

  function* matching<Kind extends FaultKind>(kind: Kind, matches: (fault: Fault<Kind>) => boolean): Generator<Fault<Kind>> {
    if (!active) return
    for (const fault of faults) {
      const mine = fault as unknown as Fault<Kind>
      if (fault.kind === kind && canStrike(fault) && matches(mine)) yield mine
    }
  }

  function refuseOverRate(fault: Fault<'rate'>, call: FaultCall): void {
    const key = `${fault.id} ${call.projectId ?? call.principal.member}`
    const now = nowMs()
    const known = windows.get(key)
    const window = known === undefined || now - known.startMs >= MINUTE_MS ? { startMs: now, calls: 0 } : known
    windows.set(key, window)
    window.calls += 1
    if (window.calls > fault.perMinute) throw rateExceeded(fault, call, fault.retryAfterSeconds ?? Math.ceil((window.startMs + MINUTE_MS - now) / 1000))
  }

  return {
    get active() {
      return active
    },
    list: () => faults,
    add(given) {
      const spec = parseFaultSpec(given)
      const endedTokens = spec.kind === 'token-expiry' && spec.now === true ? endTokens(database, spec.principal) : undefined
      if (spec.kind === 'token-expiry' && spec.seconds === undefined) return { endedTokens: endedTokens ?? 0 }
      const kept = 'probability' in spec && spec.seed === undefined ? { ...spec, seed: Math.floor(Math.random() * 0x1_0000_0000) } : spec
      const row = database.get<FaultRow>('INSERT INTO faults (spec, create_time, seen, struck) VALUES (?, ?, 0, 0) RETURNING *', JSON.stringify(kept), new Date().toISOString())
      if (row === undefined) throw new Error('INSERT … RETURNING gave no row')
      const fault = toFault(row)
      replace([...faults, fault])
      return { fault, ...(endedTokens === undefined ? {} : { endedTokens }) }
    },
    remove(id) {
      const removed = /^f\d+$/.test(id) && database.run('DELETE FROM faults WHERE number = ?', Number(id.slice(1))) > 0
      replace(faults.filter((fault) => fault.id !== id))
      return removed
    },
    clear() {
      const removed = database.run('DELETE FROM faults')
      windows.clear()
      replace([])
      return removed
    },
    async strike(call, signal) {
      let delayMs = 0
      for (const fault of matching('latency', (each) => matchesCall(each, call)))
        if (draw(fault)) delayMs += fault.ms + (fault.jitterMs ?? 0) * random(fault.seed ?? Number(fault.id.slice(1)), fault.seen + 0x5eed)
      if (delayMs > 0) await wait(delayMs, signal)
      for (const fault of matching('rate', (each) => matchesCall(each, call))) {
        draw(fault)
        refuseOverRate(fault, call)
      }
      for (const fault of matching('quota', (each) => matchesCall(each, call) && (each.method !== undefined || MAKES.test(call.method)))) {
        if (draw(fault)) throw quotaExceeded(fault, call)
      }
      for (const fault of matching('api', (each) => matchesCall(each, call))) {
        if (draw(fault)) throw apiFault(fault)
      }
    },
    during: (call, work) => calls.run(call, work),
    operationFault() {
      const call = active ? calls.getStore() : undefined
      if (call === undefined) return undefined
      for (const fault of matching('operation', (each) => matchesCall(each, call))) {
        if (!draw(fault)) continue
        const message = fault.message ?? `The operation was made to fail (kiln cloud fault ${fault.id}).`
        return { id: fault.id, status: fault.status ?? 'INTERNAL', message, ...(fault.reason === undefined ? {} : { reason: fault.reason }) }
      }
      return undefined
    },
    bootDelayMs(instanceName, projectId) {
      let delayMs = 0
      for (const fault of matching('slow-boot', (each) => matchesInstance(each, instanceName, projectId))) if (draw(fault)) delayMs = Math.max(delayMs, fault.seconds * 1000)
      return delayMs
    },
    isUnhealthy(instanceName, projectId) {
      const { value: fault } = matching('unhealthy', (each) => matchesInstance(each, instanceName, projectId)).next()
      // Counted in memory only: probes come every few seconds.
      if (fault !== undefined) replace(faults.map((each) => (each.id === fault.id ? { ...each, seen: each.seen + 1, struck: each.struck + 1 } : each)))
      return fault !== undefined
    },
    tokenLifetime(principal) {
      let shortest: { seconds: number; silent: boolean } | undefined
      for (const fault of matching('token-expiry', (each) => matchesPrincipal(each.principal, principal))) {
        draw(fault)
        if (fault.seconds !== undefined && (shortest === undefined || fault.seconds < shortest.seconds)) shortest = { seconds: fault.seconds, silent: fault.silent === true }
      }
      return shortest
    },
  }
}

/** @throws ApiError when the caller went away meanwhile */
async function wait(delayMs: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(delayMs, undefined, { signal })
  } catch (error) {
    throw new ApiError('CANCELLED', 'The caller went away.', { cause: error })
  }
}

function toFault(row: FaultRow): Fault {
  return { ...(JSON.parse(row.spec) as FaultSpec), id: `f${row.number}`, createTime: row.create_time, seen: row.seen, struck: row.struck }
}

function canStrike(fault: Fault): boolean {
  return !('count' in fault) || fault.count === undefined || fault.struck < fault.count
}

/** Quotas let `limit` calls pass and then none; the others win by their probability. */
function wins(fault: Fault): boolean {
  if (fault.kind === 'quota') return fault.seen >= (fault.limit ?? 0)
  if (!('probability' in fault) || fault.probability === undefined) return true
  return random(fault.seed ?? 0, fault.seen) < fault.probability
}

/** The n-th number in [0, 1) of the row that a seed fixes: mulberry32's step on a counter. */
function random(seed: number, n: number): number {
  let mixed = (seed + Math.imul(n + 1, 0x6d2b79f5)) | 0
  mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
}

function matchesCall(
  fault: { readonly host?: string; readonly service?: string; readonly method?: string; readonly project?: string; readonly principal?: string },
  call: FaultCall,
): boolean {
  return (
    globMatches(fault.host, call.host) &&
    globMatches(fault.service, call.service, call.room) &&
    globMatches(fault.method, call.method) &&
    globMatches(fault.project, call.projectId) &&
    matchesPrincipal(fault.principal, call.principal)
  )
}

function matchesPrincipal(glob: string | undefined, principal: Principal): boolean {
  return globMatches(glob, principal.email, principal.member)
}

function matchesInstance(fault: { readonly instance?: string; readonly project?: string }, name: string, projectId: string): boolean {
  return globMatches(fault.instance, name) && globMatches(fault.project, projectId)
}

/** Answers that a fault made say so in a header, which no client of Google's reads. */
function faultHeaders(id: string, retryAfterSeconds: number | undefined): Record<string, string> {
  return { 'x-kiln-fault': id, ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }) }
}

function apiFault(fault: Fault<'api'>): ApiError {
  return new ApiError(fault.status, fault.message ?? `The call was made to fail (kiln cloud fault ${fault.id}).`, {
    ...(fault.reason === undefined ? {} : { reason: fault.reason }),
    headers: faultHeaders(fault.id, fault.retryAfterSeconds),
  })
}

/** Compute Engine answers 403 with the reason quotaExceeded, everybody else 429 with QuotaFailure (https://cloud.google.com/apis/design/errors). */
function quotaExceeded(fault: Fault<'quota'>, call: FaultCall): ApiError {
  const limit = fault.limit ?? 0
  const headers = faultHeaders(fault.id, undefined)
  if (call.service === 'compute.googleapis.com')
    return new ApiError('PERMISSION_DENIED', `Quota '${fault.quota}' exceeded.  Limit: ${limit.toFixed(1)} globally.`, { reason: 'quotaExceeded', domain: 'usageLimits', headers })
  const subject = `project:${call.projectId ?? '-'}`
  return new ApiError('RESOURCE_EXHAUSTED', `Quota exceeded for quota metric '${fault.quota}' of service '${call.service}' for consumer '${subject}'. Limit: ${limit}.`, {
    reason: 'quotaExceeded',
    domain: 'usageLimits',
    headers,
    details: [{ '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations: [{ subject, description: `${fault.quota}: limit ${limit}` }] }],
  })
}

function rateExceeded(fault: Fault<'rate'>, call: FaultCall, retryAfterSeconds: number): ApiError {
  const consumer = `projects/${call.projectId ?? '-'}`
  return new ApiError(
    'RESOURCE_EXHAUSTED',
    `Quota exceeded for quota metric 'Requests' and limit 'Requests per minute' of service '${call.service}' for consumer '${consumer}'. Limit: ${fault.perMinute}.`,
    {
      reason: 'rateLimitExceeded',
      domain: 'usageLimits',
      headers: faultHeaders(fault.id, retryAfterSeconds),
      details: [
        {
          '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
          reason: 'RATE_LIMIT_EXCEEDED',
          domain: 'googleapis.com',
          metadata: { service: call.service, consumer, quota_limit: 'RequestsPerMinutePerProject', quota_limit_value: String(fault.perMinute) },
        },
        { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${retryAfterSeconds}s` },
      ],
    },
  )
}

/** Ends the tokens of all principals that match. */
function endTokens(database: Database, principal: string | undefined): number {
  const holders = database.all<{ member: string; email: string }>('SELECT DISTINCT member, email FROM tokens')
  return database.transaction(() =>
    holders
      .filter((holder) => globMatches(principal, holder.email, holder.member))
      .reduce((ended, holder) => ended + database.run('DELETE FROM tokens WHERE member = ?', holder.member), 0),
  )
}
