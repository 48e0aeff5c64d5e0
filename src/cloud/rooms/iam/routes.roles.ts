/** Predefined roles, to read. https://cloud.google.com/iam/docs/reference/rest/v1/roles */
import { notFound } from '../../kernel/api-error.ts'
import { page } from '../../kernel/paging.ts'
import { allRoles, findRole } from '../../kernel/roles/index.ts'
import type { RoleDefinition } from '../../kernel/roles/types.ts'
import type { AnyRoute, Route } from '../../kernel/room.ts'
import { GrantableRolesBody } from './schema.ts'

export function createRoleRoutes(): readonly AnyRoute[] {
  const grantable: Route<ReturnType<typeof GrantableRolesBody.parse>> = {
    id: 'iam.roles.queryGrantableRoles',
    method: 'POST',
    path: '/v1/roles::queryGrantableRoles',
    permission: 'authenticated',
    body: GrantableRolesBody,
    handler: ({ body }) => list(body, body.view),
  }
  return [
    grantable,
    { id: 'iam.roles.list', method: 'GET', path: '/v1/roles', permission: 'authenticated', handler: ({ query }) => list(query, query['view']) },
    {
      id: 'iam.roles.get',
      method: 'GET',
      path: '/v1/roles/:role',
      permission: 'authenticated',
      handler({ params }) {
        const role = findRole(`roles/${params['role'] ?? ''}`)
        if (role === undefined) throw notFound(`The role named roles/${params['role'] ?? ''} was not found.`)
        return toRole(role, 'FULL')
      },
    },
  ]
}

function list(request: { readonly pageSize?: number | string | undefined; readonly pageToken?: string | undefined }, view: string | undefined): Record<string, unknown> {
  const roles = [...allRoles()].sort((a, b) => (a.name < b.name ? -1 : 1))
  const { items, nextPageToken } = page(roles, request, (role) => role.name, { size: 300, max: 1000 })
  return { roles: items.map((role) => toRole(role, view)), nextPageToken }
}

function toRole(role: RoleDefinition, view: string | undefined): Record<string, unknown> {
  const { name, title, description, permissions } = role
  return { name, title, description, stage: 'GA', etag: 'AA==', ...(view === 'FULL' && permissions.length > 0 ? { includedPermissions: permissions } : {}) }
}
