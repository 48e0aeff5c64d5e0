/** The services of Cloud Storage, wired together. */
import type { Kernel } from '../../kernel/kernel.ts'
import type { ObjectsPort } from '../../kernel/ports.ts'
import { createBucketService } from './service.buckets.ts'
import type { BucketService } from './service.buckets.ts'
import { createObjectService } from './service.objects.ts'
import type { ObjectService } from './service.objects.ts'
import { createUploadService } from './service.uploads.ts'
import type { UploadService } from './service.uploads.ts'
import { createBucketStore } from './store.buckets.ts'
import { createObjectStore } from './store.objects.ts'
import { createUploadStore } from './store.uploads.ts'

export interface Services {
  readonly buckets: BucketService
  readonly objects: ObjectService
  readonly uploads: UploadService
  /** For other rooms. */
  readonly port: ObjectsPort
}

export function createServices(kernel: Kernel): Services {
  const bucketStore = createBucketStore(kernel.database)
  const objectStore = createObjectStore(kernel.database)
  const objects = createObjectService(kernel, objectStore, bucketStore)
  const uploads = createUploadService(kernel, createUploadStore(kernel.database), objects)
  const buckets = createBucketService(kernel, bucketStore, uploads.drop)
  const port: ObjectsPort = {
    stat(bucket, name) {
      const owner = bucketStore.find(bucket)
      const object = owner === undefined ? undefined : objectStore.find(bucket, name)
      if (owner === undefined || object === undefined) return undefined
      return { bucket, name, generation: String(object.generation), sizeBytes: object.sizeBytes, sha256: object.sha256, projectId: owner.projectId }
    },
    read: (info) => objects.read(objects.get(info.bucket, info.name, Number(info.generation))),
  }
  return { buckets, objects, uploads, port }
}
