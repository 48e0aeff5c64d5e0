/** Cloud Logging. Descriptor only. */
import type { Room } from '../../kernel/room.ts'
import { loggingRoutes } from './routes.ts'
import { createLogService, LOGGING_SERVICE } from './service.ts'
import { createLogStore, loggingMigrations } from './store.ts'

export function createLoggingRoom(): Room {
  return {
    id: 'logging',
    service: LOGGING_SERVICE,
    hosts: [{ name: 'api', match: LOGGING_SERVICE }],
    migrations: loggingMigrations,
    routes: (kernel) => loggingRoutes(kernel, createLogService(kernel, createLogStore(kernel.database))),
  }
}
