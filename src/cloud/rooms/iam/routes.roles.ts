/** Predefined roles, to read, and custom ones of projects. https://cloud.google.com/iam/docs/reference/rest/v1/roles, …/projects.roles */
import { invalidArgument, notFound } from '../../kernel/api-error.ts'
import { page } from '../../kernel/paging.ts'
import { allPermissions, allRoles, findRole, roleGrants } from '../../kernel/roles/index.ts'
import type { RoleDefinition } from '../../kernel/roles/types.ts'
import type { AnyRoute, Route, RouteRequest } from '../../kernel/room.ts'
import { fieldMask, isTrue } from './routes.pools.ts'
import { CreateRoleBody, EtagBody, GrantableRolesBody, RoleBody, TestablePermissionsBody } from './schema.ts'
import { isGrantable } from './service.roles.ts'
import type { RoleEdit, RoleService } from './service.roles.ts'
import type { RoleRecord } from './store.roles.ts'

const ROLES = '/v1/projects/:project/roles'
const FIELDS = ['title', 'description', 'includedPermissions', 'stage', 'etag', 'name', 'deleted']
const FULL_NAME = /^\/\/([a-z0-9]+)\.googleapis\.com\/(.+)$/

export function createRoleRoutes(roles: RoleService): readonly AnyRoute[] {
  return [...predefinedRoutes(roles), ...customRoutes(roles)]
}

