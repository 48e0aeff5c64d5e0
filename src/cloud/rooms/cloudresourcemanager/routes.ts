/** Resource Manager v1, and of v3 what projects need. https://cloud.google.com/resource-manager/reference/rest */
import { invalidArgument } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { toLongRunning } from '../../kernel/operations.ts'
import type { Operation } from '../../kernel/operations.ts'
import { getPolicy, GetPolicyBody, setPolicy, SetPolicyBody, testPermissions, TestPermissionsBody } from '../../kernel/policy-routes.ts'
import type { AnyRoute, Route, RouteRequest } from '../../kernel/room.ts'
import { CreateProjectV1, CreateProjectV3, PatchProjectV3, UpdateProjectV1 } from './schema.ts'
import type { ProjectService, ProjectView } from './service.ts'

/** The plain parameter would swallow custom verbs, so it excludes the colon. */
const PROJECT = ':project(^[^:/]+)'

export function createResourceManagerRoutes(kernel: Kernel, service: ProjectService): readonly AnyRoute[] {
  return [...v1Routes(service), ...v3Routes(service), ...policyRoutes(kernel, service, 'v1'), ...policyRoutes(kernel, service, 'v3')]
}

/** Projects are made below no organisation: whoever holds the pocket cloud may, nobody else. */
function anywhere(): { resource: string } {
  return { resource: 'organizations/-' }
}

function v1Routes(service: ProjectService): readonly AnyRoute[] {
  const create: Route<ReturnType<typeof CreateProjectV1.parse>> = {
    id: 'cloudresourcemanager.projects.create',
    method: 'POST',
    path: '/v1/projects',
    permission: 'resourcemanager.projects.create',
    target: anywhere,
    body: CreateProjectV1,
    handler: ({ body, principal }) => v1Operation(service.create({ ...body, displayName: body.name }, principal, toV1)),
  }
  const update: Route<ReturnType<typeof UpdateProjectV1.parse>> = {
    id: 'cloudresourcemanager.projects.update',
    method: 'PUT',
    path: '/v1/projects/:project',
    permission: 'resourcemanager.projects.update',
    body: UpdateProjectV1,
    handler: ({ body, params }) => toV1(service.update(params['project'] ?? '', { displayName: body.name, labels: body.labels ?? {} })),
  }
  return [
    create,
    update,
    {
      id: 'cloudresourcemanager.projects.get',
      method: 'GET',
      path: '/v1/projects/:project',
      permission: 'resourcemanager.projects.get',
      handler: ({ params }) => toV1(service.get(params['project'] ?? '')),
    },
    {
      id: 'cloudresourcemanager.projects.list',
      method: 'GET',
      path: '/v1/projects',
      permission: 'authenticated',
      handler({ principal, query }) {
        const { items, nextPageToken } = service.list(principal, query['filter'] ?? '', query)
        return { projects: items.map(toV1), nextPageToken }
      },
    },
    {
      id: 'cloudresourcemanager.projects.delete',
      method: 'DELETE',
      path: '/v1/projects/:project',
      permission: 'resourcemanager.projects.delete',
      handler({ params }) {
        service.remove(params['project'] ?? '')
        return {}
      },
    },
    {
      id: 'cloudresourcemanager.projects.undelete',
      method: 'POST',
      path: `/v1/projects/${PROJECT}::undelete`,
      permission: 'resourcemanager.projects.undelete',
      handler({ params }) {
        service.undelete(params['project'] ?? '')
        return {}
      },
    },
    {
      id: 'cloudresourcemanager.projects.getAncestry',
      method: 'POST',
      path: `/v1/projects/${PROJECT}::getAncestry`,
      permission: 'resourcemanager.projects.get',
      handler: ({ params }) => ({ ancestor: [{ resourceId: { type: 'project', id: service.get(params['project'] ?? '').projectId } }] }),
    },
    {
      id: 'cloudresourcemanager.operations.get',
      method: 'GET',
      path: '/v1/operations/:operation',
      permission: 'authenticated',
      handler: ({ params, principal }) => v1Operation(service.operation(params['operation'] ?? '', principal)),
    },
  ]
}

