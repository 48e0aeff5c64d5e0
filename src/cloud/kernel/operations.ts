/**
 * Long-running operations. An operation is a row before its work starts; the work is a registered handler with JSON arguments,
 * and must be repeatable: when the daemon dies in the middle, the next one runs the handler again from the start.
 * Rooms render the record in their service's shape (compute#operation, google.longrunning.Operation).
 */
import { EventEmitter } from 'node:events'
import { describeError } from '../../base/errors.ts'
import { numericId, shortId } from '../../base/ids.ts'
import type { Database, Migrations } from '../../store/database.ts'
import { ApiError } from './api-error.ts'
import type { ApiStatus } from './api-error.ts'
import type { OperationFault } from './faults.ts'
import type { Principal } from './principal.ts'

export interface OperationError {
  readonly status: ApiStatus
  readonly httpStatus: number
  readonly message: string
  /** The legacy code that compute shows, such as RESOURCE_NOT_FOUND. */
  readonly reason: string
}

export interface Operation {
  /** Unique over all services. */
  readonly name: string
  /** Decimal text. */
  readonly id: string
  readonly room: string
  readonly projectId: string
  /** Where it lives: `global`, `zones/us-central1-c`, `locations/us-central1` … */
  readonly scope: string
  /** For example `insert` or `google.cloud.artifactregistry.v1.CreateRepository`. */
  readonly type: string
  /** What is worked on: `zones/us-central1-c/instances/dev`. */
  readonly target: string
  readonly targetId: string
  readonly user: string
  readonly status: 'PENDING' | 'RUNNING' | 'DONE'
  /** 0 to 100. */
  readonly progress: number
  readonly insertTime: string
  readonly startTime?: string
  readonly endTime?: string
  readonly args: unknown
  readonly response?: unknown
  readonly error?: OperationError
  /** It is made to fail: where its work first tells of progress, else at its end. */
  readonly fault?: OperationFault
}

export interface OperationContext {
  readonly operation: Operation
  readonly signal: AbortSignal
  progress(percent: number): void
}

/** The work of one type. Its result becomes `response`. Throw ApiError to fail the operation. Must be repeatable. */
export type OperationHandler = (args: never, context: OperationContext) => Promise<unknown>

export interface StartOperation {
  readonly room: string
  readonly type: string
  readonly projectId: string
  readonly scope: string
  readonly target: string
  readonly targetId?: string
  readonly principal: Principal
  readonly args: unknown
}

export interface Operations {
  register(room: string, type: string, handler: OperationHandler): void
  /** Writes the row (inside the caller's transaction, if any) and starts the work after the current turn. */
  start(start: StartOperation): Operation
  get(name: string): Operation | undefined
  list(room: string, projectId: string, scope?: string): readonly Operation[]
  /** The operation once it is DONE, or as it is after `timeoutMs`. */
  wait(name: string, timeoutMs: number): Promise<Operation | undefined>
  /** At daemon start: runs again what was not done. */
  resume(): void
  /** At daemon stop: aborts running work and waits for it; its rows stay unfinished for the next daemon. */
  stop(): Promise<void>
  remove(name: string): void
}

export const operationMigrations: Migrations = {
  namespace: 'kernel.operations',
  steps: [
    `CREATE TABLE operations (name TEXT PRIMARY KEY, room TEXT NOT NULL, project_id TEXT NOT NULL, scope TEXT NOT NULL, status TEXT NOT NULL, record TEXT NOT NULL, insert_time TEXT NOT NULL) STRICT;
     CREATE INDEX operations_open ON operations (status) WHERE status <> 'DONE'`,
  ],
}

/** Finished operations are forgotten after this many days (Google keeps them about two weeks). */
const KEEP_DAYS = 14

