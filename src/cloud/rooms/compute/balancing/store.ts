/** Rows of load balancing that no resource shows: the loopback address on which the balancer, and nobody else by rule, reaches an instance. */
import type { Database, Migrations } from '../../../../store/database.ts'

export const balancingMigrations: Migrations = {
  namespace: 'compute.balancing',
  steps: ['CREATE TABLE compute_balancer_addresses (instance_id TEXT PRIMARY KEY, address TEXT NOT NULL UNIQUE) STRICT'],
}

export interface BalancingStore {
  address(instanceId: string): string | undefined
  addresses(): ReadonlySet<string>
  saveAddress(instanceId: string, address: string): void
  /** Drops addresses of instances that are gone. */
  prune(): void
}

export function createBalancingStore(database: Database): BalancingStore {
  database.migrate(balancingMigrations)
  return {
    address: (instanceId) => database.get<{ address: string }>('SELECT address FROM compute_balancer_addresses WHERE instance_id = ?', instanceId)?.address,
    addresses: () => new Set(database.all<{ address: string }>('SELECT address FROM compute_balancer_addresses').map((row) => row.address)),
    saveAddress: (instanceId, address) => void database.run('INSERT OR IGNORE INTO compute_balancer_addresses VALUES (?, ?)', instanceId, address),
    prune: () => void database.run('DELETE FROM compute_balancer_addresses WHERE instance_id NOT IN (SELECT id FROM compute_resources)'),
  }
}
