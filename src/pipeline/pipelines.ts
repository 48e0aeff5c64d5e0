/**
 * The pipelines of a data folder: one queue for each stack. A newer commit takes the place of those that wait, never of the one that runs. Every step is
 * a row before and after it happens, so that whoever comes next knows where to go on.
 */
import { KilnError } from '../base/errors.ts'
import type { ProcessIdentity } from '../host/process.ts'
import { openDatabase } from '../store/database.ts'
import type { Database } from '../store/database.ts'
import { createInbox } from './inbox.ts'
import type { Inbox } from './inbox.ts'
import { listPipelines, pipelineMigrations, pipelinesInState, readPipeline } from './store.ts'
import { isEnded } from './types.ts'
import type { Pipeline, PipelineRequest, PipelineState, StageError, StageResult } from './types.ts'

export interface Pipelines {
  /** Puts a commit at the end of its stack's queue; what waited there is superseded by it. */
  enqueue(request: PipelineRequest): Pipeline
  get(id: number): Pipeline | undefined
  /** @throws KilnError E_NOT_FOUND */
  require(id: number): Pipeline
  /** The newest first. */
  list(filter?: { readonly stack?: string; readonly limit?: number }): readonly Pipeline[]
  /** One that waits is cancelled at once; one that runs is asked to end. @throws KilnError E_NOT_FOUND; E_USAGE when it has ended */
  cancel(id: number): Pipeline
  /** The same commit once more. @throws KilnError E_NOT_FOUND; E_USAGE while it runs or another waits */
  retry(id: number, who: string): Pipeline
  /** Stacks whose queue is not empty. */
  stacksWithWork(): readonly string[]
  /** The last pipeline that passed before `id`. */
  lastPassed(stack: string, before: number): Pipeline | undefined
  /** What came in from outside. */
  readonly inbox: Inbox
  /** Writes everything or nothing. */
  transaction<T>(work: () => T): T

  // For the worker of a stack, which holds the stack's lock.
  /** The one that a dead worker left, else the one that waits longest. */
  claim(stack: string, worker: ProcessIdentity, stages: readonly string[]): Pipeline | undefined
  beginStage(id: number, name: string): void
  endStage(
    id: number,
    name: string,
    state: 'passed' | 'failed' | 'skipped' | 'cancelled' | 'superseded',
    outcome: { readonly result?: StageResult; readonly error?: StageError },
  ): void
  setKey(id: number, name: string, key: string): void
  /** What this stage made when it last passed with this key. */
  madeBefore(stack: string, name: string, key: string): StageResult | undefined
  end(id: number, state: Exclude<PipelineState, 'queued' | 'running'>, reason: string | undefined): void
  setNotes(id: number, notes: Readonly<Record<string, unknown>>): void
  /** Forgets all but the newest `keep` of a stack that have ended; gives their numbers. */
  prune(stack: string, keep: number): readonly number[]
  close(): void
}

