/** Cloud Billing: accounts, and which of them pays for a project. */
import type { Room } from '../../kernel/room.ts'
import { createBillingRoutes } from './routes.ts'
import { createBillingService } from './service.ts'
import { billingMigrations, createBillingStore } from './store.ts'

/** Keeps which account pays for which project. Needs no other room. */
export function createCloudBillingRoom(): Room {
  return {
    id: 'cloudbilling',
    service: 'cloudbilling.googleapis.com',
    alwaysEnabled: true,
    hosts: [{ name: 'api', match: 'cloudbilling.googleapis.com' }],
    migrations: billingMigrations,
    routes: (kernel) => createBillingRoutes(kernel, createBillingService(kernel, createBillingStore(kernel.database))),
  }
}
