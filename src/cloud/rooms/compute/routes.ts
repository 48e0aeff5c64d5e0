/** The route table of the room. Every route answers on both of Google's host names. */
import type { AnyRoute, RouteRequest } from '../../kernel/room.ts'
import { balancingRoutes } from './balancing/routes.ts'
import { groupRoutes } from './groups/routes.ts'
import { resourcePath } from './links.ts'
import { catalogRoutes } from './routes.catalog.ts'
import { diskRoutes } from './routes.disks.ts'
import { imageRoutes } from './routes.images.ts'
import { instanceRoutes } from './routes.instances.ts'
import { listQuery, scopeOf } from './routes.kit.ts'
import type { RouteKit, Services } from './routes.kit.ts'
import { networkRoutes } from './routes.networks.ts'
import { operationRoutes } from './routes.operations.ts'
import { routerRoutes } from './routes.routers.ts'
import { snapshotRoutes } from './routes.snapshots.ts'
import { toAggregatedList, toComputeOperation, toList } from './shapes.ts'

/** How long an answer waits for a quick change to end. Google's own answers take about as long, and a client that must poll waits two to ten seconds. */
const QUICK_MS = 1000

export function computeRoutes(services: Services): readonly AnyRoute[] {
  const { compute, projects } = services
  const { kernel, store } = compute

  function projectId(request: RouteRequest): string {
    const { projectId: id } = compute.project(request.params['project'] ?? '')
    projects.ensure(id)
    return id
  }

  const kit: RouteKit = {
    ...services,
    projectId,
    caller: (request) => ({ principal: request.principal, requestId: request.query['requestId'], require: (permission, target) => request.require(permission, target) }),
    async answer(operation) {
      return toComputeOperation((await kernel.operations.wait(operation.name, QUICK_MS)) ?? operation)
    },
    on: (collection, parameter) => (request) => {
      const asked = request.params['project'] ?? ''
      const id = kernel.projects.find(asked)?.projectId ?? asked
      return { projectId: id, resource: resourcePath({ projectId: id, scope: scopeOf(request), collection, name: request.params[parameter] ?? '' }) }
    },
    list(request, kind, collection, scope) {
      const id = projectId(request)
      const items = store.list(collection, id, scope).map((resource) => resource.record)
      return toList(kind, `projects/${id}/${scope}/${collection}`, items, listQuery(request))
    },
    aggregate(request, kind, collection) {
      const id = projectId(request)
      return toAggregatedList(kind, `projects/${id}/aggregated/${collection}`, collection, store.list(collection, id), listQuery(request))
    },
  }
  const routes = [
    ...catalogRoutes(kit),
    ...operationRoutes(kit),
    ...networkRoutes(kit),
    ...routerRoutes(kit),
    ...imageRoutes(kit),
    ...snapshotRoutes(kit),
    ...diskRoutes(kit),
    ...instanceRoutes(kit),
    ...groupRoutes(kit),
    ...balancingRoutes(kit),
  ]
  return [...routes.map((route) => ({ ...route, host: 'api' })), ...routes.map((route) => ({ ...route, host: 'www' }))]
}
