/** Service accounts and their keys. Of user-managed keys only the public half is kept; of Google-managed ones both, in the database that only its owner may read. */
import type { Database, Migrations } from '../../../store/database.ts'
import { poolTables } from './store.pools.ts'
import { roleTables } from './store.roles.ts'

export const iamMigrations: Migrations = {
  namespace: 'iam',
  steps: [
    `CREATE TABLE service_accounts (unique_id TEXT PRIMARY KEY, email TEXT NOT NULL, project_id TEXT NOT NULL, display_name TEXT NOT NULL, description TEXT NOT NULL, disabled INTEGER NOT NULL, etag TEXT NOT NULL, deleted_at TEXT) STRICT;
     CREATE UNIQUE INDEX service_accounts_live ON service_accounts (email) WHERE deleted_at IS NULL;
     CREATE TABLE service_account_keys (key_id TEXT PRIMARY KEY, unique_id TEXT NOT NULL REFERENCES service_accounts, kind TEXT NOT NULL, origin TEXT NOT NULL, public_pem TEXT NOT NULL, private_pem TEXT, disabled INTEGER NOT NULL, valid_after TEXT NOT NULL, valid_before TEXT NOT NULL) STRICT;
     CREATE INDEX service_account_keys_by_account ON service_account_keys (unique_id);
     CREATE UNIQUE INDEX service_account_keys_managed ON service_account_keys (unique_id) WHERE kind = 'SYSTEM_MANAGED'`,
    "ALTER TABLE service_account_keys ADD COLUMN certificate_pem TEXT NOT NULL DEFAULT ''",
    'CREATE TABLE issuer_key (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), key_id TEXT NOT NULL, public_pem TEXT NOT NULL, private_pem TEXT NOT NULL, certificate_pem TEXT NOT NULL) STRICT',
    poolTables,
    roleTables,
  ],
}

export interface Account {
  /** 21 digits, never used twice. */
  readonly uniqueId: string
  readonly email: string
  readonly projectId: string
  readonly displayName: string
  readonly description: string
  readonly disabled: boolean
  readonly etag: string
  /** RFC 3339; set while it can still be undeleted. */
  readonly deletedAt?: string
}

export interface Key {
  /** 40 hex digits. */
  readonly keyId: string
  readonly uniqueId: string
  readonly kind: 'USER_MANAGED' | 'SYSTEM_MANAGED'
  readonly origin: 'GOOGLE_PROVIDED' | 'USER_PROVIDED'
  /** SPKI in PEM. */
  readonly publicPem: string
  /** X.509, with the same key. */
  readonly certificatePem: string
  /** PKCS #8 in PEM; only of Google-managed keys. */
  readonly privatePem?: string
  readonly disabled: boolean
  readonly validAfter: string
  readonly validBefore: string
}

/** The key of the cloud as an issuer of identity tokens. */
export interface IssuerKey {
  readonly keyId: string
  readonly publicPem: string
  readonly privatePem: string
  readonly certificatePem: string
}

interface AccountRow {
  unique_id: string
  email: string
  project_id: string
  display_name: string
  description: string
  disabled: number
  etag: string
  deleted_at: string | null
}

interface KeyRow {
  key_id: string
  unique_id: string
  kind: Key['kind']
  origin: Key['origin']
  public_pem: string
  private_pem: string | null
  disabled: number
  valid_after: string
  valid_before: string
  certificate_pem: string
}

export interface IamStore {
  /** By e-mail or unique id, not deleted. */
  live(emailOrId: string): Account | undefined
  /** By unique id, deleted or not. */
  any(uniqueId: string): Account | undefined
  /** Of one project, by e-mail. */
  ofProject(projectId: string): readonly Account[]
  insert(account: Account): void
  update(account: Account): void
  key(keyId: string): Key | undefined
  keysOf(uniqueId: string): readonly Key[]
  /** False when the account has a Google-managed key already (only for those). */
  insertKey(key: Key): boolean
  setKeyDisabled(keyId: string, disabled: boolean): void
  removeKey(keyId: string): void
  issuerKey(): IssuerKey | undefined
  /** Keeps the first that is given. */
  addIssuerKey(key: IssuerKey): void
}

