/** Entries, in the order of their times. */
import type { Database, Migrations } from '../../../store/database.ts'

export const loggingMigrations: Migrations = {
  namespace: 'logging',
  steps: [
    `CREATE TABLE logging_entries (
       id INTEGER PRIMARY KEY AUTOINCREMENT, project_id TEXT NOT NULL, log_id TEXT NOT NULL, time TEXT NOT NULL, insert_id TEXT NOT NULL, entry TEXT NOT NULL,
       UNIQUE (project_id, log_id, time, insert_id)
     ) STRICT;
     CREATE INDEX logging_entries_time ON logging_entries (project_id, time, id)`,
  ],
}

/** Google's shape of an entry, with `timestamp` and `severity` as texts. */
export type LogEntry = Readonly<Record<string, unknown>>

export interface StoredEntry {
  readonly id: number
  /** With nine digits of fraction. */
  readonly time: string
  readonly entry: LogEntry
}

export interface NewEntry {
  readonly projectId: string
  readonly logId: string
  readonly time: string
  readonly insertId: string
  readonly entry: LogEntry
}

export interface Position {
  readonly time: string
  readonly id: number
}

export interface LogStore {
  /** An entry with the same log, time and insert id is the same entry, and is kept as it was. */
  insert(entry: NewEntry): void
  /** Up to `limit` entries after a position, between two times, in rising or falling order. */
  scan(
    projectIds: readonly string[],
    query: { readonly from: string; readonly to: string; readonly after: Position | undefined; readonly isDescending: boolean; readonly limit: number },
  ): readonly StoredEntry[]
  /** Log ids, sorted. */
  logs(projectId: string): readonly string[]
  /** Gives the number of removed entries. */
  removeLog(projectId: string, logId: string): number
  /** Removes entries before a time, and the oldest of a project beyond `max`. */
  prune(projectId: string, before: string, max: number): void
}

export function createLogStore(database: Database): LogStore {
  return {
    insert: (entry) =>
      void database.run(
        'INSERT OR IGNORE INTO logging_entries (project_id, log_id, time, insert_id, entry) VALUES (?, ?, ?, ?, ?)',
        entry.projectId,
        entry.logId,
        entry.time,
        entry.insertId,
        JSON.stringify(entry.entry),
      ),
    scan(projectIds, { from, to, after, isDescending, limit }) {
      const [compare, order] = isDescending ? ['<', 'DESC'] : ['>', 'ASC']
      const start = after ?? { time: isDescending ? '~' : '', id: 0 }
      return database
        .all<{ id: number; time: string; entry: string }>(
          `SELECT id, time, entry FROM logging_entries WHERE project_id IN (SELECT value FROM json_each(?)) AND time >= ? AND time <= ? AND (time, id) ${compare} (?, ?)
           ORDER BY time ${order}, id ${order} LIMIT ?`,
          JSON.stringify(projectIds),
          from,
          to,
          start.time,
          start.id,
          limit,
        )
        .map((row) => ({ id: row.id, time: row.time, entry: JSON.parse(row.entry) as LogEntry }))
    },
    logs: (projectId) => database.all<{ log_id: string }>('SELECT DISTINCT log_id FROM logging_entries WHERE project_id = ? ORDER BY log_id', projectId).map((row) => row.log_id),
    removeLog: (projectId, logId) => database.run('DELETE FROM logging_entries WHERE project_id = ? AND log_id = ?', projectId, logId),
    prune(projectId, before, max) {
      database.run('DELETE FROM logging_entries WHERE project_id = ? AND time < ?', projectId, before)
      database.run(
        'DELETE FROM logging_entries WHERE project_id = ? AND id IN (SELECT id FROM logging_entries WHERE project_id = ? ORDER BY time DESC, id DESC LIMIT -1 OFFSET ?)',
        projectId,
        projectId,
        max,
      )
    },
  }
}
