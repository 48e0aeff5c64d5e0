/**
 * Waiting for long-running operations: Compute Engine's own kind, and google.longrunning of all other services.
 * https://cloud.google.com/compute/docs/reference/rest/v1/zoneOperations/wait, https://google.aip.dev/151
 */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { KilnError } from '../base/errors.ts'
import { MINUTE_MS, SECOND_MS, formatDuration } from '../base/units.ts'
import { sleep } from '../base/wait.ts'
import type { Clients } from './clients.ts'
import { ApiError, call } from './errors.ts'

/** google.longrunning.Operation. */
export interface Operation {
  readonly name?: string | null
  readonly done?: boolean | null
  readonly error?: { readonly code?: number | null; readonly message?: string | null; readonly details?: readonly unknown[] | null } | null
  readonly response?: Readonly<Record<string, unknown>> | null
}

export interface OperationOptions {
  /** What is being done, for messages: "create the instance dev". */
  readonly what: string
  readonly signal?: AbortSignal
  /** Default: ten minutes. */
  readonly timeoutMs?: number
}

const firstPollMs = 50
const longestPollMs = 5 * SECOND_MS

/**
 * Waits for a Compute Engine operation (global, regional or zonal, as its own fields say).
 * @throws KilnError E_OPERATION with all of its messages; E_TIMEOUT.
 */
export async function waitForCompute(clients: Clients, projectId: string, started: compute_v1.Schema$Operation, options: OperationOptions): Promise<compute_v1.Schema$Operation> {
  let blocking = true
  const done = await poll(
    started,
    (operation) => operation.status === 'DONE',
    options,
    async (operation) => {
      if (blocking) {
        try {
          return { next: await readCompute(clients, projectId, operation, true, options.signal), pauseMs: 0 }
        } catch (error) {
          // a server without the blocking method: ask for the state instead
          if (!(error instanceof ApiError) || (error.status !== 501 && error.status !== 405 && error.status !== 404)) throw error
          blocking = false
        }
      }
      return { next: await readCompute(clients, projectId, operation, false, options.signal) }
    },
  )
  const problems = (done.error?.errors ?? []).map((problem) => (problem.code ? `${problem.code}: ${problem.message ?? ''}` : (problem.message ?? '')))
  if (problems.length === 0 && done.httpErrorMessage) problems.push(done.httpErrorMessage)
  if (problems.length > 0) throw new KilnError('E_OPERATION', `could not ${options.what}: ${problems.join('; ')}`)
  return done
}

async function readCompute(clients: Clients, project: string, started: compute_v1.Schema$Operation, wait: boolean, signal?: AbortSignal): Promise<compute_v1.Schema$Operation> {
  const compute = await clients.compute()
  const operation = started.name ?? ''
  const options = signal === undefined ? {} : { signal }
  if (started.zone) {
    const params = { project, operation, zone: lastSegment(started.zone) }
    return await call(wait ? compute.zoneOperations.wait(params, options) : compute.zoneOperations.get(params, options))
  }
  if (started.region) {
    const params = { project, operation, region: lastSegment(started.region) }
    return await call(wait ? compute.regionOperations.wait(params, options) : compute.regionOperations.get(params, options))
  }
  const params = { project, operation }
  return await call(wait ? compute.globalOperations.wait(params, options) : compute.globalOperations.get(params, options))
}

/**
 * Waits for a google.longrunning operation and gives its response.
 * @param read how the service that started it reads it again by name
 * @throws KilnError E_OPERATION with its message and details; E_TIMEOUT.
 */
export async function waitForOperation(started: Operation, read: (name: string) => Promise<Operation>, options: OperationOptions): Promise<Readonly<Record<string, unknown>>> {
  const done = await poll(
    started,
    (operation) => operation.done === true,
    options,
    async (operation) => ({ next: await read(operation.name ?? started.name ?? '') }),
  )
  if (done.error) {
    const details = (done.error.details ?? []).map((detail) => JSON.stringify(detail))
    throw new KilnError(
      'E_OPERATION',
      `could not ${options.what}: ${done.error.message ?? `code ${done.error.code ?? 0}`}`,
      details.length === 0 ? {} : { detail: details.join('\n') },
    )
  }
  return done.response ?? {}
}

async function poll<T>(
  started: T,
  isDone: (operation: T) => boolean,
  options: OperationOptions,
  read: (operation: T) => Promise<{ readonly next: T; readonly pauseMs?: number }>,
): Promise<T> {
  const timeoutMs = options.timeoutMs ?? 10 * MINUTE_MS
  const deadline = performance.now() + timeoutMs
  let operation = started
  let pauseMs = firstPollMs
  while (!isDone(operation)) {
    if (performance.now() > deadline)
      throw new KilnError('E_TIMEOUT', `the operation to ${options.what} did not end within ${formatDuration(timeoutMs)}`, {
        hint: 'run the same command again: it goes on from there',
      })
    const before = performance.now()
    const answer = await read(operation)
    operation = answer.next
    if (isDone(operation)) break
    // a blocking read has done the waiting, unless it answered at once
    const waitedMs = performance.now() - before
    if (answer.pauseMs === undefined || waitedMs < pauseMs) await sleep(pauseMs, options.signal)
    pauseMs = Math.min(pauseMs * 2, longestPollMs)
  }
  return operation
}

/** `…/zones/us-central1-c` -> `us-central1-c`. */
export function lastSegment(link: string): string {
  return link.slice(link.lastIndexOf('/') + 1)
}
