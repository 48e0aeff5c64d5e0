/** All predefined roles, one file per service, and the questions asked of them. */
import { basicRoles, editorHas, ownerHas, viewerHas } from './basic.ts'
import { serviceRoles } from './service-roles.ts'
import type { RoleDefinition } from './types.ts'

const byName = new Map<string, RoleDefinition>()
for (const role of [...basicRoles, ...serviceRoles]) byName.set(role.name, role)
const permissionSets = new Map<string, ReadonlySet<string>>([...byName].map(([name, role]) => [name, new Set(role.permissions)]))

/** A predefined role, or undefined. */
export function findRole(name: string): RoleDefinition | undefined {
  return byName.get(name)
}

/** Every predefined role, by name. */
export function allRoles(): readonly RoleDefinition[] {
  return [...byName.values()]
}

/** True when the role has the permission. The basic roles follow their rules (basic.ts). */
export function roleGrants(roleName: string, permission: string): boolean {
  if (roleName === 'roles/owner') return ownerHas(permission)
  if (roleName === 'roles/editor') return editorHas(permission)
  if (roleName === 'roles/viewer') return viewerHas(permission)
  return permissionSets.get(roleName)?.has(permission) ?? false
}

/** The predefined roles, other than the basic ones, that have a permission: for 403 messages. */
export function rolesWith(permission: string): readonly string[] {
  return serviceRoles.filter((role) => role.permissions.includes(permission)).map((role) => role.name)
}
