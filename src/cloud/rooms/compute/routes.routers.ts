/** Routers and their NATs. https://cloud.google.com/compute/docs/reference/rest/v1/routers */
import type { AnyRoute, RouteRequest } from '../../kernel/room.ts'
import { PROJECT, REGION, scopeOf } from './routes.kit.ts'
import type { RouteKit } from './routes.kit.ts'
import { RouterBody } from './schema.ts'
import type { Router } from './service.routers.ts'

const ROUTER = `${REGION}/routers/:router`

export function routerRoutes(kit: RouteKit): readonly AnyRoute[] {
  const { routers, caller, projectId, answer } = kit
  const target = kit.on('routers', 'router')
  const find = (request: RouteRequest): Router => routers.get(projectId(request), request.params['region'] ?? '', request.params['router'] ?? '')

  return [
    {
      id: 'compute.routers.insert',
      method: 'POST',
      path: `${REGION}/routers`,
      permission: 'compute.routers.create',
      body: RouterBody,
      handler: (request) => answer(routers.insert(caller(request), projectId(request), request.params['region'] ?? '', request.body)),
    },
    {
      id: 'compute.routers.list',
      method: 'GET',
      path: `${REGION}/routers`,
      permission: 'compute.routers.list',
      handler: (request) => kit.list(request, 'routerList', 'routers', scopeOf(request)),
    },
    {
      id: 'compute.routers.aggregatedList',
      method: 'GET',
      path: `${PROJECT}/aggregated/routers`,
      permission: 'compute.routers.list',
      handler: (request) => kit.aggregate(request, 'routerAggregatedList', 'routers'),
    },
    { id: 'compute.routers.get', method: 'GET', path: ROUTER, permission: 'compute.routers.get', target, handler: (request) => find(request).record },
    {
      id: 'compute.routers.patch',
      method: 'PATCH',
      path: ROUTER,
      permission: 'compute.routers.update',
      target,
      body: RouterBody,
      handler: (request) => answer(routers.change(caller(request), find(request), request.body, false)),
    },
    {
      id: 'compute.routers.update',
      method: 'PUT',
      path: ROUTER,
      permission: 'compute.routers.update',
      target,
      body: RouterBody,
      handler: (request) => answer(routers.change(caller(request), find(request), request.body, true)),
    },
    {
      id: 'compute.routers.delete',
      method: 'DELETE',
      path: ROUTER,
      permission: 'compute.routers.delete',
      target,
      handler: (request) => answer(routers.remove(caller(request), find(request))),
    },
    {
      id: 'compute.routers.getRouterStatus',
      method: 'GET',
      path: `${ROUTER}/getRouterStatus`,
      permission: 'compute.routers.get',
      target,
      handler: (request) => routers.status(find(request)),
    },
  ]
}
