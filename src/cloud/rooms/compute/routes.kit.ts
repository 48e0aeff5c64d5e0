/** What the route tables of the room share: paths, and answers in the room's usual form. */
import type { LoadBalancing } from './balancing/service.ts'
import type { Operation } from '../../kernel/operations.ts'
import type { Target } from '../../kernel/policy.ts'
import type { RouteRequest } from '../../kernel/room.ts'
import type { InstanceGroups } from './groups/service.ts'
import type { Caller, Compute } from './service.ts'
import type { Addresses } from './service.addresses.ts'
import type { Disks } from './service.disks.ts'
import type { Firewalls } from './service.firewalls.ts'
import type { Images } from './service.images.ts'
import type { InstanceChanges } from './service.instance-changes.ts'
import type { InstanceSettings } from './service.instance-settings.ts'
import type { Instances } from './service.instances.ts'
import type { Networks } from './service.networks.ts'
import type { Projects } from './service.projects.ts'
import type { Routers } from './service.routers.ts'
import type { Snapshots } from './service.snapshots.ts'
import type { ListQuery } from './shapes.ts'

export const PROJECT = '/compute/v1/projects/:project'
export const GLOBAL = `${PROJECT}/global`
export const ZONE = `${PROJECT}/zones/:zone`
export const REGION = `${PROJECT}/regions/:region`

export interface Services {
  readonly balancing: LoadBalancing
  readonly compute: Compute
  readonly projects: Projects
  readonly networks: Networks
  readonly firewalls: Firewalls
  readonly addresses: Addresses
  readonly images: Images
  readonly snapshots: Snapshots
  readonly routers: Routers
  readonly disks: Disks
  readonly instances: Instances
  readonly instanceGroups: InstanceGroups
  readonly changes: InstanceChanges
  readonly settings: InstanceSettings
}

export interface RouteKit extends Services {
  /** The project's id, with its default network made; from the path. @throws ApiError 404 */
  projectId(request: RouteRequest): string
  caller(request: RouteRequest): Caller
  /** The operation in Google's shape; DONE at once when its work takes a moment only, which spares clients their polling. */
  answer(operation: Operation): Promise<object>
  /** A permission on one resource: from the path's own parameters. */
  on(collection: string, parameter: string): (request: RouteRequest) => Target
  /** `{kind, items}` of a collection in a scope. */
  list(request: RouteRequest, kind: string, collection: string, scope: string): object
  aggregate(request: RouteRequest, kind: string, collection: string): object
}

/** The scope that a path names. */
export function scopeOf(request: RouteRequest): string {
  const { zone, region } = request.params
  if (zone !== undefined) return `zones/${zone}`
  return region === undefined ? 'global' : `regions/${region}`
}

export function listQuery(request: RouteRequest): ListQuery {
  const { maxResults, pageToken, filter, orderBy } = request.query
  return { maxResults, pageToken, filter, orderBy }
}
