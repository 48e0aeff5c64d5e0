/** Rows of managed instances and of what went wrong with them. The groups themselves are rows like every other resource of the room. */
import type { Database, Migrations } from '../../../../store/database.ts'

export const groupMigrations: Migrations = {
  namespace: 'compute.groups',
  steps: [
    `CREATE TABLE compute_managed_instances (group_id TEXT NOT NULL, name TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY (group_id, name)) STRICT;
     CREATE TABLE compute_group_errors (id INTEGER PRIMARY KEY, group_id TEXT NOT NULL, record TEXT NOT NULL) STRICT;
     CREATE INDEX compute_group_errors_by_group ON compute_group_errors (group_id)`,
    `CREATE TABLE compute_retired_templates (link TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT`,
  ],
}

export type ManagedAction = 'NONE' | 'CREATING' | 'CREATING_WITHOUT_RETRIES' | 'VERIFYING' | 'RECREATING' | 'DELETING' | 'RESTARTING' | 'REFRESHING'

/**
 * Where the work on an instance stands. `create`: no machine yet (perhaps waiting for its turn); `creating`: the room's insert runs; `verify`: it runs, and is
 * not proven healthy; `idle`: nothing to do; `drain`: no new requests, those under way end; `delete`/`deleting`, `restart`/`stopping`/`starting`, `refresh`: as named.
 */
export type ManagedStep = 'create' | 'creating' | 'verify' | 'idle' | 'drain' | 'delete' | 'deleting' | 'restart' | 'stopping' | 'starting' | 'refresh'

export interface ManagedVersion {
  /** Link of the template in Google's form. */
  readonly instanceTemplate: string
  readonly name?: string
}

export interface ManagedError {
  readonly code: string
  readonly message: string
}

/** One instance of a managed group. Its machine may not exist yet, or not any more. */
export interface ManagedInstance {
  readonly groupId: string
  readonly name: string
  readonly action: ManagedAction
  readonly step: ManagedStep
  /** What it is made from, or will be with its next creation. */
  readonly version: ManagedVersion
  /** Id of the instance's row, once the room was asked to make it. */
  readonly instanceId?: string
  /** The room's operation that is awaited. */
  readonly operation?: string
  /** Running, and healthy at least once since its machine began (or nothing tells health). */
  readonly verified: boolean
  /** When its machine was last seen to begin to run, in ms since 1970. */
  readonly runningSinceMs?: number
  readonly createdMs: number
  /** Failed creations and repairs in a row. */
  readonly attempts: number
  /** Not before this time, in ms since 1970. */
  readonly notBeforeMs: number
  readonly lastErrors?: readonly ManagedError[]
  /** Revision of the group's all-instances configuration that it has. */
  readonly configRevision?: string
}

export interface GroupErrorRecord {
  readonly code: string
  readonly message: string
  readonly action: string
  readonly instance: string
  readonly version: ManagedVersion
  readonly timestamp: string
}

/** At most so many errors of one group are kept. */
const KEEP_ERRORS = 100

export interface GroupStore {
  managed(groupId: string, name: string): ManagedInstance | undefined
  /** Sorted by name. */
  listManaged(groupId: string): readonly ManagedInstance[]
  /** Every managed instance of every group. */
  allManaged(): readonly ManagedInstance[]
  saveManaged(managed: ManagedInstance): void
  removeManaged(groupId: string, name: string): void
  addError(groupId: string, error: GroupErrorRecord): void
  /** Newest first. */
  listErrors(groupId: string): readonly (GroupErrorRecord & { readonly id: number })[]
  /** Keeps a deleted template while instances were made from it; those that no instance needs any more are forgotten. `resource` is the template's row. */
  retire(link: string, resource: object): void
  /** The row of a deleted template that instances were made from. */
  retired(link: string): object | undefined
  /** Everything about a group that is gone. */
  forget(groupId: string): void
}

export function createGroupStore(database: Database): GroupStore {
  database.migrate(groupMigrations)

  function parse(row: { record: string }): ManagedInstance {
    return JSON.parse(row.record) as ManagedInstance
  }

  return {
    managed(groupId, name) {
      const row = database.get<{ record: string }>('SELECT record FROM compute_managed_instances WHERE group_id = ? AND name = ?', groupId, name)
      return row === undefined ? undefined : parse(row)
    },
    listManaged: (groupId) => database.all<{ record: string }>('SELECT record FROM compute_managed_instances WHERE group_id = ? ORDER BY name', groupId).map(parse),
    allManaged: () => database.all<{ record: string }>('SELECT record FROM compute_managed_instances ORDER BY group_id, name').map(parse),
    saveManaged: (managed) =>
      void database.run(
        'INSERT INTO compute_managed_instances VALUES (?, ?, ?) ON CONFLICT (group_id, name) DO UPDATE SET record = excluded.record',
        managed.groupId,
        managed.name,
        JSON.stringify(managed),
      ),
    removeManaged: (groupId, name) => void database.run('DELETE FROM compute_managed_instances WHERE group_id = ? AND name = ?', groupId, name),
    addError(groupId, error) {
      database.run('INSERT INTO compute_group_errors (group_id, record) VALUES (?, ?)', groupId, JSON.stringify(error))
      database.run(
        'DELETE FROM compute_group_errors WHERE group_id = ? AND id <= (SELECT id FROM compute_group_errors WHERE group_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?)',
        groupId,
        groupId,
        KEEP_ERRORS,
      )
    },
    listErrors: (groupId) =>
      database
        .all<{ id: number; record: string }>('SELECT id, record FROM compute_group_errors WHERE group_id = ? ORDER BY id DESC', groupId)
        .map((row) => ({ ...(JSON.parse(row.record) as GroupErrorRecord), id: row.id })),
    retire(link, resource) {
      const isUsed = "EXISTS (SELECT 1 FROM compute_managed_instances WHERE json_extract(record, '$.version.instanceTemplate') = link)"
      database.run('INSERT OR REPLACE INTO compute_retired_templates VALUES (?, ?)', link, JSON.stringify(resource))
      database.run(`DELETE FROM compute_retired_templates WHERE NOT ${isUsed}`)
    },
    retired(link) {
      const row = database.get<{ record: string }>('SELECT record FROM compute_retired_templates WHERE link = ?', link)
      return row === undefined ? undefined : (JSON.parse(row.record) as object)
    },
    forget(groupId) {
      database.run('DELETE FROM compute_managed_instances WHERE group_id = ?', groupId)
      database.run('DELETE FROM compute_group_errors WHERE group_id = ?', groupId)
    },
  }
}
