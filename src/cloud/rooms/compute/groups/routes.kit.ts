/** Lists of resources whose shown form is more than their record: what the room's own kit has for plain ones. */
import type { RouteRequest } from '../../../kernel/room.ts'
import { listQuery, scopeOf } from '../routes.kit.ts'
import type { RouteKit } from '../routes.kit.ts'
import { toAggregatedList, toList } from '../shapes.ts'
import type { Resource } from '../store.ts'

/** `{kind, items}` of resources whose shown form is more than their record. */
export function listOf(kit: RouteKit, request: RouteRequest, kind: string, collection: string, present: (resource: Resource) => object): object {
  const id = kit.projectId(request)
  const scope = scopeOf(request)
  return toList(kind, `projects/${id}/${scope}/${collection}`, kit.compute.store.list(collection, id, scope).map(present), listQuery(request))
}

export function aggregateOf(kit: RouteKit, request: RouteRequest, kind: string, collection: string, present: (resource: Resource) => object): object {
  const id = kit.projectId(request)
  const resources = kit.compute.store.list(collection, id).map((resource) => ({ scope: resource.scope, record: present(resource) }))
  return toAggregatedList(kind, `projects/${id}/aggregated/${collection}`, collection, resources, listQuery(request))
}
