/** Routes of managed instance groups, and of autoscalers as far as clients look for them. */
import type { ZodType } from 'zod'
import { invalidArgument } from '../../../kernel/api-error.ts'
import type { Operation } from '../../../kernel/operations.ts'
import { page } from '../../../kernel/paging.ts'
import type { AnyRoute, RouteRequest } from '../../../kernel/room.ts'
import { PROJECT, REGION, ZONE } from '../routes.kit.ts'
import type { RouteKit } from '../routes.kit.ts'
import type { Caller } from '../service.ts'
import { parseFilter } from '../service.filter.ts'
import type { Resource } from '../store.ts'
import { aggregateOf, listOf } from './routes.kit.ts'
import { ApplyUpdatesBody, CreateInstancesBody, InstancesBody, ManagerBody, SetTargetPoolsBody, SetTemplateBody } from './schema.ts'
import type { Manager } from './work.ts'

const MANAGERS = `${ZONE}/instanceGroupManagers`
const MANAGER = `${MANAGERS}/:instanceGroupManager`
const UPDATE = 'compute.instanceGroupManagers.update'

export function managerRoutes(kit: RouteKit): readonly AnyRoute[] {
  const { managers, managed } = kit.instanceGroups
  const { caller, projectId, answer } = kit
  const target = kit.on('instanceGroupManagers', 'instanceGroupManager')

  function find(request: RouteRequest): Manager {
    return managers.get(projectId(request), request.params['zone'] ?? '', request.params['instanceGroupManager'] ?? '')
  }

  function present(resource: Resource): object {
    return managers.present(resource as Manager)
  }

  /** `POST …/instanceGroupManagers/X/VERB`, which starts an operation. */
  function verb<Body>(name: string, body: ZodType<Body> | undefined, work: (by: Caller, manager: Manager, body: Body, request: RouteRequest) => Operation): AnyRoute {
    return {
      id: `compute.instanceGroupManagers.${name}`,
      method: 'POST',
      path: `${MANAGER}/${name}`,
      permission: UPDATE,
      target,
      ...(body === undefined ? {} : { body }),
      handler: (request) => answer(work(caller(request), find(request), request.body as Body, request)),
    }
  }

  /** One page of what a method of a group lists. */
  function listing(request: RouteRequest, field: string, items: readonly object[], key: (item: object) => string): object {
    const matches = parseFilter(request.query['filter'])
    const { maxResults, pageToken } = request.query
    const shown = page(items.filter(matches), { pageSize: maxResults, pageToken }, key, { size: 500, max: 500 })
    return { ...(shown.items.length === 0 ? {} : { [field]: shown.items }), ...(shown.nextPageToken === undefined ? {} : { nextPageToken: shown.nextPageToken }) }
  }

  function autoscalers(): readonly AnyRoute[] {
    const permission = 'compute.autoscalers.list'
    return [
      {
        id: 'compute.autoscalers.list',
        method: 'GET',
        path: `${ZONE}/autoscalers`,
        permission,
        handler: (request) => listOf(kit, request, 'autoscalerList', 'autoscalers', recordOf),
      },
      {
        id: 'compute.regionAutoscalers.list',
        method: 'GET',
        path: `${REGION}/autoscalers`,
        permission,
        handler: (request) => listOf(kit, request, 'regionAutoscalerList', 'autoscalers', recordOf),
      },
      {
        id: 'compute.autoscalers.aggregatedList',
        method: 'GET',
        path: `${PROJECT}/aggregated/autoscalers`,
        permission,
        handler: (request) => aggregateOf(kit, request, 'autoscalerAggregatedList', 'autoscalers', recordOf),
      },
    ]
  }

  return [
    {
      id: 'compute.instanceGroupManagers.insert',
      method: 'POST',
      path: MANAGERS,
      permission: 'compute.instanceGroupManagers.create',
      body: ManagerBody,
      handler: (request) => answer(managers.insert(caller(request), projectId(request), request.params['zone'] ?? '', request.body)),
    },
    {
      id: 'compute.instanceGroupManagers.list',
      method: 'GET',
      path: MANAGERS,
      permission: 'compute.instanceGroupManagers.list',
      handler: (request) => listOf(kit, request, 'instanceGroupManagerList', 'instanceGroupManagers', present),
    },
    {
      id: 'compute.regionInstanceGroupManagers.list',
      method: 'GET',
      path: `${REGION}/instanceGroupManagers`,
      permission: 'compute.instanceGroupManagers.list',
      handler: (request) => listOf(kit, request, 'regionInstanceGroupManagerList', 'instanceGroupManagers', present),
    },
    {
      id: 'compute.instanceGroupManagers.aggregatedList',
      method: 'GET',
      path: `${PROJECT}/aggregated/instanceGroupManagers`,
      permission: 'compute.instanceGroupManagers.list',
      handler: (request) => aggregateOf(kit, request, 'instanceGroupManagerAggregatedList', 'instanceGroupManagers', present),
    },
    {
      id: 'compute.instanceGroupManagers.get',
      method: 'GET',
      path: MANAGER,
      permission: 'compute.instanceGroupManagers.get',
      target,
      handler: (request) => managers.present(find(request)),
    },
    {
      id: 'compute.instanceGroupManagers.patch',
      method: 'PATCH',
      path: MANAGER,
      permission: UPDATE,
      target,
      body: ManagerBody,
      handler: (request) => answer(managers.patch(caller(request), find(request), request.body)),
    },
    {
      id: 'compute.instanceGroupManagers.delete',
      method: 'DELETE',
      path: MANAGER,
      permission: 'compute.instanceGroupManagers.delete',
      target,
      handler: (request) => answer(managers.remove(caller(request), find(request))),
    },
    verb('resize', undefined, (by, manager, _body, request) => {
      const { size = '' } = request.query
      if (!/^\d{1,9}$/.test(size)) throw invalidArgument(`Invalid value for field 'size': '${size}'. Must be a number of instances.`)
      return managers.resize(by, manager, Number(size))
    }),
    verb('setInstanceTemplate', SetTemplateBody, (by, manager, body) => managers.setInstanceTemplate(by, manager, body.instanceTemplate)),
    verb('setTargetPools', SetTargetPoolsBody, (by, manager, body) => managers.setTargetPools(by, manager, body.targetPools ?? [], body.fingerprint)),
    verb('recreateInstances', InstancesBody, (by, manager, body) => managed.recreate(by, manager, body)),
    verb('deleteInstances', InstancesBody, (by, manager, body) => managed.remove(by, manager, body)),
    verb('abandonInstances', InstancesBody, (by, manager, body) => managed.abandon(by, manager, body)),
    verb('createInstances', CreateInstancesBody, (by, manager, body) =>
      managed.create(
        by,
        manager,
        (body.instances ?? []).map((each) => each.name),
      ),
    ),
    verb('applyUpdatesToInstances', ApplyUpdatesBody, (by, manager, body) => managed.applyUpdates(by, manager, body)),
    {
      id: 'compute.instanceGroupManagers.listManagedInstances',
      method: 'POST',
      path: `${MANAGER}/listManagedInstances`,
      permission: 'compute.instanceGroupManagers.get',
      target,
      handler: (request) => listing(request, 'managedInstances', managed.list(find(request)), (item) => (item as { name?: string }).name ?? ''),
    },
    {
      id: 'compute.instanceGroupManagers.listErrors',
      method: 'GET',
      path: `${MANAGER}/listErrors`,
      permission: 'compute.instanceGroupManagers.get',
      target,
      handler(request) {
        // Newest first; the page's key must grow along the list.
        const rows = managed.errors(find(request)).map(({ id, ...error }) => ({ key: String(1e15 - Number(id)), error }))
        const shown = page(rows, { pageSize: request.query['maxResults'], pageToken: request.query['pageToken'] }, (row) => row.key, { size: 500, max: 500 })
        return {
          ...(shown.items.length === 0 ? {} : { items: shown.items.map((row) => row.error) }),
          ...(shown.nextPageToken === undefined ? {} : { nextPageToken: shown.nextPageToken }),
        }
      },
    },
    {
      id: 'compute.instanceGroupManagers.listPerInstanceConfigs',
      method: 'POST',
      path: `${MANAGER}/listPerInstanceConfigs`,
      permission: 'compute.instanceGroupManagers.get',
      target,
      // Groups with state are refused, so there is never one.
      handler(request) {
        find(request)
        return listing(request, 'items', [], () => '')
      },
    },
    ...autoscalers(),
  ]
}

function recordOf(resource: Resource): object {
  return resource.record
}
