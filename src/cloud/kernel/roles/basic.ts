/** The basic roles. Their permissions are patterns, not lists: see `roleGrants`. */
import type { RoleDefinition } from './types.ts'

export const basicRoles: readonly RoleDefinition[] = [
  { name: 'roles/owner', title: 'Owner', description: 'Full access to most Google Cloud resources.', permissions: [] },
  { name: 'roles/editor', title: 'Editor', description: 'View, create, update, and delete most Google Cloud resources.', permissions: [] },
  { name: 'roles/viewer', title: 'Viewer', description: 'View most Google Cloud resources.', permissions: [] },
]