function predefinedRoutes(roles: RoleService): readonly AnyRoute[] {
  const grantable: Route<ReturnType<typeof GrantableRolesBody.parse>> = {
    id: 'iam.roles.queryGrantableRoles',
    method: 'POST',
    path: '/v1/roles::queryGrantableRoles',
    permission: 'authenticated',
    body: GrantableRolesBody,
    handler({ body, require }) {
      const { project, fits } = permissionsOn(body.fullResourceName)
      if (project !== undefined) require('resourcemanager.projects.getIamPolicy', { projectId: project })
      const custom = project === undefined ? [] : roles.list(project, {}, false).items.filter((role) => role.stage !== 'DISABLED')
      const predefined = allRoles().filter((role) => permissionsOf(role).some(fits))
      const shown = [...custom.map((role) => toCustomRole(role, body.view)), ...predefined.map((role) => toRole(role, body.view))]
      const { items, nextPageToken } = page(shown.toSorted(byName), body, nameOf, { size: 300, max: 2000 })
      return { roles: items, nextPageToken }
    },
  }
  const testable: Route<ReturnType<typeof TestablePermissionsBody.parse>> = {
    id: 'iam.permissions.queryTestablePermissions',
    method: 'POST',
    path: '/v1/permissions::queryTestablePermissions',
    permission: 'authenticated',
    body: TestablePermissionsBody,
    handler({ body }) {
      const { fits } = permissionsOn(body.fullResourceName)
      const { items, nextPageToken } = page(allPermissions().filter(fits), body, (name) => name, { size: 100, max: 1000 })
      return { permissions: items.map((name) => ({ name, title: name, stage: 'GA', ...(isGrantable(name) ? {} : { customRolesSupportLevel: 'NOT_SUPPORTED' }) })), nextPageToken }
    },
  }
  return [
    grantable,
    testable,
    {
      id: 'iam.roles.list',
      method: 'GET',
      path: '/v1/roles',
      permission: 'authenticated',
      handler({ query }) {
        const { items, nextPageToken } = page([...allRoles()].sort(byName), query, nameOf, { size: 300, max: 1000 })
        return { roles: items.map((role) => toRole(role, query['view'])), nextPageToken }
      },
    },
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

function customRoutes(roles: RoleService): readonly AnyRoute[] {
  const names = ({ params }: Pick<RouteRequest, 'params'>): [string, string] => [params['project'] ?? '', params['role'] ?? '']
  const create: Route<ReturnType<typeof CreateRoleBody.parse>> = {
    id: 'iam.projects.roles.create',
    method: 'POST',
    path: ROLES,
    permission: 'iam.roles.create',
    body: CreateRoleBody,
    handler: ({ params, body }) =>
      toCustomRole(
        roles.create(
          params['project'] ?? '',
          body.roleId,
          toEdit(body.role, (field) => field in body.role),
        ),
        'FULL',
      ),
  }
  const patch: Route<ReturnType<typeof RoleBody.parse>> = {
    id: 'iam.projects.roles.patch',
    method: 'PATCH',
    path: `${ROLES}/:role`,
    permission: 'iam.roles.update',
    body: RoleBody,
    handler(request) {
      const { body, query } = request
      return toCustomRole(roles.update(...names(request), body.etag ?? undefined, toEdit(body, fieldMask(query['updateMask'], FIELDS, body))), 'FULL')
    },
  }
  const undelete: Route<ReturnType<typeof EtagBody.parse>> = {
    id: 'iam.projects.roles.undelete',
    method: 'POST',
    path: `${ROLES}/:role(^[^:/]+)::undelete`,
    permission: 'iam.roles.undelete',
    body: EtagBody,
    handler: (request) => toCustomRole(roles.undelete(...names(request), request.body.etag ?? undefined), 'FULL'),
  }
  return [
    create,
    patch,
    undelete,
    {
      id: 'iam.projects.roles.list',
      method: 'GET',
      path: ROLES,
      permission: 'iam.roles.list',
      handler({ params, query }) {
        const { items, nextPageToken } = roles.list(params['project'] ?? '', query, isTrue(query['showDeleted']))
        return { roles: items.map((role) => toCustomRole(role, query['view'])), nextPageToken }
      },
    },
    { id: 'iam.projects.roles.get', method: 'GET', path: `${ROLES}/:role`, permission: 'iam.roles.get', handler: (request) => toCustomRole(roles.get(...names(request)), 'FULL') },
    {
      id: 'iam.projects.roles.delete',
      method: 'DELETE',
      path: `${ROLES}/:role`,
      permission: 'iam.roles.delete',
      handler: (request) => toCustomRole(roles.remove(...names(request), request.query['etag']), 'FULL'),
    },
  ]
}

/** Which permissions mean something on a resource, by its full name. @throws ApiError 400 */
function permissionsOn(fullName: string): { readonly project?: string; readonly fits: (permission: string) => boolean } {
  const [, service, path = ''] = FULL_NAME.exec(fullName) ?? []
  if (service === undefined) throw invalidArgument(`Invalid full resource name ${JSON.stringify(fullName)}: for example //cloudresourcemanager.googleapis.com/projects/my-project.`)
  if (service === 'cloudresourcemanager') {
    const project = /^projects\/([^/]+)$/.exec(path)?.[1]
    return { ...(project === undefined ? {} : { project }), fits: () => true }
  }
  const collection = path.split('/').at(-2) ?? ''
  // Of IAM's resources each has its own permissions; those of other services are shared by what is below a resource.
  return {
    fits: (permission) =>
      service === 'iam' ? new RegExp(`^iam\\.(googleapis\\.com/)?${collection.replace(/\W/g, '').replace(/s$/, '')}`).test(permission) : permission.startsWith(`${service}.`),
  }
}

/** A field that the mask names and the body lacks is cleared. */
function toEdit(body: ReturnType<typeof RoleBody.parse>, has: (field: string) => boolean): RoleEdit {
  return {
    ...(has('title') ? { title: body.title ?? '' } : {}),
    ...(has('description') ? { description: body.description ?? '' } : {}),
    ...(has('includedPermissions') ? { includedPermissions: [...new Set(body.includedPermissions)].sort() } : {}),
    ...(has('stage') && body.stage ? { stage: body.stage } : {}),
  }
}

/** The basic roles are rules, so that their lists are worked out. */
function permissionsOf(role: RoleDefinition): readonly string[] {
  return role.permissions.length > 0 ? role.permissions : allPermissions().filter((permission) => roleGrants(role.name, permission))
}

function toRole(role: RoleDefinition, view: string | undefined): { readonly name: string } & Record<string, unknown> {
  const { name, title, description } = role
  return { name, title, description, stage: 'GA', etag: 'AA==', ...(view === 'FULL' ? { includedPermissions: permissionsOf(role) } : {}) }
}

function toCustomRole(role: RoleRecord, view: string | undefined): { readonly name: string } & Record<string, unknown> {
  const { projectId, roleId, title, description, includedPermissions, stage, etag, deletedAt } = role
  return {
    name: `projects/${projectId}/roles/${roleId}`,
    ...(title === '' ? {} : { title }),
    ...(description === '' ? {} : { description }),
    ...(view === 'FULL' && includedPermissions.length > 0 ? { includedPermissions } : {}),
    stage,
    etag,
    ...(deletedAt === undefined ? {} : { deleted: true }),
  }
}

function byName(one: { readonly name: string }, other: { readonly name: string }): number {
  return one.name < other.name ? -1 : 1
}

function nameOf(role: { readonly name: string }): string {
  return role.name
}
