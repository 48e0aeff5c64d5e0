/**
 * SQLite, durable: what a committed transaction wrote is there after a power cut (WAL with synchronous=FULL).
 * The only file that imports node:sqlite. Synchronous by nature: statements here take micro- to milliseconds.
 */
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { SQLInputValue, StatementSync } from 'node:sqlite'
import { KilnError } from '../base/errors.ts'

/** More results than this of one read are not worth their memory. */
const MAX_REMEMBERED = 1000

export type SqlValue = string | number | bigint | null | Uint8Array
export type Row = Record<string, SqlValue>

/** The steps that bring one owner's tables (a room, the kernel, the engine) from empty to now. Steps are only ever added. */
export interface Migrations {
  readonly namespace: string
  readonly steps: readonly string[]
}

export interface Database {
  readonly path: string
  /** Runs one statement that returns nothing; gives the number of changed rows. */
  run(sql: string, ...params: SqlValue[]): number
  get<T extends object = Row>(sql: string, ...params: SqlValue[]): T | undefined
  all<T extends object = Row>(sql: string, ...params: SqlValue[]): T[]
  /** Runs `work` in one transaction: all of it or, when it throws, nothing. Calls may nest; the outermost commits. `work` must not be async. */
  transaction<T>(work: () => T): T
  /**
   * `read` with its results kept until something is written to this database, for what every request asks. Only for files that one process at a time
   * opens; results are shared, so nobody may change them. Errors are not kept.
   */
  remember<T>(read: (key: string) => T): (key: string) => T
  /** Applies the missing steps. @throws KilnError E_DATA_NEWER when the file has more steps than this program knows. */
  migrate(migrations: Migrations): void
  close(): void
}

/**
 * Opens (or makes) a database file; `:memory:` works.
 * @throws KilnError E_DATA_NEWER, E_DATA_BROKEN
 */
export function openDatabase(path: string, migrations: readonly Migrations[] = []): Database {
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true })
  const database = connect(path)
  try {
    for (const set of migrations) database.migrate(set)
  } catch (error) {
    database.close()
    throw error
  }
  return database
}

function connect(path: string): Database {
  let connection: DatabaseSync
  try {
    connection = new DatabaseSync(path, { timeout: 10_000 })
    connection.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;')
    connection.exec('CREATE TABLE IF NOT EXISTS kiln_migrations (namespace TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT')
  } catch (error) {
    throw new KilnError('E_DATA_BROKEN', `the database ${path} cannot be opened`, { hint: 'restore the file from a backup, or move it away to start empty', cause: error })
  }
  const statements = new Map<string, { readonly statement: StatementSync; readonly isRead: boolean }>()
  let depth = 0
  /** Counts whatever may have changed what a read gives. */
  let changes = 0

  function prepare(sql: string): StatementSync {
    let prepared = statements.get(sql)
    if (prepared === undefined) {
      prepared = { statement: connection.prepare(sql), isRead: /^\s*SELECT\b/i.test(sql) }
      statements.set(sql, prepared)
    }
    if (!prepared.isRead) changes += 1
    return prepared.statement
  }

  function remember<T>(read: (key: string) => T): (key: string) => T {
    const kept = new Map<string, T>()
    let seen = changes
    return (key) => {
      if (seen !== changes || kept.size >= MAX_REMEMBERED) {
        kept.clear()
        seen = changes
      }
      const known = kept.get(key)
      if (known !== undefined || kept.has(key)) return known as T
      const result = read(key)
      // A read that wrote something is not one to keep.
      if (seen === changes) kept.set(key, result)
      return result
    }
  }

  function transaction<T>(work: () => T): T {
    const name = `nested_${depth}`
    connection.exec(depth === 0 ? 'BEGIN IMMEDIATE' : `SAVEPOINT ${name}`)
    depth += 1
    try {
      const result = work()
      connection.exec(depth === 1 ? 'COMMIT' : `RELEASE ${name}`)
      return result
    } catch (error) {
      changes += 1
      connection.exec(depth === 1 ? 'ROLLBACK' : `ROLLBACK TO ${name}; RELEASE ${name}`)
      throw error
    } finally {
      depth -= 1
    }
  }

  const database: Database = {
    path,
    run: (sql, ...params) => Number(prepare(sql).run(...(params as SQLInputValue[])).changes),
    get: <T extends object>(sql: string, ...params: SqlValue[]) => prepare(sql).get(...(params as SQLInputValue[])) as T | undefined,
    all: <T extends object>(sql: string, ...params: SqlValue[]) => prepare(sql).all(...(params as SQLInputValue[])) as T[],
    transaction,
    remember,
    migrate: (migrations) => migrate(database, connection, migrations),
    close: () => connection.close(),
  }
  return database
}

function migrate(database: Database, connection: DatabaseSync, migrations: Migrations): void {
  database.transaction(() => {
    const row = database.get<{ version: number }>('SELECT version FROM kiln_migrations WHERE namespace = ?', migrations.namespace)
    const version = row?.version ?? 0
    if (version > migrations.steps.length) {
      throw new KilnError(
        'E_DATA_NEWER',
        `${database.path} was written by a newer Kiln (${migrations.namespace} is at step ${version}, this program knows ${migrations.steps.length})`,
        {
          hint: 'use the newer Kiln, or another KILN_HOME',
        },
      )
    }
    if (version === migrations.steps.length) return
    for (const step of migrations.steps.slice(version)) connection.exec(step)
    database.run('INSERT INTO kiln_migrations VALUES (?, ?) ON CONFLICT (namespace) DO UPDATE SET version = excluded.version', migrations.namespace, migrations.steps.length)
  })
}
