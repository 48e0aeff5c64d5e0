/** Tables of the admin side: databases, composite indexes, field overrides. Rules are in store.rules.ts. */
import type { Database, Migrations } from '../../../store/database.ts'
import { documentTables } from './documents/store.ts'

export const firestoreMigrations: Migrations = {
  namespace: 'firestore',
  steps: [
    `CREATE TABLE firestore_databases (
       project_id TEXT NOT NULL, database_id TEXT NOT NULL, uid TEXT NOT NULL UNIQUE, create_time TEXT NOT NULL, update_time TEXT NOT NULL, etag TEXT NOT NULL, config TEXT NOT NULL,
       PRIMARY KEY (project_id, database_id)
     ) STRICT;
     CREATE TABLE firestore_indexes (
       uid TEXT NOT NULL REFERENCES firestore_databases (uid) ON DELETE CASCADE, collection TEXT NOT NULL, index_id TEXT NOT NULL, state TEXT NOT NULL, shape TEXT NOT NULL,
       PRIMARY KEY (uid, collection, index_id)
     ) STRICT;
     CREATE TABLE firestore_fields (
       uid TEXT NOT NULL REFERENCES firestore_databases (uid) ON DELETE CASCADE, collection TEXT NOT NULL, field TEXT NOT NULL, config TEXT NOT NULL,
       PRIMARY KEY (uid, collection, field)
     ) STRICT;
     CREATE TABLE firestore_rulesets (project_id TEXT NOT NULL, ruleset_id TEXT NOT NULL, create_time TEXT NOT NULL, source TEXT NOT NULL, PRIMARY KEY (project_id, ruleset_id)) STRICT;
     CREATE TABLE firestore_releases (
       project_id TEXT NOT NULL, name TEXT NOT NULL, ruleset_name TEXT NOT NULL, create_time TEXT NOT NULL, update_time TEXT NOT NULL,
       PRIMARY KEY (project_id, name)
     ) STRICT`,
    documentTables,
  ],
}

export interface DatabaseConfig {
  readonly locationId: string
  readonly type: string
  readonly concurrencyMode: string
  readonly appEngineIntegrationMode: string
  readonly pointInTimeRecoveryEnablement: string
  readonly deleteProtectionState: string
  readonly databaseEdition: string
  readonly freeTier: boolean
}

export interface DatabaseRecord {
  readonly projectId: string
  readonly databaseId: string
  /** A UUID, never used again. */
  readonly uid: string
  readonly createTime: string
  readonly updateTime: string
  readonly etag: string
  readonly config: DatabaseConfig
}

export interface IndexField {
  readonly fieldPath: string
  readonly order?: string
  readonly arrayConfig?: string
  readonly vectorConfig?: Readonly<Record<string, unknown>>
}

export interface IndexShape {
  readonly queryScope: string
  readonly apiScope: string
  readonly density: string
  readonly fields: readonly IndexField[]
}

export interface IndexRecord {
  readonly uid: string
  readonly collection: string
  readonly indexId: string
  readonly state: 'CREATING' | 'READY'
  readonly shape: IndexShape
}

export interface FieldConfig {
  /** Undefined: what the ancestor says. */
  readonly indexes?: readonly { readonly queryScope: string; readonly field: IndexField }[]
  readonly ttl?: { readonly state: 'CREATING' | 'ACTIVE'; readonly expirationOffset?: string }
}

export interface FieldRecord {
  readonly uid: string
  readonly collection: string
  readonly field: string
  readonly config: FieldConfig
}

interface DatabaseRow {
  project_id: string
  database_id: string
  uid: string
  create_time: string
  update_time: string
  etag: string
  config: string
}

interface IndexRow {
  uid: string
  collection: string
  index_id: string
  state: IndexRecord['state']
  shape: string
}

interface FieldRow {
  uid: string
  collection: string
  field: string
  config: string
}

export interface FirestoreStore {
  find(projectId: string, databaseId: string): DatabaseRecord | undefined
  /** Sorted by id. */
  list(projectId: string): readonly DatabaseRecord[]
  insert(record: DatabaseRecord): void
  update(record: DatabaseRecord): void
  /** With everything in it. */
  remove(uid: string): void
  findIndex(uid: string, collection: string, indexId: string): IndexRecord | undefined
  /** Of all collections, when none is given. */
  listIndexes(uid: string, collection?: string): readonly IndexRecord[]
  insertIndex(record: IndexRecord): void
  readyIndex(uid: string, indexId: string): void
  removeIndex(record: IndexRecord): void
  findField(uid: string, collection: string, field: string): FieldRecord | undefined
  listFields(uid: string, collection?: string): readonly FieldRecord[]
  putField(record: FieldRecord): void
  removeField(uid: string, collection: string, field: string): void
}

