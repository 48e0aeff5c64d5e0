/** Which billing account pays for which project. */
import type { Database, Migrations } from '../../../store/database.ts'

export const billingMigrations: Migrations = {
  namespace: 'cloudbilling',
  steps: [
    'CREATE TABLE billing_links (project_id TEXT PRIMARY KEY, account_id TEXT NOT NULL) STRICT; CREATE INDEX billing_links_by_account ON billing_links (account_id)',
    'CREATE TABLE billing_accounts (account_id TEXT PRIMARY KEY) STRICT',
  ],
}

export interface BillingStore {
  /** The ids of all accounts that were ever linked, sorted. */
  accounts(): readonly string[]
  accountOf(projectId: string): string | undefined
  /** Undefined ends the link. The account stays known. */
  link(projectId: string, accountId: string | undefined): void
  projectsOf(accountId: string): readonly string[]
}

export function createBillingStore(database: Database): BillingStore {
  return {
    accounts: () => database.all<{ account_id: string }>('SELECT account_id FROM billing_accounts ORDER BY account_id').map((row) => row.account_id),
    accountOf: (projectId) => database.get<{ account_id: string }>('SELECT account_id FROM billing_links WHERE project_id = ?', projectId)?.account_id,
    link(projectId, accountId) {
      database.transaction(() => {
        if (accountId === undefined) {
          database.run('DELETE FROM billing_links WHERE project_id = ?', projectId)
          return
        }
        database.run('INSERT OR IGNORE INTO billing_accounts VALUES (?)', accountId)
        database.run('INSERT INTO billing_links VALUES (?, ?) ON CONFLICT (project_id) DO UPDATE SET account_id = excluded.account_id', projectId, accountId)
      })
    },
    projectsOf: (accountId) =>
      database.all<{ project_id: string }>('SELECT project_id FROM billing_links WHERE account_id = ? ORDER BY project_id', accountId).map((row) => row.project_id),
  }
}
