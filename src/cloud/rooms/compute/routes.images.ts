/** Images. https://cloud.google.com/compute/docs/reference/rest/v1/images */
import type { AnyRoute, RouteRequest } from '../../kernel/room.ts'
import { resourcePath } from './links.ts'
import { GLOBAL } from './routes.kit.ts'
import type { RouteKit } from './routes.kit.ts'
import { DeprecateBody, ImageBody, LabelsBody } from './schema.ts'
import { policyRoutes } from './routes.policies.ts'

const IMAGES = `${GLOBAL}/images`
const IMAGE = `${IMAGES}/:image`

export function imageRoutes(kit: RouteKit): readonly AnyRoute[] {
  const { images, caller, projectId, answer } = kit
  const target = kit.on('images', 'image')
  const name = (request: RouteRequest): string => request.params['image'] ?? ''

  return [
    {
      id: 'compute.images.insert',
      method: 'POST',
      path: IMAGES,
      permission: 'compute.images.create',
      body: ImageBody,
      handler: (request) => answer(images.insert(caller(request), projectId(request), request.body)),
    },
    { id: 'compute.images.list', method: 'GET', path: IMAGES, permission: 'compute.images.list', handler: (request) => kit.list(request, 'imageList', 'images', 'global') },
    { id: 'compute.images.get', method: 'GET', path: IMAGE, permission: 'compute.images.get', target, handler: (request) => images.get(projectId(request), name(request)).record },
    {
      id: 'compute.images.getFromFamily',
      method: 'GET',
      path: `${IMAGES}/family/:family`,
      permission: 'compute.images.getFromFamily',
      handler: (request) => images.fromFamily(projectId(request), request.params['family'] ?? '').record,
    },
    {
      id: 'compute.images.delete',
      method: 'DELETE',
      path: IMAGE,
      permission: 'compute.images.delete',
      target,
      handler: (request) => answer(images.remove(caller(request), projectId(request), name(request))),
    },
    {
      id: 'compute.images.patch',
      method: 'PATCH',
      path: IMAGE,
      permission: 'compute.images.update',
      target,
      body: ImageBody,
      handler: (request) => answer(images.patch(caller(request), projectId(request), name(request), request.body)),
    },
    {
      id: 'compute.images.setLabels',
      method: 'POST',
      path: `${IMAGE}/setLabels`,
      permission: 'compute.images.setLabels',
      target,
      body: LabelsBody,
      handler: (request) => answer(images.setLabels(caller(request), projectId(request), name(request), request.body)),
    },
    {
      id: 'compute.images.deprecate',
      method: 'POST',
      path: `${IMAGE}/deprecate`,
      permission: 'compute.images.deprecate',
      target,
      body: DeprecateBody,
      handler: (request) => answer(images.deprecate(caller(request), projectId(request), name(request), request.body)),
    },
    ...policyRoutes(kit, 'images', IMAGE, target, (request) => resourcePath(images.get(projectId(request), name(request)))),
  ]
}
