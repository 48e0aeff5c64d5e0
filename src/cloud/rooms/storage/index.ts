/** Cloud Storage. Descriptor only. */
import type { Room } from '../../kernel/room.ts'
import { storageRoutes } from './routes.ts'
import { createServices } from './service.ts'
import type { Services } from './service.ts'
import { storageMigrations } from './store.ts'

export function createStorageRoom(): Room {
  let services: Services | undefined
  return {
    id: 'storage',
    service: 'storage.googleapis.com',
    hosts: [{ name: 'api', match: 'storage.googleapis.com' }],
    migrations: storageMigrations,
    routes(kernel) {
      services = createServices(kernel)
      kernel.ports.provide('objects', services.port)
      return storageRoutes(kernel, services)
    },
    start: async () => services?.uploads.clean(),
    stop: async () => services?.uploads.close(),
  }
}
