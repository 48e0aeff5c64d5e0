/** Workload identity pools and their providers. What is deleted stays for thirty days, since its id cannot be used again before. */
import type { Database } from '../../../store/database.ts'

export interface PoolRecord {
  readonly projectId: string
  readonly poolId: string
  readonly displayName: string
  readonly description: string
  readonly disabled: boolean
  /** As the client gave it; absent for the usual kind. */
  readonly mode?: string
  /** RFC 3339; set while it can still be undeleted. */
  readonly deletedAt?: string
}

export interface ProviderRecord {
  readonly projectId: string
  readonly poolId: string
  readonly providerId: string
  readonly displayName: string
  readonly description: string
  readonly disabled: boolean
  readonly attributeMapping: Readonly<Record<string, string>>
  readonly attributeCondition: string
  readonly oidc: { readonly issuerUri: string; readonly allowedAudiences: readonly string[]; readonly jwksJson?: string }
  /** RFC 3339; set while it can still be undeleted. */
  readonly deletedAt?: string
}

export const poolTables = `CREATE TABLE workload_pools (project_id TEXT NOT NULL, pool_id TEXT NOT NULL, record TEXT NOT NULL, deleted_at TEXT, PRIMARY KEY (project_id, pool_id)) STRICT;
   CREATE TABLE workload_providers (project_id TEXT NOT NULL, pool_id TEXT NOT NULL, provider_id TEXT NOT NULL, record TEXT NOT NULL, deleted_at TEXT, PRIMARY KEY (project_id, pool_id, provider_id), FOREIGN KEY (project_id, pool_id) REFERENCES workload_pools ON DELETE CASCADE) STRICT`

/** How long what is deleted can come back, and its id stays taken. */
export const UNDELETE_DAYS = 30

export interface PoolStore {
  pool(projectId: string, poolId: string): PoolRecord | undefined
  /** By id, deleted ones too. */
  pools(projectId: string): readonly PoolRecord[]
  putPool(pool: PoolRecord): void
  provider(projectId: string, poolId: string, providerId: string): ProviderRecord | undefined
  providers(projectId: string, poolId: string): readonly ProviderRecord[]
  putProvider(provider: ProviderRecord): void
  /** Forgets what was deleted before this time (RFC 3339). */
  purge(before: string): void
}

interface Row {
  record: string
}

export function createPoolStore(database: Database): PoolStore {
  const parse = <T>(row: Row | undefined): T | undefined => (row === undefined ? undefined : (JSON.parse(row.record) as T))
  return {
    pool: (projectId, poolId) => parse(database.get<Row>('SELECT record FROM workload_pools WHERE project_id = ? AND pool_id = ?', projectId, poolId)),
    pools: (projectId) =>
      database.all<Row>('SELECT record FROM workload_pools WHERE project_id = ? ORDER BY pool_id', projectId).map((row) => JSON.parse(row.record) as PoolRecord),
    putPool(pool) {
      database.run(
        'INSERT INTO workload_pools VALUES (?, ?, ?, ?) ON CONFLICT (project_id, pool_id) DO UPDATE SET record = excluded.record, deleted_at = excluded.deleted_at',
        pool.projectId,
        pool.poolId,
        JSON.stringify(pool),
        pool.deletedAt ?? null,
      )
    },
    provider: (projectId, poolId, providerId) =>
      parse(database.get<Row>('SELECT record FROM workload_providers WHERE project_id = ? AND pool_id = ? AND provider_id = ?', projectId, poolId, providerId)),
    providers: (projectId, poolId) =>
      database
        .all<Row>('SELECT record FROM workload_providers WHERE project_id = ? AND pool_id = ? ORDER BY provider_id', projectId, poolId)
        .map((row) => JSON.parse(row.record) as ProviderRecord),
    putProvider(provider) {
      database.run(
        'INSERT INTO workload_providers VALUES (?, ?, ?, ?, ?) ON CONFLICT (project_id, pool_id, provider_id) DO UPDATE SET record = excluded.record, deleted_at = excluded.deleted_at',
        provider.projectId,
        provider.poolId,
        provider.providerId,
        JSON.stringify(provider),
        provider.deletedAt ?? null,
      )
    },
    purge(before) {
      database.run('DELETE FROM workload_providers WHERE deleted_at < ?', before)
      database.run('DELETE FROM workload_pools WHERE deleted_at < ?', before)
    },
  }
}
