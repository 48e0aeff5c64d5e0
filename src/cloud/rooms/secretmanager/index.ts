/** Secret Manager. Descriptor only. */
import type { Room } from '../../kernel/room.ts'
import { secretRoutes } from './routes.secrets.ts'
import { versionRoutes } from './routes.versions.ts'
import { createSecretService } from './service.secrets.ts'
import { createVersionService } from './service.versions.ts'
import { createSecretStore, secretmanagerMigrations } from './store.ts'

export function createSecretManagerRoom(): Room {
  return {
    id: 'secretmanager',
    service: 'secretmanager.googleapis.com',
    hosts: [{ name: 'api', match: 'secretmanager.googleapis.com' }],
    migrations: secretmanagerMigrations,
    routes(kernel) {
      const store = createSecretStore(kernel.database)
      const secrets = createSecretService(kernel, store)
      const versions = createVersionService(kernel, store, secrets)
      return [...secretRoutes(kernel, secrets), ...versionRoutes(secrets, versions)]
    },
  }
}
