/** Service Usage: which services a project has enabled. */
import type { Room } from '../../kernel/room.ts'
import { createServiceUsageRoutes } from './routes.ts'
import { createUsageService } from './service.ts'
import { serviceUsageMigrations } from './store.ts'

/** Enables and disables services. Needs no other room; others learn of it from `kernel.projects.onServiceEnabled`. */
export function createServiceUsageRoom(): Room {
  return {
    id: 'serviceusage',
    service: 'serviceusage.googleapis.com',
    alwaysEnabled: true,
    hosts: [{ name: 'api', match: 'serviceusage.googleapis.com' }],
    migrations: serviceUsageMigrations,
    routes: (kernel) => createServiceUsageRoutes(createUsageService(kernel)),
  }
}
