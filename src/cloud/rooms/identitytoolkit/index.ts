/** Identity Platform, which is Firebase Authentication. Descriptor only. Goes before the oauth2 room in the list of rooms: both answer on www.googleapis.com, and this one for one account's keys only. */
import type { Room } from '../../kernel/room.ts'
import { accountRoutes } from './routes.accounts.ts'
import { configRoutes, KEY_PATHS } from './routes.config.ts'
import { providerRoutes } from './routes.providers.ts'
import { createAccountService } from './service.accounts.ts'
import { createConfigService, IDENTITY_SERVICE } from './service.config.ts'
import { createProviderService } from './service.providers.ts'
import { createUserTokenService } from './service.tokens.ts'
import { createIdentityStore, identityMigrations } from './store.ts'

/** Uses the ports `serviceAccounts` and `serviceAccountKeys`, for custom tokens only. */
export function createIdentityToolkitRoom(): Room {
  return {
    id: 'identitytoolkit',
    service: IDENTITY_SERVICE,
    hosts: [
      { name: 'api', match: IDENTITY_SERVICE },
      { name: 'securetoken', match: 'securetoken.googleapis.com' },
      { name: 'keys', match: 'www.googleapis.com', paths: KEY_PATHS },
    ],
    migrations: identityMigrations,
    routes(kernel) {
      const store = createIdentityStore(kernel.database)
      const configs = createConfigService(kernel, store)
      const tokens = createUserTokenService(kernel, store)
      const providers = createProviderService(kernel, store, configs)
      return [
        ...configRoutes(kernel, configs, tokens),
        ...providerRoutes(kernel, providers),
        ...accountRoutes(kernel, configs, createAccountService(kernel, store, tokens), tokens),
      ]
    },
  }
}
