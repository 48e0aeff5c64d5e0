/** Images. https://cloud.google.com/compute/docs/reference/rest/v1/images */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import type { AnyRoute, RouteRequest } from '../../kernel/room.ts'
import { publicImageProjects } from './data/public-images.ts'
import { resourcePath } from './links.ts'
import { GLOBAL, listQuery, ZONE } from './routes.kit.ts'
import type { RouteKit } from './routes.kit.ts'
import { DeprecateBody, ImageBody, LabelsBody } from './schema.ts'
import { policyRoutes } from './routes.policies.ts'
import { requireZone } from './service.ts'
import { toList } from './shapes.ts'

const IMAGES = `${GLOBAL}/images`
const IMAGE = `${IMAGES}/:image`

export function imageRoutes(kit: RouteKit): readonly AnyRoute[] {
  const { images, caller, projectId, answer } = kit
  const target = kit.on('images', 'image')
  const name = (request: RouteRequest): string => request.params['image'] ?? ''
  const project = (request: RouteRequest): string => request.params['project'] ?? ''
  /** gcloud and Packer look for images in Google's public projects on their own: these are there, and empty, unless a user made one of that name. */
  const isOpen = (request: RouteRequest): boolean => publicImageProjects.has(project(request)) && kit.compute.kernel.projects.find(project(request)) === undefined

  const fromFamily = (request: RouteRequest): compute_v1.Schema$Image =>
    images.fromFamily(isOpen(request) ? project(request) : projectId(request), request.params['family'] ?? '').record

  return [
    {
      id: 'compute.images.insert',
      method: 'POST',
      path: IMAGES,
      permission: 'compute.images.create',
      body: ImageBody,
      handler: (request) => answer(images.insert(caller(request), projectId(request), request.body)),
    },
    {
      id: 'compute.images.list',
      method: 'GET',
      path: IMAGES,
      permission: 'compute.images.list',
      isOpen,
      handler: (request) =>
        isOpen(request)
          ? toList('imageList', `projects/${project(request)}/global/images`, images.publicRecords(project(request)), listQuery(request))
          : kit.list(request, 'imageList', 'images', 'global'),
    },
    {
      id: 'compute.images.get',
      method: 'GET',
      path: IMAGE,
      permission: 'compute.images.get',
      target,
      isOpen,
      handler(request) {
        return images.get(isOpen(request) ? project(request) : projectId(request), name(request)).record
      },
    },
    {
      id: 'compute.images.getFromFamily',
      method: 'GET',
      path: `${IMAGES}/family/:family`,
      permission: 'compute.images.getFromFamily',
      isOpen,
      handler: fromFamily,
    },
    {
      // Which image of a family a zone has; `-` is any zone. New images are in all zones at once here.
      id: 'compute.imageFamilyViews.get',
      method: 'GET',
      path: `${ZONE}/imageFamilyViews/:family`,
      permission: 'compute.images.getFromFamily',
      isOpen,
      handler(request) {
        const zone = request.params['zone'] ?? ''
        if (zone !== '-') requireZone(project(request), zone)
        return { image: fromFamily(request) }
      },
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
