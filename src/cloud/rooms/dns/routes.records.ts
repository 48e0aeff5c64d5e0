/** Routes of record sets and changes. https://cloud.google.com/dns/docs/reference/rest/v1/resourceRecordSets */
import { notFound } from '../../kernel/api-error.ts'
import { page } from '../../kernel/paging.ts'
import type { AnyRoute, Route, RouteRequest } from '../../kernel/room.ts'
import { invalidValue } from './errors.ts'
import { PAGE, pageOf, param, ZONE } from './routes.zones.ts'
import { ChangeBody, RecordSetBody } from './schema.ts'
import type { ChangeService } from './service.changes.ts'
import type { ZoneService } from './service.zones.ts'
import { sortName } from './store.ts'
import type { Change, DnsStore, RecordSet, Zone } from './store.ts'

const SETS = `${ZONE}/rrsets`
const SET = `${SETS}/:name/:type`
const CHANGES = `${ZONE}/changes`

export function recordRoutes(store: DnsStore, zones: ZoneService, changes: ChangeService): readonly AnyRoute[] {
  const zoneOf = (request: RouteRequest<unknown>): Zone => zones.get(param(request, 'project'), param(request, 'managedZone'))
  /** A caller that changes record sets by a change also needs the permissions for the sets. */
  const requireSets = (request: RouteRequest<ChangeBody>, zone: Zone): void => {
    if ((request.body.additions ?? []).length > 0) request.require('dns.resourceRecordSets.create', { projectId: zone.projectId })
    if ((request.body.deletions ?? []).length > 0) request.require('dns.resourceRecordSets.delete', { projectId: zone.projectId })
  }

  const createSet: Route<RecordSetBody> = {
    id: 'dns.resourceRecordSets.create',
    method: 'POST',
    path: SETS,
    permission: 'dns.resourceRecordSets.create',
    body: RecordSetBody,
    handler(request) {
      const [set] = changes.apply(zoneOf(request), { additions: [request.body] }, request.principal).additions
      return set === undefined ? {} : presentSet(set)
    },
  }
  const patchSet: Route<RecordSetBody> = {
    id: 'dns.resourceRecordSets.patch',
    method: 'PATCH',
    path: SET,
    permission: 'dns.resourceRecordSets.update',
    body: RecordSetBody,
    handler: (request) => presentSet(changes.patchSet(zoneOf(request), param(request, 'name'), param(request, 'type'), request.body, request.principal)),
  }
  const createChange: Route<ChangeBody> = {
    id: 'dns.changes.create',
    method: 'POST',
    path: CHANGES,
    permission: 'dns.changes.create',
    body: ChangeBody,
    handler(request) {
      const zone = zoneOf(request)
      requireSets(request, zone)
      return presentChange(changes.apply(zone, request.body, request.principal))
    },
  }

  return [
    createSet,
    {
      id: 'dns.resourceRecordSets.list',
      method: 'GET',
      path: SETS,
      permission: 'dns.resourceRecordSets.list',
      handler(request) {
        const { name, type } = request.query
        if (type !== undefined && name === undefined) throw invalidValue('parameters.type', type, 'a type is asked for together with a name')
        const found = store.listSets(zoneOf(request).id).filter((set) => (name === undefined || set.name === name.toLowerCase()) && (type === undefined || set.type === type))
        const { items, nextPageToken } = page(found, pageOf(request), (set) => `${sortName(set.name)} ${set.type}`, PAGE)
        return { kind: 'dns#resourceRecordSetsListResponse', rrsets: items.map(presentSet), nextPageToken }
      },
    },
    {
      id: 'dns.resourceRecordSets.get',
      method: 'GET',
      path: SET,
      permission: 'dns.resourceRecordSets.get',
      handler: (request) => presentSet(changes.getSet(zoneOf(request), param(request, 'name'), param(request, 'type'))),
    },
    patchSet,
    {
      id: 'dns.resourceRecordSets.delete',
      method: 'DELETE',
      path: SET,
      permission: 'dns.resourceRecordSets.delete',
      handler(request) {
        changes.removeSet(zoneOf(request), param(request, 'name'), param(request, 'type'), request.principal)
        return {}
      },
    },
    createChange,
    {
      id: 'dns.changes.list',
      method: 'GET',
      path: CHANGES,
      permission: 'dns.changes.list',
      handler(request) {
        const found = store.listChanges(zoneOf(request).id)
        const isDescending = request.query['sortOrder'] === 'descending'
        const key = (change: Change): string => String(isDescending ? 1e15 - change.id : change.id).padStart(16, '0')
        const { items, nextPageToken } = page(isDescending ? found.toReversed() : found, pageOf(request), key, PAGE)
        return { kind: 'dns#changesListResponse', changes: items.map(presentChange), nextPageToken }
      },
    },
    {
      id: 'dns.changes.get',
      method: 'GET',
      path: `${CHANGES}/:changeId`,
      permission: 'dns.changes.get',
      handler(request) {
        const id = param(request, 'changeId')
        const change = /^\d{1,15}$/.test(id) ? store.findChange(zoneOf(request).id, Number(id)) : undefined
        if (change === undefined) throw notFound(`The 'parameters.changeId' resource named '${id}' does not exist.`)
        return presentChange(change)
      },
    },
  ]
}

function presentSet(set: RecordSet): Record<string, unknown> {
  return { kind: 'dns#resourceRecordSet', name: set.name, type: set.type, ttl: set.ttl, rrdatas: set.rrdatas, signatureRrdatas: [] }
}

function presentChange(change: Change): Record<string, unknown> {
  return {
    kind: 'dns#change',
    id: String(change.id),
    startTime: change.startTime,
    status: change.isDone ? 'done' : 'pending',
    isServing: change.isDone,
    additions: change.additions.length === 0 ? undefined : change.additions.map(presentSet),
    deletions: change.deletions.length === 0 ? undefined : change.deletions.map(presentSet),
  }
}