export function createIamStore(database: Database): IamStore {
  return {
    live(emailOrId) {
      const row = database.get<AccountRow>('SELECT * FROM service_accounts WHERE (email = ? OR unique_id = ?) AND deleted_at IS NULL', emailOrId, emailOrId)
      return row === undefined ? undefined : toAccount(row)
    },
    any(uniqueId) {
      const row = database.get<AccountRow>('SELECT * FROM service_accounts WHERE unique_id = ?', uniqueId)
      return row === undefined ? undefined : toAccount(row)
    },
    ofProject: (projectId) => database.all<AccountRow>('SELECT * FROM service_accounts WHERE project_id = ? AND deleted_at IS NULL ORDER BY email', projectId).map(toAccount),
    insert(account) {
      database.run(
        'INSERT INTO service_accounts VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
        account.uniqueId,
        account.email,
        account.projectId,
        account.displayName,
        account.description,
        account.disabled ? 1 : 0,
        account.etag,
        account.deletedAt ?? null,
      )
    },
    update(account) {
      database.run(
        'UPDATE service_accounts SET display_name = ?, description = ?, disabled = ?, etag = ?, deleted_at = ? WHERE unique_id = ?',
        account.displayName,
        account.description,
        account.disabled ? 1 : 0,
        account.etag,
        account.deletedAt ?? null,
        account.uniqueId,
      )
    },
    key(keyId) {
      const row = database.get<KeyRow>('SELECT * FROM service_account_keys WHERE key_id = ?', keyId)
      return row === undefined ? undefined : toKey(row)
    },
    keysOf: (uniqueId) => database.all<KeyRow>('SELECT * FROM service_account_keys WHERE unique_id = ? ORDER BY key_id', uniqueId).map(toKey),
    insertKey: (key) =>
      database.run(
        'INSERT OR IGNORE INTO service_account_keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
        key.keyId,
        key.uniqueId,
        key.kind,
        key.origin,
        key.publicPem,
        key.privatePem ?? null,
        key.disabled ? 1 : 0,
        key.validAfter,
        key.validBefore,
        key.certificatePem,
      ) === 1,
    setKeyDisabled: (keyId, disabled) => void database.run('UPDATE service_account_keys SET disabled = ? WHERE key_id = ?', disabled ? 1 : 0, keyId),
    removeKey: (keyId) => void database.run('DELETE FROM service_account_keys WHERE key_id = ?', keyId),
    issuerKey: () => database.get<IssuerKey>('SELECT key_id AS keyId, public_pem AS publicPem, private_pem AS privatePem, certificate_pem AS certificatePem FROM issuer_key'),
    addIssuerKey: (key) => void database.run('INSERT OR IGNORE INTO issuer_key VALUES (1, ?, ?, ?, ?)', key.keyId, key.publicPem, key.privatePem, key.certificatePem),
  }
}

function toAccount(row: AccountRow): Account {
  return {
    uniqueId: row.unique_id,
    email: row.email,
    projectId: row.project_id,
    displayName: row.display_name,
    description: row.description,
    disabled: row.disabled === 1,
    etag: row.etag,
    ...(row.deleted_at === null ? {} : { deletedAt: row.deleted_at }),
  }
}

function toKey(row: KeyRow): Key {
  return {
    keyId: row.key_id,
    uniqueId: row.unique_id,
    kind: row.kind,
    origin: row.origin,
    publicPem: row.public_pem,
    certificatePem: row.certificate_pem,
    ...(row.private_pem === null ? {} : { privatePem: row.private_pem }),
    disabled: row.disabled === 1,
    validAfter: row.valid_after,
    validBefore: row.valid_before,
  }
}
