/** Operations of all scopes. https://cloud.google.com/compute/docs/reference/rest/v1/zoneOperations */
import { resourceNotFound } from './errors.ts'
import type { Operation } from '../../kernel/operations.ts'
import type { AnyRoute, RouteRequest } from '../../kernel/room.ts'
import { GLOBAL, listQuery, PROJECT, REGION, scopeOf, ZONE } from './routes.kit.ts'
import type { RouteKit } from './routes.kit.ts'
import { toAggregatedList, toComputeOperation, toList } from './shapes.ts'

/** Google blocks a wait call for about two minutes. */
const WAIT_MS = 120_000

export function operationRoutes(kit: RouteKit): readonly AnyRoute[] {
  const { operations } = kit.compute.kernel

  function find(request: RouteRequest): Operation {
    const projectId = kit.projectId(request)
    const key = { projectId, scope: scopeOf(request), collection: 'operations', name: request.params['operation'] ?? '' }
    const operation = operations.get(key.name) ?? operations.list('compute', projectId).find((each) => each.id === key.name)
    if (operation === undefined || operation.room !== 'compute' || operation.projectId !== projectId || operation.scope !== key.scope) throw resourceNotFound(key)
    return operation
  }

  function scoped(path: string, service: string): readonly AnyRoute[] {
    return [
      {
        id: `compute.${service}.list`,
        method: 'GET',
        path: `${path}/operations`,
        permission: `compute.${service}.list`,
        handler(request) {
          const projectId = kit.projectId(request)
          const scope = scopeOf(request)
          return toList('operationList', `projects/${projectId}/${scope}/operations`, operations.list('compute', projectId, scope).map(toComputeOperation), listQuery(request))
        },
      },
      {
        id: `compute.${service}.get`,
        method: 'GET',
        path: `${path}/operations/:operation`,
        permission: `compute.${service}.get`,
        handler: (request) => toComputeOperation(find(request)),
      },
      {
        id: `compute.${service}.wait`,
        method: 'POST',
        path: `${path}/operations/:operation/wait`,
        permission: `compute.${service}.get`,
        async handler(request) {
          const operation = find(request)
          return toComputeOperation((await operations.wait(operation.name, WAIT_MS)) ?? operation)
        },
      },
      {
        id: `compute.${service}.delete`,
        method: 'DELETE',
        path: `${path}/operations/:operation`,
        permission: `compute.${service}.delete`,
        handler: (request) => operations.remove(find(request).name),
      },
    ]
  }

  return [
    ...scoped(GLOBAL, 'globalOperations'),
    ...scoped(ZONE, 'zoneOperations'),
    ...scoped(REGION, 'regionOperations'),
    {
      id: 'compute.globalOperations.aggregatedList',
      method: 'GET',
      path: `${PROJECT}/aggregated/operations`,
      permission: 'compute.globalOperations.list',
      handler(request) {
        const projectId = kit.projectId(request)
        const found = operations.list('compute', projectId).map((operation) => ({ scope: operation.scope, record: toComputeOperation(operation) }))
        return toAggregatedList('operationAggregatedList', `projects/${projectId}/aggregated/operations`, 'operations', found, listQuery(request))
      },
    },
  ]
}
