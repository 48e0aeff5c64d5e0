/** Snapshots. https://cloud.google.com/compute/docs/reference/rest/v1/snapshots */
import type { AnyRoute, RouteRequest } from '../../kernel/room.ts'
import { resourcePath } from './links.ts'
import { GLOBAL, scopeOf, ZONE } from './routes.kit.ts'
import type { RouteKit } from './routes.kit.ts'
import { policyRoutes } from './routes.policies.ts'
import { LabelsBody, SnapshotBody } from './schema.ts'

const SNAPSHOT = `${GLOBAL}/snapshots/:snapshot`

export function snapshotRoutes(kit: RouteKit): readonly AnyRoute[] {
  const { snapshots, caller, projectId, answer } = kit
  const target = kit.on('snapshots', 'snapshot')
  const name = (request: RouteRequest): string => request.params['snapshot'] ?? ''

  return [
    {
      id: 'compute.disks.createSnapshot',
      method: 'POST',
      path: `${ZONE}/disks/:disk/createSnapshot`,
      permission: 'compute.snapshots.create',
      body: SnapshotBody,
      handler(request) {
        const scope = scopeOf(request)
        return answer(snapshots.insert(caller(request), projectId(request), { ...request.body, sourceDisk: `${scope}/disks/${request.params['disk'] ?? ''}` }, scope))
      },
    },
    {
      id: 'compute.snapshots.insert',
      method: 'POST',
      path: `${GLOBAL}/snapshots`,
      permission: 'compute.snapshots.create',
      body: SnapshotBody,
      handler: (request) => answer(snapshots.insert(caller(request), projectId(request), request.body)),
    },
    {
      id: 'compute.snapshots.list',
      method: 'GET',
      path: `${GLOBAL}/snapshots`,
      permission: 'compute.snapshots.list',
      handler: (request) => kit.list(request, 'snapshotList', 'snapshots', 'global'),
    },
    {
      id: 'compute.snapshots.get',
      method: 'GET',
      path: SNAPSHOT,
      permission: 'compute.snapshots.get',
      target,
      handler: (request) => snapshots.get(projectId(request), name(request)).record,
    },
    {
      id: 'compute.snapshots.delete',
      method: 'DELETE',
      path: SNAPSHOT,
      permission: 'compute.snapshots.delete',
      target,
      handler: (request) => answer(snapshots.remove(caller(request), projectId(request), name(request))),
    },
    {
      id: 'compute.snapshots.setLabels',
      method: 'POST',
      path: `${SNAPSHOT}/setLabels`,
      permission: 'compute.snapshots.setLabels',
      target,
      body: LabelsBody,
      handler: (request) => answer(snapshots.setLabels(caller(request), projectId(request), name(request), request.body)),
    },
    ...policyRoutes(kit, 'snapshots', SNAPSHOT, target, (request) => resourcePath(snapshots.get(projectId(request), name(request)))),
  ]
}
