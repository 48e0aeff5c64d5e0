/** Resource Manager: projects and their IAM policies. */
import type { Room } from '../../kernel/room.ts'
import { createResourceManagerRoutes } from './routes.ts'
import { createProjectService } from './service.ts'
import { createProjectStore, resourceManagerMigrations } from './store.ts'

/** Projects of the pocket cloud. Needs no other room. */
export function createCloudResourceManagerRoom(): Room {
  return {
    id: 'cloudresourcemanager',
    service: 'cloudresourcemanager.googleapis.com',
    alwaysEnabled: true,
    hosts: [{ name: 'api', match: 'cloudresourcemanager.googleapis.com' }],
    migrations: resourceManagerMigrations,
    routes: (kernel) => createResourceManagerRoutes(kernel, createProjectService(kernel, createProjectStore(kernel.database))),
  }
}
