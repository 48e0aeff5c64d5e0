/** Disks. https://cloud.google.com/compute/docs/reference/rest/v1/disks */
import type { AnyRoute, RouteRequest } from '../../kernel/room.ts'
import { resourcePath } from './links.ts'
import { policyRoutes } from './routes.policies.ts'
import { PROJECT, scopeOf, ZONE } from './routes.kit.ts'
import type { RouteKit } from './routes.kit.ts'
import { DiskBody, LabelsBody, ResizeBody } from './schema.ts'

const DISK = `${ZONE}/disks/:disk`

export function diskRoutes(kit: RouteKit): readonly AnyRoute[] {
  const { disks, caller, projectId, answer } = kit
  const target = kit.on('disks', 'disk')
  const path = (request: RouteRequest): [string, string, string] => [projectId(request), request.params['zone'] ?? '', request.params['disk'] ?? '']

  return [
    {
      id: 'compute.disks.insert',
      method: 'POST',
      path: `${ZONE}/disks`,
      permission: 'compute.disks.create',
      body: DiskBody,
      // The image may also come as a query parameter, from old clients.
      handler: (request) =>
        answer(
          disks.insert(caller(request), projectId(request), request.params['zone'] ?? '', {
            ...request.body,
            sourceImage: request.body.sourceImage ?? request.query['sourceImage'],
          }),
        ),
    },
    {
      id: 'compute.disks.list',
      method: 'GET',
      path: `${ZONE}/disks`,
      permission: 'compute.disks.list',
      handler: (request) => kit.list(request, 'diskList', 'disks', scopeOf(request)),
    },
    {
      id: 'compute.disks.aggregatedList',
      method: 'GET',
      path: `${PROJECT}/aggregated/disks`,
      permission: 'compute.disks.list',
      handler: (request) => kit.aggregate(request, 'diskAggregatedList', 'disks'),
    },
    { id: 'compute.disks.get', method: 'GET', path: DISK, permission: 'compute.disks.get', target, handler: (request) => disks.get(...path(request)).record },
    {
      id: 'compute.disks.delete',
      method: 'DELETE',
      path: DISK,
      permission: 'compute.disks.delete',
      target,
      handler: (request) => answer(disks.remove(caller(request), ...path(request))),
    },
    {
      id: 'compute.disks.resize',
      method: 'POST',
      path: `${DISK}/resize`,
      permission: 'compute.disks.resize',
      target,
      body: ResizeBody,
      handler: (request) => answer(disks.resize(caller(request), ...path(request), request.body.sizeGb)),
    },
    {
      id: 'compute.disks.setLabels',
      method: 'POST',
      path: `${DISK}/setLabels`,
      permission: 'compute.disks.setLabels',
      target,
      body: LabelsBody,
      handler: (request) => answer(disks.setLabels(caller(request), ...path(request), request.body)),
    },
    ...policyRoutes(kit, 'disks', DISK, target, (request) => resourcePath(disks.get(...path(request)))),
  ]
}
