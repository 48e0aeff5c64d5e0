/** Addresses, regional and global. https://cloud.google.com/compute/docs/reference/rest/v1/addresses */
import type { AnyRoute, RouteRequest } from '../../kernel/room.ts'
import { GLOBAL, PROJECT, REGION, scopeOf } from './routes.kit.ts'
import type { RouteKit } from './routes.kit.ts'
import { AddressBody, LabelsBody } from './schema.ts'

export function addressRoutes(kit: RouteKit): readonly AnyRoute[] {
  return [
    ...scopedRoutes(kit, REGION, 'addresses'),
    ...scopedRoutes(kit, GLOBAL, 'globalAddresses'),
    {
      id: 'compute.addresses.aggregatedList',
      method: 'GET',
      path: `${PROJECT}/aggregated/addresses`,
      permission: 'compute.addresses.list',
      handler: (request) => kit.aggregate(request, 'addressAggregatedList', 'addresses'),
    },
  ]
}

function scopedRoutes({ addresses, caller, projectId, answer, on, list }: RouteKit, path: string, service: string): readonly AnyRoute[] {
  const target = on('addresses', 'address')
  const name = (request: RouteRequest): string => request.params['address'] ?? ''
  return [
    {
      id: `compute.${service}.insert`,
      method: 'POST',
      path: `${path}/addresses`,
      permission: `compute.${service}.create`,
      body: AddressBody,
      handler: (request) => answer(addresses.insert(caller(request), projectId(request), scopeOf(request), request.body)),
    },
    {
      id: `compute.${service}.list`,
      method: 'GET',
      path: `${path}/addresses`,
      permission: `compute.${service}.list`,
      handler: (request) => list(request, 'addressList', 'addresses', scopeOf(request)),
    },
    {
      id: `compute.${service}.get`,
      method: 'GET',
      path: `${path}/addresses/:address`,
      permission: `compute.${service}.get`,
      target,
      handler: (request) => addresses.get(projectId(request), scopeOf(request), name(request)).record,
    },
    {
      id: `compute.${service}.delete`,
      method: 'DELETE',
      path: `${path}/addresses/:address`,
      permission: `compute.${service}.delete`,
      target,
      handler: (request) => answer(addresses.remove(caller(request), projectId(request), scopeOf(request), name(request))),
    },
    {
      id: `compute.${service}.setLabels`,
      method: 'POST',
      path: `${path}/addresses/:address/setLabels`,
      permission: `compute.${service}.setLabels`,
      target,
      body: LabelsBody,
      handler: (request) => answer(addresses.setLabels(caller(request), projectId(request), scopeOf(request), name(request), request.body)),
    },
  ]
}
