/** The whole route table of Cloud Storage. */
import type { Kernel } from '../../kernel/kernel.ts'
import type { AnyRoute } from '../../kernel/room.ts'
import { bucketRoutes } from './routes.buckets.ts'
import { mediaRoutes } from './routes.media.ts'
import { objectRoutes } from './routes.objects.ts'
import { uploadRoutes } from './routes.uploads.ts'
import type { Services } from './service.ts'

export function storageRoutes(kernel: Kernel, services: Services): readonly AnyRoute[] {
  const { buckets, objects, uploads } = services
  return [...bucketRoutes(kernel, buckets), ...objectRoutes(buckets, objects), ...uploadRoutes(kernel, buckets, objects, uploads), ...mediaRoutes(buckets, objects)]
}
