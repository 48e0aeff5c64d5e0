/** Buckets and objects in the form in which the JSON API shows them. https://cloud.google.com/storage/docs/json_api/v1 */
import { checkLocation } from './schema.ts'
import type { Bucket } from './store.buckets.ts'
import type { StoredObject } from './store.objects.ts'

/** Base64, as clients decode etags. Changes with every change of metadata. */
export function objectEtag(object: StoredObject): string {
  return Buffer.from(`${object.generation}/${object.metageneration}`).toString('base64')
}

/** Base64. */
export function bucketEtag(bucket: Bucket): string {
  return Buffer.from(`b/${bucket.metageneration}`).toString('base64')
}

export function presentBucket(bucket: Bucket, hostUrl: string): Record<string, unknown> {
  const iam = bucket.config['iamConfiguration'] as { uniformBucketLevelAccess?: unknown; publicAccessPrevention?: string } | undefined
  const uniform = iam?.uniformBucketLevelAccess ?? { enabled: true }
  const { location, locationType } = checkLocation(String(bucket.config['location']))
  return {
    kind: 'storage#bucket',
    id: bucket.name,
    selfLink: `${hostUrl}/storage/v1/b/${bucket.name}`,
    projectNumber: bucket.projectNumber,
    name: bucket.name,
    timeCreated: bucket.timeCreated,
    updated: bucket.updated,
    metageneration: String(bucket.metageneration),
    etag: bucketEtag(bucket),
    softDeletePolicy: { retentionDurationSeconds: '0' },
    rpo: locationType === 'region' ? undefined : 'DEFAULT',
    ...bucket.config,
    location,
    locationType,
    iamConfiguration: {
      publicAccessPrevention: 'inherited',
      ...iam,
      bucketPolicyOnly: uniform,
      uniformBucketLevelAccess: uniform,
    },
  }
}

export function presentObject(object: StoredObject, hostUrl: string): Record<string, unknown> {
  const path = `b/${object.bucket}/o/${encodeURIComponent(object.name)}`
  return {
    kind: 'storage#object',
    id: `${object.bucket}/${object.name}/${object.generation}`,
    selfLink: `${hostUrl}/storage/v1/${path}`,
    mediaLink: `${hostUrl}/download/storage/v1/${path}?generation=${object.generation}&alt=media`,
    name: object.name,
    bucket: object.bucket,
    generation: String(object.generation),
    metageneration: String(object.metageneration),
    ...object.fields,
    size: String(object.sizeBytes),
    md5Hash: object.md5,
    crc32c: object.crc32c,
    componentCount: object.componentCount,
    etag: objectEtag(object),
    timeCreated: object.timeCreated,
    updated: object.updated,
    timeFinalized: object.timeCreated,
    timeStorageClassUpdated: object.timeCreated,
    timeDeleted: object.timeDeleted,
  }
}