function v3Routes(service: ProjectService): readonly AnyRoute[] {
  const create: Route<ReturnType<typeof CreateProjectV3.parse>> = {
    id: 'cloudresourcemanager.projects.create',
    method: 'POST',
    path: '/v3/projects',
    permission: 'resourcemanager.projects.create',
    target: anywhere,
    body: CreateProjectV3,
    handler: ({ body, principal }) => v3Operation(service.create(body, principal, toV3)),
  }
  const patch: Route<ReturnType<typeof PatchProjectV3.parse>> = {
    id: 'cloudresourcemanager.projects.patch',
    method: 'PATCH',
    path: '/v3/projects/:project',
    permission: 'resourcemanager.projects.update',
    body: PatchProjectV3,
    handler({ body, params, query, principal }) {
      const mask = (query['updateMask'] ?? '')
        .split(',')
        .map((field) => field.trim().replace('display_name', 'displayName'))
        .filter((field) => field !== '' && field !== '*')
      const unknown = mask.find((field) => field !== 'displayName' && field !== 'labels')
      if (unknown !== undefined) throw invalidArgument(`The field ${unknown} cannot be updated.`)
      const has = (field: string): boolean => mask.length === 0 || mask.includes(field)
      const labels = has('labels') ? (body.labels ?? (mask.length === 0 ? undefined : {})) : undefined
      const project = service.update(params['project'] ?? '', { displayName: has('displayName') ? body.displayName : undefined, labels, etag: body.etag })
      return v3Operation(service.finish('UpdateProject', project, principal, toV3))
    },
  }
  return [
    create,
    patch,
    {
      id: 'cloudresourcemanager.projects.get',
      method: 'GET',
      path: '/v3/projects/:project',
      permission: 'resourcemanager.projects.get',
      handler: ({ params }) => toV3(service.get(params['project'] ?? '')),
    },
    {
      id: 'cloudresourcemanager.projects.search',
      method: 'GET',
      path: '/v3/projects::search',
      permission: 'authenticated',
      handler({ principal, query }) {
        const { items, nextPageToken } = service.list(principal, query['query'] ?? '', query)
        return { projects: items.map(toV3), nextPageToken }
      },
    },
    {
      id: 'cloudresourcemanager.projects.delete',
      method: 'DELETE',
      path: '/v3/projects/:project',
      permission: 'resourcemanager.projects.delete',
      handler: ({ params, principal }) => v3Operation(service.finish('DeleteProject', service.remove(params['project'] ?? ''), principal, toV3)),
    },
    {
      id: 'cloudresourcemanager.projects.undelete',
      method: 'POST',
      path: `/v3/projects/${PROJECT}::undelete`,
      permission: 'resourcemanager.projects.undelete',
      handler: ({ params, principal }) => v3Operation(service.finish('UndeleteProject', service.undelete(params['project'] ?? ''), principal, toV3)),
    },
    {
      id: 'cloudresourcemanager.operations.get',
      method: 'GET',
      path: '/v3/operations/:operation',
      permission: 'authenticated',
      handler: ({ params, principal }) => v3Operation(service.operation(params['operation'] ?? '', principal)),
    },
  ]
}

function policyRoutes(kernel: Kernel, service: ProjectService, version: 'v1' | 'v3'): readonly AnyRoute[] {
  const resource = (request: Pick<RouteRequest, 'params'>): string => `projects/${service.get(request.params['project'] ?? '').projectId}`
  const get: Route<ReturnType<typeof GetPolicyBody.parse>> = {
    id: 'cloudresourcemanager.projects.getIamPolicy',
    method: 'POST',
    path: `/${version}/projects/${PROJECT}::getIamPolicy`,
    permission: 'resourcemanager.projects.getIamPolicy',
    body: GetPolicyBody,
    handler: (request) => getPolicy(kernel, resource(request), request.body.options?.requestedPolicyVersion),
  }
  const set: Route<ReturnType<typeof SetPolicyBody.parse>> = {
    id: 'cloudresourcemanager.projects.setIamPolicy',
    method: 'POST',
    path: `/${version}/projects/${PROJECT}::setIamPolicy`,
    permission: 'resourcemanager.projects.setIamPolicy',
    body: SetPolicyBody,
    handler: (request) => setPolicy(kernel, resource(request), request.body),
  }
  const test: Route<ReturnType<typeof TestPermissionsBody.parse>> = {
    id: 'cloudresourcemanager.projects.testIamPermissions',
    method: 'POST',
    path: `/${version}/projects/${PROJECT}::testIamPermissions`,
    permission: 'authenticated',
    body: TestPermissionsBody,
    handler: ({ params, principal, body }) => testPermissions(kernel, principal, { projectId: service.get(params['project'] ?? '').projectId }, body.permissions),
  }
  return [get, set, test]
}

function toV1(project: ProjectView): Record<string, unknown> {
  const { projectNumber, projectId, state, displayName, labels, createTime } = project
  return { projectNumber, projectId, lifecycleState: state, name: displayName, createTime, ...(Object.keys(labels).length === 0 ? {} : { labels }) }
}

function toV3(project: ProjectView): Record<string, unknown> {
  const { projectNumber, projectId, state, displayName, labels, createTime, updateTime, deleteTime, etag } = project
  return { name: `projects/${projectNumber}`, projectId, state, displayName, createTime, updateTime, deleteTime, etag, ...(Object.keys(labels).length === 0 ? {} : { labels }) }
}

function v1Operation(operation: Operation): Record<string, unknown> {
  const done = operation.status === 'DONE'
  const metadata = { '@type': 'type.googleapis.com/google.cloudresourcemanager.v1.ProjectCreationStatus', createTime: operation.insertTime, gettable: true, ready: done }
  return typed(toLongRunning(operation, 'operations/', metadata), 'type.googleapis.com/google.cloudresourcemanager.v1.Project')
}

function v3Operation(operation: Operation): Record<string, unknown> {
  const metadata = {
    '@type': `type.googleapis.com/google.cloud.resourcemanager.v3.${operation.type}Metadata`,
    createTime: operation.insertTime,
    gettable: true,
    ready: operation.status === 'DONE',
  }
  return typed(toLongRunning(operation, 'operations/', metadata), 'type.googleapis.com/google.cloud.resourcemanager.v3.Project')
}

function typed(operation: Record<string, unknown>, type: string): Record<string, unknown> {
  const { response } = operation
  return response === undefined ? operation : { ...operation, response: { '@type': type, ...(response as Record<string, unknown>) } }
}
