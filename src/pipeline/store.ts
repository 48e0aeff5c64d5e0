/** Rows of pipelines and stages. Several processes write them: the daemon, hooks of the git remote, the command line and the worker. */
import type { ProcessIdentity } from '../host/process.ts'
import type { Database, Migrations } from '../store/database.ts'
import type { Pipeline, PipelineState, StageError, StageRecord, StageResult } from './types.ts'

export const pipelineMigrations: Migrations = {
  namespace: 'pipeline',
  steps: [
    `CREATE TABLE pipelines (
       id INTEGER PRIMARY KEY AUTOINCREMENT, stack TEXT NOT NULL, trigger_kind TEXT NOT NULL, commit_id TEXT NOT NULL, branch TEXT NOT NULL, subject TEXT NOT NULL,
       who TEXT NOT NULL, forced INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT, retry_of INTEGER, cancel_requested INTEGER NOT NULL DEFAULT 0,
       created_at TEXT NOT NULL, started_at TEXT, ended_at TEXT, worker TEXT, notes TEXT NOT NULL DEFAULT '{}') STRICT;
     CREATE INDEX pipelines_by_stack ON pipelines (stack, state, id);
     CREATE TABLE stages (
       pipeline INTEGER NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE, position INTEGER NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, key TEXT,
       attempts INTEGER NOT NULL DEFAULT 0, started_at TEXT, ended_at TEXT, result TEXT, error TEXT, PRIMARY KEY (pipeline, position)) STRICT;
     CREATE TABLE deliveries (
       id INTEGER PRIMARY KEY AUTOINCREMENT, stack TEXT NOT NULL, delivery TEXT, event TEXT, received_at TEXT NOT NULL, verified INTEGER NOT NULL,
       outcome TEXT NOT NULL, reason TEXT NOT NULL, pipeline INTEGER, size_bytes INTEGER NOT NULL) STRICT;
     CREATE UNIQUE INDEX deliveries_seen ON deliveries (stack, delivery) WHERE verified = 1;`,
  ],
}

interface PipelineRow {
  readonly id: number
  readonly stack: string
  readonly trigger_kind: Pipeline['trigger']
  readonly commit_id: string
  readonly branch: string
  readonly subject: string
  readonly who: string
  readonly forced: number
  readonly state: PipelineState
  readonly reason: string | null
  readonly retry_of: number | null
  readonly cancel_requested: number
  readonly created_at: string
  readonly started_at: string | null
  readonly ended_at: string | null
  readonly worker: string | null
  readonly notes: string
}

interface StageRow {
  readonly name: string
  readonly state: StageRecord['state']
  readonly key: string | null
  readonly attempts: number
  readonly started_at: string | null
  readonly ended_at: string | null
  readonly result: string | null
  readonly error: string | null
}

export function readPipeline(database: Database, id: number): Pipeline | undefined {
  const row = database.get<PipelineRow>('SELECT * FROM pipelines WHERE id = ?', id)
  return row === undefined ? undefined : toPipeline(database, row)
}

/** The newest first. */
export function listPipelines(database: Database, filter: { readonly stack?: string; readonly limit: number }): readonly Pipeline[] {
  const rows =
    filter.stack === undefined
      ? database.all<PipelineRow>('SELECT * FROM pipelines ORDER BY id DESC LIMIT ?', filter.limit)
      : database.all<PipelineRow>('SELECT * FROM pipelines WHERE stack = ? ORDER BY id DESC LIMIT ?', filter.stack, filter.limit)
  return rows.map((row) => toPipeline(database, row))
}

/** The oldest first. */
export function pipelinesInState(database: Database, stack: string, state: PipelineState): readonly Pipeline[] {
  return database.all<PipelineRow>('SELECT * FROM pipelines WHERE stack = ? AND state = ? ORDER BY id', stack, state).map((row) => toPipeline(database, row))
}

function toPipeline(database: Database, row: PipelineRow): Pipeline {
  const stages = database.all<StageRow>('SELECT * FROM stages WHERE pipeline = ? ORDER BY position', row.id).map(toStage)
  return {
    id: row.id,
    stack: row.stack,
    trigger: row.trigger_kind,
    commit: row.commit_id,
    branch: row.branch,
    subject: row.subject,
    who: row.who,
    forced: row.forced === 1,
    state: row.state,
    ...present('reason', row.reason),
    ...present('retryOf', row.retry_of),
    cancelRequested: row.cancel_requested === 1,
    createdAt: row.created_at,
    ...present('startedAt', row.started_at),
    ...present('endedAt', row.ended_at),
    ...present('worker', parsed<ProcessIdentity>(row.worker)),
    stages,
    notes: JSON.parse(row.notes) as Pipeline['notes'],
  }
}

function toStage(row: StageRow): StageRecord {
  return {
    name: row.name,
    state: row.state,
    ...present('key', row.key),
    attempts: row.attempts,
    ...present('startedAt', row.started_at),
    ...present('endedAt', row.ended_at),
    ...present('result', parsed<StageResult>(row.result)),
    ...present('error', parsed<StageError>(row.error)),
  }
}

function present<Name extends string, T>(name: Name, value: T | null): { readonly [key in Name]?: T } {
  return (value === null ? {} : { [name]: value }) as { readonly [key in Name]?: T }
}

/** Written by this program alone, as JSON of the column's type. */
function parsed<T>(text: string | null): T | null {
  return text === null ? null : (JSON.parse(text) as T)
}