export function createFirestoreStore(database: Database): FirestoreStore {
  return {
    find(projectId, databaseId) {
      const row = database.get<DatabaseRow>('SELECT * FROM firestore_databases WHERE project_id = ? AND database_id = ?', projectId, databaseId)
      return row === undefined ? undefined : toRecord(row)
    },
    list: (projectId) => database.all<DatabaseRow>('SELECT * FROM firestore_databases WHERE project_id = ? ORDER BY database_id', projectId).map(toRecord),
    insert(record) {
      database.run(
        'INSERT INTO firestore_databases VALUES (?, ?, ?, ?, ?, ?, ?)',
        record.projectId,
        record.databaseId,
        record.uid,
        record.createTime,
        record.updateTime,
        record.etag,
        JSON.stringify(record.config),
      )
    },
    update: (record) =>
      void database.run(
        'UPDATE firestore_databases SET update_time = ?, etag = ?, config = ? WHERE uid = ?',
        record.updateTime,
        record.etag,
        JSON.stringify(record.config),
        record.uid,
      ),
    remove: (uid) => void database.run('DELETE FROM firestore_databases WHERE uid = ?', uid),
    findIndex(uid, collection, indexId) {
      const row = database.get<IndexRow>('SELECT * FROM firestore_indexes WHERE uid = ? AND collection = ? AND index_id = ?', uid, collection, indexId)
      return row === undefined ? undefined : toIndex(row)
    },
    listIndexes: (uid, collection) =>
      database
        .all<IndexRow>('SELECT * FROM firestore_indexes WHERE uid = ? AND (? IS NULL OR collection = ?) ORDER BY index_id', uid, collection ?? null, collection ?? null)
        .map(toIndex),
    insertIndex: (record) =>
      void database.run('INSERT INTO firestore_indexes VALUES (?, ?, ?, ?, ?)', record.uid, record.collection, record.indexId, record.state, JSON.stringify(record.shape)),
    readyIndex: (uid, indexId) => void database.run("UPDATE firestore_indexes SET state = 'READY' WHERE uid = ? AND index_id = ?", uid, indexId),
    removeIndex: (record) => void database.run('DELETE FROM firestore_indexes WHERE uid = ? AND collection = ? AND index_id = ?', record.uid, record.collection, record.indexId),
    findField(uid, collection, field) {
      const row = database.get<FieldRow>('SELECT * FROM firestore_fields WHERE uid = ? AND collection = ? AND field = ?', uid, collection, field)
      return row === undefined ? undefined : toField(row)
    },
    listFields: (uid, collection) =>
      database
        .all<FieldRow>('SELECT * FROM firestore_fields WHERE uid = ? AND (? IS NULL OR collection = ?) ORDER BY collection, field', uid, collection ?? null, collection ?? null)
        .map(toField),
    putField: (record) =>
      void database.run(
        'INSERT INTO firestore_fields VALUES (?, ?, ?, ?) ON CONFLICT (uid, collection, field) DO UPDATE SET config = excluded.config',
        record.uid,
        record.collection,
        record.field,
        JSON.stringify(record.config),
      ),
    removeField: (uid, collection, field) => void database.run('DELETE FROM firestore_fields WHERE uid = ? AND collection = ? AND field = ?', uid, collection, field),
  }
}

function toRecord(row: DatabaseRow): DatabaseRecord {
  return {
    projectId: row.project_id,
    databaseId: row.database_id,
    uid: row.uid,
    createTime: row.create_time,
    updateTime: row.update_time,
    etag: row.etag,
    config: JSON.parse(row.config) as DatabaseConfig,
  }
}

function toIndex(row: IndexRow): IndexRecord {
  return { uid: row.uid, collection: row.collection, indexId: row.index_id, state: row.state, shape: JSON.parse(row.shape) as IndexShape }
}

function toField(row: FieldRow): FieldRecord {
  return { uid: row.uid, collection: row.collection, field: row.field, config: JSON.parse(row.config) as FieldConfig }
}