/** Opens (or makes) the database file. @throws KilnError E_DATA_NEWER, E_DATA_BROKEN */
export function openPipelines(path: string): Pipelines {
  const database = openDatabase(path, [pipelineMigrations])
  const now = (): string => new Date().toISOString()

  function require_(id: number): Pipeline {
    const found = readPipeline(database, id)
    if (found !== undefined) return found
    const newest = listPipelines(database, { limit: 1 })[0]
    throw new KilnError('E_NOT_FOUND', `there is no pipeline ${id}`, {
      hint: newest === undefined ? 'none has run yet: `kiln remote add` sets up `git push kiln`' : `the newest is ${newest.id}: kiln pipelines`,
    })
  }

  function insert(request: PipelineRequest, retryOf: number | null): number {
    database.run(
      'INSERT INTO pipelines (stack, trigger_kind, commit_id, branch, subject, who, forced, state, retry_of, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      ...[request.stack, request.trigger, request.commit, request.branch, request.subject, request.who, request.forced === true ? 1 : 0, 'queued', retryOf, now()],
    )
    return Number(database.get<{ id: number }>('SELECT last_insert_rowid() AS id')?.id)
  }

  function end(id: number, state: PipelineState, reason: string | undefined): void {
    database.run(
      'UPDATE stages SET state = ?, ended_at = ? WHERE pipeline = ? AND state IN (?, ?)',
      state === 'passed' ? 'skipped' : state === 'superseded' ? 'superseded' : 'cancelled',
      now(),
      id,
      'queued',
      'running',
    )
    database.run('UPDATE pipelines SET state = ?, reason = ?, ended_at = ? WHERE id = ? AND state IN (?, ?)', state, reason ?? null, now(), id, 'queued', 'running')
  }

  const pipelines: Pipelines = {
    enqueue: (request) =>
      database.transaction(() => {
        const id = insert(request, null)
        for (const waiting of pipelinesInState(database, request.stack, 'queued'))
          if (waiting.id < id) end(waiting.id, 'superseded', `pipeline ${id} came with a newer commit (${request.commit.slice(0, 7)})`)
        return require_(id)
      }),
    get: (id) => readPipeline(database, id),
    require: require_,
    list: ({ stack, limit = 50 } = {}) => listPipelines(database, { limit, ...(stack === undefined ? {} : { stack }) }),
    cancel: (id) =>
      database.transaction(() => {
        const found = require_(id)
        if (isEnded(found.state)) throw new KilnError('E_USAGE', `pipeline ${id} has ended: ${found.state}`, { hint: `kiln pipelines show ${id}` })
        database.run('UPDATE pipelines SET cancel_requested = 1 WHERE id = ?', id)
        if (found.state === 'queued') end(id, 'cancelled', 'cancelled while it waited')
        return require_(id)
      }),
    retry: (id, who) =>
      database.transaction(() => {
        const found = require_(id)
        if (!isEnded(found.state)) throw new KilnError('E_USAGE', `pipeline ${id} has not ended: it is ${found.state}`, { hint: `kiln pipelines logs ${id} --follow` })
        const waiting = pipelinesInState(database, found.stack, 'queued')[0]
        if (waiting !== undefined)
          throw new KilnError('E_USAGE', `pipeline ${waiting.id} waits with commit ${waiting.commit.slice(0, 7)}, and a retry would take its place`, {
            hint: `kiln pipelines cancel ${waiting.id}, then retry`,
          })
        return require_(insert({ ...found, who }, id))
      }),
    stacksWithWork: () => database.all<{ stack: string }>("SELECT DISTINCT stack FROM pipelines WHERE state IN ('queued', 'running') ORDER BY stack").map((row) => row.stack),
    lastPassed: (stack, before) => {
      const row = database.get<{ id: number }>("SELECT id FROM pipelines WHERE stack = ? AND state = 'passed' AND id < ? ORDER BY id DESC LIMIT 1", stack, before)
      return row === undefined ? undefined : readPipeline(database, row.id)
    },
    inbox: createInbox(database),
    transaction: (work) => database.transaction(work),
    claim: (stack, worker, stages) => database.transaction(() => claim(database, stack, worker, stages, now())),
    beginStage: (id, name) =>
      void database.run(
        "UPDATE stages SET state = 'running', attempts = attempts + 1, started_at = coalesce(started_at, ?), ended_at = NULL, key = NULL, result = NULL, error = NULL WHERE pipeline = ? AND name = ?",
        ...[now(), id, name],
      ),
    endStage: (id, name, state, { result, error }) =>
      void database.run('UPDATE stages SET state = ?, ended_at = ?, result = ?, error = ? WHERE pipeline = ? AND name = ?', state, now(), json(result), json(error), id, name),
    setKey: (id, name, key) => void database.run('UPDATE stages SET key = ? WHERE pipeline = ? AND name = ?', key, id, name),
    madeBefore: (stack, name, key) => {
      const row = database.get<{ result: string | null }>(
        "SELECT result FROM stages JOIN pipelines ON pipelines.id = stages.pipeline WHERE stack = ? AND name = ? AND key = ? AND stages.state IN ('passed', 'skipped') ORDER BY pipeline DESC LIMIT 1",
        ...[stack, name, key],
      )
      return row?.result === undefined || row.result === null ? undefined : (JSON.parse(row.result) as StageResult)
    },
    end: (id, state, reason) => database.transaction(() => end(id, state, reason)),
    setNotes: (id, notes) => void database.run('UPDATE pipelines SET notes = ? WHERE id = ?', JSON.stringify(notes), id),
    prune: (stack, keep) => {
      const rows = database.all<{ id: number }>("SELECT id FROM pipelines WHERE stack = ? AND state NOT IN ('queued', 'running') ORDER BY id DESC LIMIT -1 OFFSET ?", stack, keep)
      for (const { id } of rows) database.run('DELETE FROM pipelines WHERE id = ?', id)
      return rows.map((row) => row.id)
    },
    close: () => database.close(),
  }
  return pipelines
}

function claim(database: Database, stack: string, worker: ProcessIdentity, stages: readonly string[], now: string): Pipeline | undefined {
  const left = pipelinesInState(database, stack, 'running')[0]
  const next = left ?? pipelinesInState(database, stack, 'queued')[0]
  if (next === undefined) return undefined
  database.run("UPDATE pipelines SET state = 'running', worker = ?, started_at = coalesce(started_at, ?) WHERE id = ?", JSON.stringify(worker), now, next.id)
  for (const [position, name] of stages.entries())
    database.run("INSERT INTO stages (pipeline, position, name, state) VALUES (?, ?, ?, 'queued') ON CONFLICT DO NOTHING", next.id, position, name)
  return readPipeline(database, next.id)
}

function json(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value)
}
