/** IAM: service accounts, their keys and policies, and the predefined roles. */
import type { Room } from '../../kernel/room.ts'
import { createAccountRoutes } from './routes.accounts.ts'
import { createKeyRoutes } from './routes.keys.ts'
import { createRoleRoutes } from './routes.roles.ts'
import { createAccountService } from './service.accounts.ts'
import { createKeyService } from './service.keys.ts'
import { createIamStore, iamMigrations } from './store.ts'

/** Provides the ports `serviceAccounts` and `serviceAccountKeys`; hears of newly enabled services, and checks members of all policies. */
export function createIamRoom(): Room {
  return {
    id: 'iam',
    service: 'iam.googleapis.com',
    hosts: [{ name: 'api', match: 'iam.googleapis.com' }],
    migrations: iamMigrations,
    routes(kernel) {
      const store = createIamStore(kernel.database)
      const accounts = createAccountService(kernel, store)
      const keys = createKeyService(kernel, store, accounts)
      return [...createAccountRoutes(kernel, accounts), ...createKeyRoutes(kernel, accounts, keys), ...createRoleRoutes()]
    },
  }
}
