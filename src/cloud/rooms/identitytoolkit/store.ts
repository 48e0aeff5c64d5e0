/** Tables of Identity Platform: configurations, accounts, refresh tokens, signing keys. Passwords are kept as salted scrypt hashes, refresh tokens as SHA-256. */
import type { Database, Migrations } from '../../../store/database.ts'

export const identityMigrations: Migrations = {
  namespace: 'identitytoolkit',
  steps: [
    `CREATE TABLE identitytoolkit_configs (project_id TEXT PRIMARY KEY, api_key TEXT NOT NULL UNIQUE, config TEXT NOT NULL, hash_key TEXT NOT NULL) STRICT;
     CREATE TABLE identitytoolkit_accounts (
       project_id TEXT NOT NULL REFERENCES identitytoolkit_configs ON DELETE CASCADE, local_id TEXT NOT NULL, email TEXT, phone_number TEXT, created_ms INTEGER NOT NULL, record TEXT NOT NULL,
       PRIMARY KEY (project_id, local_id)
     ) STRICT;
     CREATE INDEX identitytoolkit_accounts_email ON identitytoolkit_accounts (project_id, email);
     CREATE INDEX identitytoolkit_accounts_phone ON identitytoolkit_accounts (project_id, phone_number);
     CREATE TABLE identitytoolkit_refresh_tokens (
       hash TEXT PRIMARY KEY, project_id TEXT NOT NULL, local_id TEXT NOT NULL, provider TEXT NOT NULL, auth_time INTEGER NOT NULL,
       FOREIGN KEY (project_id, local_id) REFERENCES identitytoolkit_accounts ON DELETE CASCADE
     ) STRICT;
     CREATE TABLE identitytoolkit_keys (key_id TEXT PRIMARY KEY, private_pem TEXT NOT NULL, public_pem TEXT NOT NULL, certificate_pem TEXT NOT NULL) STRICT`,
    "ALTER TABLE identitytoolkit_refresh_tokens ADD COLUMN claims TEXT NOT NULL DEFAULT '{}'",
    `CREATE TABLE identitytoolkit_providers (
       project_id TEXT NOT NULL REFERENCES identitytoolkit_configs ON DELETE CASCADE, idp_id TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY (project_id, idp_id)
     ) STRICT`,
  ],
}

export interface StoredConfig {
  readonly projectId: string
  readonly apiKey: string
  /** What clients set, in Google's shape. */
  readonly config: Readonly<Record<string, unknown>>
  /** Base64, shown to those who may see how passwords are hashed. */
  readonly hashKey: string
}

/** An identity provider that Google knows by name. */
export interface StoredProvider {
  readonly projectId: string
  /** `google.com` */
  readonly idpId: string
  readonly enabled: boolean
  readonly clientId: string
  readonly clientSecret: string
}

export interface Account {
  readonly projectId: string
  readonly localId: string
  readonly email?: string
  readonly emailVerified: boolean
  readonly phoneNumber?: string
  readonly displayName?: string
  readonly photoUrl?: string
  readonly disabled: boolean
  /** JSON text. */
  readonly customAttributes?: string
  /** base64: scrypt with `salt`. */
  readonly passwordHash?: string
  readonly salt?: string
  readonly passwordUpdatedMs?: number
  /** Seconds: tokens made before are void. */
  readonly validSince: number
  readonly createdMs: number
  readonly lastLoginMs?: number
}

export interface RefreshToken {
  readonly hash: string
  readonly projectId: string
  readonly localId: string
  /** The sign-in provider: `password`, `anonymous`. */
  readonly provider: string
  /** Seconds. */
  readonly authTime: number
  /** JSON text of what the session's ID tokens carry. */
  readonly claims: string
}

export interface SigningKey {
  readonly keyId: string
  readonly privatePem: string
  readonly publicPem: string
  readonly certificatePem: string
}

interface ConfigRow {
  project_id: string
  api_key: string
  config: string
  hash_key: string
}

interface TokenRow {
  hash: string
  project_id: string
  local_id: string
  provider: string
  auth_time: number
  claims: string
}

interface KeyRow {
  key_id: string
  private_pem: string
  public_pem: string
  certificate_pem: string
}

export interface IdentityStore {
  findConfig(projectId: string): StoredConfig | undefined
  configOfKey(apiKey: string): StoredConfig | undefined
  insertConfig(config: StoredConfig): void
  updateConfig(config: StoredConfig): void
  findProvider(projectId: string, idpId: string): StoredProvider | undefined
  /** Sorted by id. */
  listProviders(projectId: string): readonly StoredProvider[]
  putProvider(provider: StoredProvider): void
  removeProvider(provider: StoredProvider): void
  findAccount(projectId: string, localId: string): Account | undefined
  accountsByEmail(projectId: string, email: string): readonly Account[]
  accountByPhone(projectId: string, phoneNumber: string): Account | undefined
  /** Sorted by id. */
  listAccounts(projectId: string): readonly Account[]
  putAccount(account: Account): void
  /** With its refresh tokens. */
  removeAccount(account: Account): void
  insertRefreshToken(token: RefreshToken): void
  findRefreshToken(hash: string): RefreshToken | undefined
  key(): SigningKey | undefined
  insertKey(key: SigningKey): void
}

