/** All predefined roles, one file per service, and the questions asked of them. */
import { basicRoles, editorHas, ownerHas, viewerHas } from './basic.ts'
import { serviceRoles } from './service-roles.ts'
import type { RoleDefinition } from './types.ts'

const byName = new Map<string, RoleDefinition>()
for (const role of [...basicRoles, ...serviceRoles]) byName.set(role.name, role)
let known: readonly string[] | undefined
const permissionSets = new Map<string, ReadonlySet<string>>([...byName].map(([name, role]) => [name, new Set(role.permissions)]))

/** A predefined role, or undefined. */
export function findRole(name: string): RoleDefinition | undefined {
  return byName.get(name)
}

/** Every predefined role, by name. */
export function allRoles(): readonly RoleDefinition[] {
  return [...byName.values()]
}

/** Pools, providers and their kin have two spellings: error texts and method tables say `iam.workloadIdentityPools.get`, roles list `iam.googleapis.com/workloadIdentityPools.get`. */
function canonical(permission: string): string {
  return permission.replace(/^iam\.(workloadIdentityPool|workforcePool|workloadIdentityPoolProvider|workforcePoolProvider)/, 'iam.googleapis.com/$1')
}

/** True when the role has the permission. The basic roles follow their rules (basic.ts). */
export function roleGrants(roleName: string, asked: string): boolean {
  const permission = canonical(asked)
  if (roleName === 'roles/owner') return ownerHas(permission)
  if (roleName === 'roles/editor') return editorHas(permission)
  if (roleName === 'roles/viewer') return viewerHas(permission)
  return permissionSets.get(roleName)?.has(permission) ?? false
}

/** The predefined roles, other than the basic ones, that have a permission, those with the fewest others first: for 403 messages. */
export function rolesWith(permission: string): readonly string[] {
  return serviceRoles
    .filter((role) => permissionSets.get(role.name)?.has(canonical(permission)))
    .sort((one, other) => one.permissions.length - other.permissions.length)
    .map((role) => role.name)
}

/** Every permission that a predefined role has, sorted: what can be tested, and put into custom roles. */
export function allPermissions(): readonly string[] {
  known ??= [...new Set(serviceRoles.flatMap((role) => role.permissions))].sort()
  return known
}

/** Two spellings of a permission are the same. */
export function samePermission(one: string, other: string): boolean {
  return canonical(one) === canonical(other)
}
