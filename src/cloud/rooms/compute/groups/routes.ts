/** Routes of instance templates and instance groups; those of managers are in routes.managers.ts. */
import type { AnyRoute, RouteRequest } from '../../../kernel/room.ts'
import { resourcePath } from '../links.ts'
import { GLOBAL, listQuery, PROJECT, REGION, scopeOf, ZONE } from '../routes.kit.ts'
import type { RouteKit } from '../routes.kit.ts'
import { policyRoutes } from '../routes.policies.ts'
import { toList } from '../shapes.ts'
import type { Resource } from '../store.ts'
import type { InstanceGroup } from './members.ts'
import { aggregateOf, listOf } from './routes.kit.ts'
import { managerRoutes } from './routes.managers.ts'
import { GroupBody, GroupInstancesBody, ListInstancesBody, NamedPortsBody, TemplateBody } from './schema.ts'
import type { Template } from './service.templates.ts'

const GROUPS = `${ZONE}/instanceGroups`
const GROUP = `${GROUPS}/:instanceGroup`

export function groupRoutes(kit: RouteKit): readonly AnyRoute[] {
  return [...templateRoutes(kit), ...instanceGroupRoutes(kit), ...managerRoutes(kit)]
}

function templateRoutes(kit: RouteKit): readonly AnyRoute[] {
  const { templates } = kit.instanceGroups
  const target = kit.on('instanceTemplates', 'instanceTemplate')

  function find(request: RouteRequest): Template {
    return templates.get(kit.projectId(request), scopeOf(request), request.params['instanceTemplate'] ?? '')
  }

  function scoped(base: string, service: string): readonly AnyRoute[] {
    const collection = `${base}/instanceTemplates`
    const one = `${collection}/:instanceTemplate`
    return [
      {
        id: `compute.${service}.insert`,
        method: 'POST',
        path: collection,
        permission: 'compute.instanceTemplates.create',
        body: TemplateBody,
        handler: (request) => kit.answer(templates.insert(kit.caller(request), kit.projectId(request), scopeOf(request), request.body)),
      },
      {
        id: `compute.${service}.list`,
        method: 'GET',
        path: collection,
        permission: 'compute.instanceTemplates.list',
        handler: (request) => kit.list(request, 'instanceTemplateList', 'instanceTemplates', scopeOf(request)),
      },
      { id: `compute.${service}.get`, method: 'GET', path: one, permission: 'compute.instanceTemplates.get', target, handler: (request) => find(request).record },
      {
        id: `compute.${service}.delete`,
        method: 'DELETE',
        path: one,
        permission: 'compute.instanceTemplates.delete',
        target,
        handler: (request) => kit.answer(templates.remove(kit.caller(request), find(request))),
      },
    ]
  }

  return [
    ...scoped(GLOBAL, 'instanceTemplates'),
    ...scoped(REGION, 'regionInstanceTemplates'),
    {
      id: 'compute.instanceTemplates.aggregatedList',
      method: 'GET',
      path: `${PROJECT}/aggregated/instanceTemplates`,
      permission: 'compute.instanceTemplates.list',
      handler: (request) => kit.aggregate(request, 'instanceTemplateAggregatedList', 'instanceTemplates'),
    },
    ...policyRoutes(kit, 'instanceTemplates', `${GLOBAL}/instanceTemplates/:instanceTemplate`, target, (request) => resourcePath(find(request))),
  ]
}

function instanceGroupRoutes(kit: RouteKit): readonly AnyRoute[] {
  const { groups } = kit.instanceGroups
  const { caller, projectId, answer } = kit
  const target = kit.on('instanceGroups', 'instanceGroup')

  function find(request: RouteRequest): InstanceGroup {
    return groups.get(projectId(request), request.params['zone'] ?? '', request.params['instanceGroup'] ?? '')
  }

  function present(resource: Resource): object {
    return groups.present(resource as InstanceGroup)
  }

  function links(body: { readonly instances?: readonly { readonly instance: string }[] | null }): readonly string[] {
    return (body.instances ?? []).map((each) => each.instance)
  }

  return [
    {
      id: 'compute.instanceGroups.insert',
      method: 'POST',
      path: GROUPS,
      permission: 'compute.instanceGroups.create',
      body: GroupBody,
      handler: (request) => answer(groups.insert(caller(request), projectId(request), request.params['zone'] ?? '', request.body)),
    },
    {
      id: 'compute.instanceGroups.list',
      method: 'GET',
      path: GROUPS,
      permission: 'compute.instanceGroups.list',
      handler: (request) => listOf(kit, request, 'instanceGroupList', 'instanceGroups', present),
    },
    {
      id: 'compute.regionInstanceGroups.list',
      method: 'GET',
      path: `${REGION}/instanceGroups`,
      permission: 'compute.instanceGroups.list',
      handler: (request) => listOf(kit, request, 'regionInstanceGroupList', 'instanceGroups', present),
    },
    {
      id: 'compute.instanceGroups.aggregatedList',
      method: 'GET',
      path: `${PROJECT}/aggregated/instanceGroups`,
      permission: 'compute.instanceGroups.list',
      handler: (request) => aggregateOf(kit, request, 'instanceGroupAggregatedList', 'instanceGroups', present),
    },
    { id: 'compute.instanceGroups.get', method: 'GET', path: GROUP, permission: 'compute.instanceGroups.get', target, handler: (request) => groups.present(find(request)) },
    {
      id: 'compute.instanceGroups.delete',
      method: 'DELETE',
      path: GROUP,
      permission: 'compute.instanceGroups.delete',
      target,
      handler: (request) => answer(groups.remove(caller(request), find(request))),
    },
    {
      id: 'compute.instanceGroups.setNamedPorts',
      method: 'POST',
      path: `${GROUP}/setNamedPorts`,
      permission: 'compute.instanceGroups.update',
      target,
      body: NamedPortsBody,
      handler: (request) => answer(groups.setNamedPorts(caller(request), find(request), request.body)),
    },
    {
      id: 'compute.instanceGroups.addInstances',
      method: 'POST',
      path: `${GROUP}/addInstances`,
      permission: 'compute.instanceGroups.update',
      target,
      body: GroupInstancesBody,
      handler: (request) => answer(groups.addInstances(caller(request), find(request), links(request.body))),
    },
    {
      id: 'compute.instanceGroups.removeInstances',
      method: 'POST',
      path: `${GROUP}/removeInstances`,
      permission: 'compute.instanceGroups.update',
      target,
      body: GroupInstancesBody,
      handler: (request) => answer(groups.removeInstances(caller(request), find(request), links(request.body))),
    },
    {
      id: 'compute.instanceGroups.listInstances',
      method: 'POST',
      path: `${GROUP}/listInstances`,
      permission: 'compute.instanceGroups.list',
      target,
      body: ListInstancesBody,
      handler(request) {
        const group = find(request)
        const items = groups.listInstances(group, request.body?.instanceState).map((item) => ({ ...item, name: item.instance ?? '' }))
        const {
          kind,
          items: shown,
          ...rest
        } = toList('instanceGroupsListInstances', `${resourcePath(group)}/listInstances`, items, listQuery(request)) as Record<string, unknown> & {
          items?: readonly ({ name?: string } & object)[]
        }
        return { kind, ...(shown === undefined ? {} : { items: shown.map(({ name: _name, ...item }) => item) }), ...rest }
      },
    },
  ]
}
