/** Routes of projects, zones and their operations. https://cloud.google.com/dns/docs/reference/rest/v1/managedZones */
import type { Kernel } from '../../kernel/kernel.ts'
import type { Operation } from '../../kernel/operations.ts'
import { notFound } from '../../kernel/api-error.ts'
import { page } from '../../kernel/paging.ts'
import type { AnyRoute, Route, RouteRequest } from '../../kernel/room.ts'
import { ZoneBody } from './schema.ts'
import { DNS_SERVICE } from './service.zones.ts'
import type { ZoneService, ZoneUpdate } from './service.zones.ts'
import type { Zone } from './store.ts'

export const PROJECT = '/dns/v1/projects/:project'
const ZONES = `${PROJECT}/managedZones`
export const ZONE = `${ZONES}/:managedZone`

/** Lists of Cloud DNS have 100 items on a page (`maxResults`). */
export const PAGE = { size: 100, max: 1000 }

export function zoneRoutes(kernel: Kernel, zones: ZoneService): readonly AnyRoute[] {
  const create: Route<ZoneBody> = {
    id: 'dns.managedZones.create',
    method: 'POST',
    path: ZONES,
    permission: 'dns.managedZones.create',
    body: ZoneBody,
    handler: (request) => presentZone(zones.create(param(request, 'project'), request.body, request.principal)),
  }
  const change = (verb: 'patch' | 'update'): Route<ZoneBody> => ({
    id: `dns.managedZones.${verb}`,
    method: verb === 'patch' ? 'PATCH' : 'PUT',
    path: ZONE,
    permission: 'dns.managedZones.update',
    body: ZoneBody,
    handler: (request) => presentOperation(zones.change(param(request, 'project'), param(request, 'managedZone'), request.body, verb === 'update', request.principal)),
  })
  return [
    {
      id: 'dns.projects.get',
      method: 'GET',
      path: PROJECT,
      permission: 'dns.projects.get',
      handler(request) {
        const project = kernel.projects.requireActive(param(request, 'project'), DNS_SERVICE)
        return { kind: 'dns#project', id: project.projectId, number: project.projectNumber, quota: { kind: 'dns#quota', managedZones: 10_000, rrsetsPerManagedZone: 10_000 } }
      },
    },
    create,
    {
      id: 'dns.managedZones.list',
      method: 'GET',
      path: ZONES,
      permission: 'dns.managedZones.list',
      handler(request) {
        const found = zones.list(param(request, 'project'), request.query['dnsName'])
        const { items, nextPageToken } = page(found, pageOf(request), (zone) => zone.name, PAGE)
        return { kind: 'dns#managedZonesListResponse', managedZones: items.map(presentZone), nextPageToken }
      },
    },
    {
      id: 'dns.managedZones.get',
      method: 'GET',
      path: ZONE,
      permission: 'dns.managedZones.get',
      handler: (request) => presentZone(zones.get(param(request, 'project'), param(request, 'managedZone'))),
    },
    change('patch'),
    change('update'),
    {
      id: 'dns.managedZones.delete',
      method: 'DELETE',
      path: ZONE,
      permission: 'dns.managedZones.delete',
      handler: (request) => zones.remove(param(request, 'project'), param(request, 'managedZone')),
    },
    {
      id: 'dns.managedZoneOperations.list',
      method: 'GET',
      path: `${ZONE}/operations`,
      permission: 'dns.managedZoneOperations.list',
      handler: (request) => ({
        kind: 'dns#managedZoneOperationsListResponse',
        operations: zones.operations(param(request, 'project'), param(request, 'managedZone')).map(presentOperation),
      }),
    },
    {
      id: 'dns.managedZoneOperations.get',
      method: 'GET',
      path: `${ZONE}/operations/:operation`,
      permission: 'dns.managedZoneOperations.get',
      handler(request) {
        const id = param(request, 'operation')
        const operation = zones.operations(param(request, 'project'), param(request, 'managedZone')).find((each) => each.name === id)
        if (operation === undefined) throw notFound(`The 'parameters.operation' resource named '${id}' does not exist.`)
        return presentOperation(operation)
      },
    },
  ]
}

/** A path parameter that the route has. */
export function param(request: { readonly params: Readonly<Record<string, string>> }, name: string): string {
  return request.params[name] ?? ''
}

/** Cloud DNS says `maxResults` where newer services say `pageSize`. */
export function pageOf(request: RouteRequest<unknown>): { readonly pageSize: string | undefined; readonly pageToken: string | undefined } {
  return { pageSize: request.query['maxResults'], pageToken: request.query['pageToken'] }
}

function presentZone(zone: Zone): Record<string, unknown> {
  const { description, labels, visibility, nameServers, dnssecConfig, cloudLoggingConfig, privateVisibilityConfig } = zone.config
  return {
    kind: 'dns#managedZone',
    id: zone.id,
    name: zone.name,
    dnsName: zone.dnsName,
    description,
    nameServers,
    creationTime: zone.createTime,
    visibility,
    labels: Object.keys(labels).length === 0 ? undefined : labels,
    dnssecConfig: dnssecConfig === undefined || dnssecConfig === null ? undefined : { kind: 'dns#managedZoneDnsSecConfig', nonExistence: 'nsec3', state: 'off', ...dnssecConfig },
    cloudLoggingConfig: { kind: 'dns#managedZoneCloudLoggingConfig', ...cloudLoggingConfig },
    // Terraform sends an empty one for every public zone, and Google shows none there.
    privateVisibilityConfig: visibility === 'private' ? (privateVisibilityConfig ?? undefined) : undefined,
  }
}

function presentOperation(operation: Operation): Record<string, unknown> {
  const { oldValue, newValue } = operation.args as ZoneUpdate
  return {
    kind: 'dns#operation',
    id: operation.name,
    startTime: operation.insertTime,
    status: operation.status === 'DONE' ? 'done' : 'pending',
    type: operation.type,
    user: operation.user,
    zoneContext: { oldValue: presentZone(oldValue), newValue: presentZone(newValue) },
  }
}