/** @param faultNow asked for each operation that starts whether it is to fail */
export function createOperations(
  database: Database,
  onUnexpected: (error: unknown, operation: Operation) => void,
  faultNow: () => OperationFault | undefined = () => undefined,
): Operations {
  database.migrate(operationMigrations)
  database.run("DELETE FROM operations WHERE status = 'DONE' AND insert_time < ?", new Date(Date.now() - KEEP_DAYS * 86_400_000).toISOString())
  const handlers = new Map<string, OperationHandler>()
  const running = new Map<string, Promise<void>>()
  const finished = new EventEmitter().setMaxListeners(0)
  const aborter = new AbortController()

  function get(name: string): Operation | undefined {
    const row = database.get<{ record: string }>('SELECT record FROM operations WHERE name = ?', name)
    return row === undefined ? undefined : (JSON.parse(row.record) as Operation)
  }

  function save(operation: Operation): void {
    database.run(
      'INSERT INTO operations VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET status = excluded.status, record = excluded.record',
      operation.name,
      operation.room,
      operation.projectId,
      operation.scope,
      operation.status,
      JSON.stringify(operation),
      operation.insertTime,
    )
  }

  async function work(name: string): Promise<void> {
    const operation = get(name)
    if (operation === undefined || operation.status === 'DONE') return
    const handler = handlers.get(`${operation.room}/${operation.type}`)
    let current: Operation = { ...operation, status: 'RUNNING', startTime: operation.startTime ?? new Date().toISOString() }
    save(current)
    try {
      if (handler === undefined) throw new ApiError('INTERNAL', `no handler for operation type ${operation.room}/${operation.type}`)
      const response = await handler(operation.args as never, {
        operation: current,
        signal: aborter.signal,
        progress(percent) {
          failAsTold(operation)
          current = { ...current, progress: Math.max(current.progress, Math.min(99, Math.round(percent))) }
          save(current)
        },
      })
      failAsTold(operation)
      current = { ...current, status: 'DONE', progress: 100, endTime: new Date().toISOString(), response: response ?? {} }
    } catch (error) {
      if (aborter.signal.aborted) return
      if (!(error instanceof ApiError)) onUnexpected(error, current)
      current = { ...current, status: 'DONE', progress: 100, endTime: new Date().toISOString(), error: toOperationError(error) }
    }
    if (get(name) !== undefined) save(current)
    finished.emit(name)
  }

  function launch(name: string): void {
    setImmediate(() => {
      if (aborter.signal.aborted || running.has(name)) return
      running.set(
        name,
        work(name).finally(() => running.delete(name)),
      )
    })
  }

  return {
    register: (room, type, handler) => void handlers.set(`${room}/${type}`, handler),
    start(start) {
      const fault = faultNow()
      const operation: Operation = {
        name: `operation-${Date.now()}-${shortId(13)}`,
        id: numericId(),
        room: start.room,
        projectId: start.projectId,
        scope: start.scope,
        type: start.type,
        target: start.target,
        targetId: start.targetId ?? numericId(),
        user: start.principal.email,
        status: 'PENDING',
        progress: 0,
        insertTime: new Date().toISOString(),
        args: start.args,
        ...(fault === undefined ? {} : { fault }),
      }
      save(operation)
      launch(operation.name)
      return operation
    },
    get,
    list: (room, projectId, scope) =>
      database
        .all<{ record: string }>('SELECT record FROM operations WHERE room = ? AND project_id = ? ORDER BY insert_time, name', room, projectId)
        .map((row) => JSON.parse(row.record) as Operation)
        .filter((operation) => scope === undefined || operation.scope === scope),
    async wait(name, timeoutMs) {
      const now = get(name)
      if (now === undefined || now.status === 'DONE') return now
      await new Promise<void>((resolve) => {
        const timer = setTimeout(end, timeoutMs)
        function end(): void {
          clearTimeout(timer)
          finished.off(name, end)
          aborter.signal.removeEventListener('abort', end)
          resolve()
        }
        finished.once(name, end)
        aborter.signal.addEventListener('abort', end)
        // It may have ended between the look and the listening.
        if (get(name)?.status === 'DONE') end()
      })
      return get(name)
    },
    resume() {
      for (const row of database.all<{ name: string }>("SELECT name FROM operations WHERE status <> 'DONE' ORDER BY insert_time")) launch(row.name)
    },
    async stop() {
      aborter.abort()
      await Promise.allSettled(running.values())
    },
    remove: (name) => void database.run('DELETE FROM operations WHERE name = ?', name),
  }
}

/** Thrown where the work itself could fail, so that its own cleaning up is what is seen. */
function failAsTold({ fault }: Operation): void {
  if (fault !== undefined) throw new ApiError(fault.status, fault.message, fault.reason === undefined ? {} : { reason: fault.reason })
}

function toOperationError(error: unknown): OperationError {
  if (error instanceof ApiError) return { status: error.status, httpStatus: error.httpStatus, message: error.message, reason: error.reason }
  return { status: 'INTERNAL', httpStatus: 500, message: `Internal error: ${describeError(error)}`, reason: 'INTERNAL_ERROR' }
}

/** google.longrunning.Operation (https://cloud.google.com/apis/design/design_patterns#long_running_operations). `prefix` is put before the name: `operations/` or `projects/P/locations/L/operations/`. */
export function toLongRunning(operation: Operation, prefix: string, metadata?: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return {
    name: `${prefix}${operation.name}`,
    ...(metadata === undefined ? {} : { metadata }),
    ...(operation.status === 'DONE' ? { done: true } : {}),
    ...(operation.error === undefined ? {} : { error: { code: rpcCode(operation.error.status), message: operation.error.message, details: [] } }),
    ...(operation.response === undefined ? {} : { response: operation.response }),
  }
}

/** google.rpc.Code numbers of the statuses used here. */
function rpcCode(status: ApiStatus): number {
  const codes: Partial<Record<ApiStatus, number>> = {
    INVALID_ARGUMENT: 3,
    NOT_FOUND: 5,
    ALREADY_EXISTS: 6,
    PERMISSION_DENIED: 7,
    RESOURCE_EXHAUSTED: 8,
    FAILED_PRECONDITION: 9,
    ABORTED: 10,
    CANCELLED: 1,
    UNKNOWN: 2,
    DEADLINE_EXCEEDED: 4,
    DATA_LOSS: 15,
    OUT_OF_RANGE: 11,
    UNIMPLEMENTED: 12,
    UNAVAILABLE: 14,
    UNAUTHENTICATED: 16,
  }
  return codes[status] ?? 13
}
