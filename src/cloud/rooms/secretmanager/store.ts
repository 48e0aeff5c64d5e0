/**
 * Tables of Secret Manager. Payloads are in the database file, which only its owner may read; what is destroyed or deleted is overwritten
 * (SQLite's secure_delete).
 */
import type { Database, Migrations } from '../../../store/database.ts'
import type { SecretBody } from './schema.ts'

export const secretmanagerMigrations: Migrations = {
  namespace: 'secretmanager',
  steps: [
    `CREATE TABLE secretmanager_secrets (
       project_id TEXT NOT NULL, secret_id TEXT NOT NULL, create_time TEXT NOT NULL, expire_time TEXT, etag TEXT NOT NULL, last_version INTEGER NOT NULL, config TEXT NOT NULL,
       PRIMARY KEY (project_id, secret_id)
     ) STRICT;
     CREATE TABLE secretmanager_versions (
       project_id TEXT NOT NULL, secret_id TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL, create_time TEXT NOT NULL, destroy_time TEXT, etag TEXT NOT NULL,
       client_checksum INTEGER NOT NULL, payload BLOB,
       PRIMARY KEY (project_id, secret_id, version),
       FOREIGN KEY (project_id, secret_id) REFERENCES secretmanager_secrets ON DELETE CASCADE
     ) STRICT`,
  ],
}

/** What a client may set, without etag and with `ttl` turned into a time. */
export type SecretConfig = Pick<SecretBody, 'replication' | 'labels' | 'annotations' | 'topics' | 'rotation' | 'versionAliases' | 'versionDestroyTtl'>

export interface Secret {
  readonly projectId: string
  readonly secretId: string
  /** RFC 3339. */
  readonly createTime: string
  readonly expireTime: string | undefined
  readonly etag: string
  /** Number of the newest version, 0 for none. Numbers are never used twice. */
  readonly lastVersion: number
  readonly config: SecretConfig
}

export type VersionState = 'ENABLED' | 'DISABLED' | 'DESTROYED'

export interface SecretVersion {
  readonly projectId: string
  readonly secretId: string
  readonly version: number
  readonly state: VersionState
  readonly createTime: string
  readonly destroyTime: string | undefined
  readonly etag: string
  readonly hasClientChecksum: boolean
}

interface SecretRow {
  project_id: string
  secret_id: string
  create_time: string
  expire_time: string | null
  etag: string
  last_version: number
  config: string
}

interface VersionRow {
  project_id: string
  secret_id: string
  version: number
  state: VersionState
  create_time: string
  destroy_time: string | null
  etag: string
  client_checksum: number
}

const VERSION_COLUMNS = 'project_id, secret_id, version, state, create_time, destroy_time, etag, client_checksum'

export interface SecretStore {
  find(projectId: string, secretId: string): Secret | undefined
  /** Sorted by id. */
  list(projectId: string): readonly Secret[]
  insert(secret: Secret): void
  update(secret: Secret): void
  /** With all versions. */
  remove(projectId: string, secretId: string): void
  /** Secrets whose time has come. */
  expired(now: string): readonly Secret[]
  findVersion(secret: Secret, version: number): SecretVersion | undefined
  /** Newest first. */
  listVersions(secret: Secret): readonly SecretVersion[]
  insertVersion(version: SecretVersion, payload: Uint8Array): void
  /** Without its payload from the moment on that it is destroyed. */
  updateVersion(version: SecretVersion): void
  payload(version: SecretVersion): Uint8Array | undefined
}

export function createSecretStore(database: Database): SecretStore {
  database.get('PRAGMA secure_delete = ON')
  return {
    find(projectId, secretId) {
      const row = database.get<SecretRow>('SELECT * FROM secretmanager_secrets WHERE project_id = ? AND secret_id = ?', projectId, secretId)
      return row === undefined ? undefined : toSecret(row)
    },
    list: (projectId) => database.all<SecretRow>('SELECT * FROM secretmanager_secrets WHERE project_id = ? ORDER BY secret_id', projectId).map(toSecret),
    insert(secret) {
      database.run(
        'INSERT INTO secretmanager_secrets VALUES (?, ?, ?, ?, ?, ?, ?)',
        secret.projectId,
        secret.secretId,
        secret.createTime,
        secret.expireTime ?? null,
        secret.etag,
        secret.lastVersion,
        JSON.stringify(secret.config),
      )
    },
    update(secret) {
      database.run(
        'UPDATE secretmanager_secrets SET expire_time = ?, etag = ?, last_version = ?, config = ? WHERE project_id = ? AND secret_id = ?',
        secret.expireTime ?? null,
        secret.etag,
        secret.lastVersion,
        JSON.stringify(secret.config),
        secret.projectId,
        secret.secretId,
      )
    },
    remove: (projectId, secretId) => void database.run('DELETE FROM secretmanager_secrets WHERE project_id = ? AND secret_id = ?', projectId, secretId),
    expired: (now) => database.all<SecretRow>('SELECT * FROM secretmanager_secrets WHERE expire_time IS NOT NULL AND expire_time <= ?', now).map(toSecret),
    findVersion(secret, version) {
      const row = database.get<VersionRow>(
        `SELECT ${VERSION_COLUMNS} FROM secretmanager_versions WHERE project_id = ? AND secret_id = ? AND version = ?`,
        secret.projectId,
        secret.secretId,
        version,
      )
      return row === undefined ? undefined : toVersion(row)
    },
    listVersions: (secret) =>
      database
        .all<VersionRow>(`SELECT ${VERSION_COLUMNS} FROM secretmanager_versions WHERE project_id = ? AND secret_id = ? ORDER BY version DESC`, secret.projectId, secret.secretId)
        .map(toVersion),
    insertVersion(version, payload) {
      database.run(
        'INSERT INTO secretmanager_versions VALUES (?, ?, ?, ?, ?, NULL, ?, ?, ?)',
        version.projectId,
        version.secretId,
        version.version,
        version.state,
        version.createTime,
        version.etag,
        version.hasClientChecksum ? 1 : 0,
        payload,
      )
    },
    updateVersion(version) {
      database.run(
        `UPDATE secretmanager_versions SET state = ?, destroy_time = ?, etag = ?, payload = CASE WHEN ? = 'DESTROYED' THEN NULL ELSE payload END WHERE project_id = ? AND secret_id = ? AND version = ?`,
        version.state,
        version.destroyTime ?? null,
        version.etag,
        version.state,
        version.projectId,
        version.secretId,
        version.version,
      )
    },
    payload(version) {
      const row = database.get<{ payload: Uint8Array | null }>(
        'SELECT payload FROM secretmanager_versions WHERE project_id = ? AND secret_id = ? AND version = ?',
        version.projectId,
        version.secretId,
        version.version,
      )
      return row?.payload ?? undefined
    },
  }
}

function toSecret(row: SecretRow): Secret {
  return {
    projectId: row.project_id,
    secretId: row.secret_id,
    createTime: row.create_time,
    expireTime: row.expire_time ?? undefined,
    etag: row.etag,
    lastVersion: row.last_version,
    config: JSON.parse(row.config) as SecretConfig,
  }
}

function toVersion(row: VersionRow): SecretVersion {
  return {
    projectId: row.project_id,
    secretId: row.secret_id,
    version: row.version,
    state: row.state,
    createTime: row.create_time,
    destroyTime: row.destroy_time ?? undefined,
    etag: row.etag,
    hasClientChecksum: row.client_checksum === 1,
  }
}
