/** IAM: service accounts, their keys and policies, predefined and custom roles, workload identity pools and providers. */
import type { Room } from '../../kernel/room.ts'
import { createAccountRoutes } from './routes.accounts.ts'
import { createKeyRoutes } from './routes.keys.ts'
import { createPoolRoutes } from './routes.pools.ts'
import { createProviderRoutes } from './routes.providers.ts'
import { createRoleRoutes } from './routes.roles.ts'
import { createAccountService } from './service.accounts.ts'
import { createKeyService } from './service.keys.ts'
import { createPoolService } from './service.pools.ts'
import { createRoleService } from './service.roles.ts'
import { createPoolStore } from './store.pools.ts'
import { createRoleStore } from './store.roles.ts'
import { createIamStore, iamMigrations } from './store.ts'

/** Provides the ports `serviceAccounts`, `serviceAccountKeys` and `workloadIdentity`; hears of newly enabled services, and checks members of all policies. */
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
      const pools = createPoolService(kernel, createPoolStore(kernel.database))
      const roles = createRoleService(kernel, createRoleStore(kernel.database))
      return [
        ...createAccountRoutes(kernel, accounts),
        ...createKeyRoutes(kernel, accounts, keys),
        ...createRoleRoutes(roles),
        ...createPoolRoutes(kernel, pools),
        ...createProviderRoutes(kernel, pools),
      ]
    },
  }
}