export function createIdentityStore(database: Database): IdentityStore {
  const accounts = (sql: string, ...params: string[]): Account[] => database.all<{ record: string }>(sql, ...params).map((row) => JSON.parse(row.record) as Account)
  const providers = (sql: string, ...params: string[]): StoredProvider[] => database.all<{ record: string }>(sql, ...params).map((row) => JSON.parse(row.record) as StoredProvider)
  const config = (sql: string, param: string): StoredConfig | undefined => {
    const row = database.get<ConfigRow>(sql, param)
    return row === undefined ? undefined : { projectId: row.project_id, apiKey: row.api_key, config: JSON.parse(row.config) as Record<string, unknown>, hashKey: row.hash_key }
  }
  return {
    findConfig: (projectId) => config('SELECT * FROM identitytoolkit_configs WHERE project_id = ?', projectId),
    configOfKey: (apiKey) => config('SELECT * FROM identitytoolkit_configs WHERE api_key = ?', apiKey),
    insertConfig: (stored) =>
      void database.run('INSERT INTO identitytoolkit_configs VALUES (?, ?, ?, ?)', stored.projectId, stored.apiKey, JSON.stringify(stored.config), stored.hashKey),
    updateConfig: (stored) => void database.run('UPDATE identitytoolkit_configs SET config = ? WHERE project_id = ?', JSON.stringify(stored.config), stored.projectId),
    findProvider: (projectId, idpId) => providers('SELECT record FROM identitytoolkit_providers WHERE project_id = ? AND idp_id = ?', projectId, idpId)[0],
    listProviders: (projectId) => providers('SELECT record FROM identitytoolkit_providers WHERE project_id = ? ORDER BY idp_id', projectId),
    putProvider: (provider) =>
      void database.run(
        'INSERT INTO identitytoolkit_providers VALUES (?, ?, ?) ON CONFLICT (project_id, idp_id) DO UPDATE SET record = excluded.record',
        provider.projectId,
        provider.idpId,
        JSON.stringify(provider),
      ),
    removeProvider: (provider) => void database.run('DELETE FROM identitytoolkit_providers WHERE project_id = ? AND idp_id = ?', provider.projectId, provider.idpId),
    findAccount: (projectId, localId) => accounts('SELECT record FROM identitytoolkit_accounts WHERE project_id = ? AND local_id = ?', projectId, localId)[0],
    accountsByEmail: (projectId, email) => accounts('SELECT record FROM identitytoolkit_accounts WHERE project_id = ? AND email = ? ORDER BY created_ms', projectId, email),
    accountByPhone: (projectId, phoneNumber) => accounts('SELECT record FROM identitytoolkit_accounts WHERE project_id = ? AND phone_number = ?', projectId, phoneNumber)[0],
    listAccounts: (projectId) => accounts('SELECT record FROM identitytoolkit_accounts WHERE project_id = ? ORDER BY local_id', projectId),
    putAccount(account) {
      database.run(
        `INSERT INTO identitytoolkit_accounts VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (project_id, local_id) DO UPDATE SET email = excluded.email, phone_number = excluded.phone_number, record = excluded.record`,
        account.projectId,
        account.localId,
        account.email ?? null,
        account.phoneNumber ?? null,
        account.createdMs,
        JSON.stringify(account),
      )
    },
    removeAccount: (account) => void database.run('DELETE FROM identitytoolkit_accounts WHERE project_id = ? AND local_id = ?', account.projectId, account.localId),
    insertRefreshToken: (token) =>
      void database.run(
        'INSERT INTO identitytoolkit_refresh_tokens VALUES (?, ?, ?, ?, ?, ?)',
        token.hash,
        token.projectId,
        token.localId,
        token.provider,
        token.authTime,
        token.claims,
      ),
    findRefreshToken(hash) {
      const row = database.get<TokenRow>('SELECT * FROM identitytoolkit_refresh_tokens WHERE hash = ?', hash)
      return row === undefined
        ? undefined
        : { hash: row.hash, projectId: row.project_id, localId: row.local_id, provider: row.provider, authTime: row.auth_time, claims: row.claims }
    },
    key() {
      const row = database.get<KeyRow>('SELECT * FROM identitytoolkit_keys LIMIT 1')
      return row === undefined ? undefined : { keyId: row.key_id, privatePem: row.private_pem, publicPem: row.public_pem, certificatePem: row.certificate_pem }
    },
    insertKey: (key) => void database.run('INSERT INTO identitytoolkit_keys VALUES (?, ?, ?, ?)', key.keyId, key.privatePem, key.publicPem, key.certificatePem),
  }
}
