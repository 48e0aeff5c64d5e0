/** Buckets: one namespace over all projects. */
import { ApiError, invalidArgument } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Target } from '../../kernel/policy.ts'
import { bucketNotEmpty, bucketNotFound, bucketTaken, required } from './errors.ts'
import { checkBucketName, checkLabels, checkLocation, checkStorageClass } from './schema.ts'
import type { BucketBody } from './schema.ts'
import { requireConditions } from './service.conditions.ts'
import type { Conditions } from './service.conditions.ts'
import type { Bucket, BucketConfig, BucketStore } from './store.buckets.ts'

export interface BucketService {
  /** @throws ApiError 404 */
  get(name: string): Bucket
  /** What permissions on a bucket, or on an object in it, are asked on: conditions of bindings see the object's name. @throws ApiError 404 */
  target(name: string, object?: string): Target
  /** Sorted by name. */
  list(projectId: string, prefix: string): readonly Bucket[]
  /** @throws ApiError 400, 409 */
  create(projectId: string, body: BucketBody): Bucket
  /** Merges (`patch`) or replaces (`update`) what a client may set. @throws ApiError 400, 404, 412 */
  change(name: string, body: BucketBody, how: 'merge' | 'replace', conditions: Conditions): Bucket
  /** @throws ApiError 404, 409 when any object is in it, 412 */
  remove(name: string, conditions: Conditions): void
}

/** Fields that only the service sets. */
const OUTPUT_FIELDS = [
  'kind',
  'id',
  'selfLink',
  'projectNumber',
  'name',
  'timeCreated',
  'updated',
  'etag',
  'metageneration',
  'generation',
  'locationType',
  'acl',
  'defaultObjectAcl',
  'owner',
  'satisfiesPZI',
  'satisfiesPZS',
  'softDeleteTime',
  'hardDeleteTime',
]

export function createBucketService(kernel: Kernel, store: BucketStore, dropUploads: (bucket: string) => void): BucketService {
  const { database } = kernel

  function get(name: string): Bucket {
    const bucket = store.find(name)
    if (bucket === undefined) throw bucketNotFound()
    return bucket
  }

  return {
    get,
    target: (name, object) => ({
      projectId: get(name).projectId,
      resource: `buckets/${name}`,
      ...(object === undefined ? {} : { name: `projects/_/buckets/${name}/objects/${object}` }),
    }),
    list: store.list,
    create(projectId, body) {
      const { name } = body
      if (name === undefined) throw required('name')
      checkBucketName(name)
      const project = kernel.projects.find(projectId)
      if (project === undefined) throw invalidArgument(`Unknown project id: ${projectId}`)
      const config = normalize({ ...settable(body), location: body.location ?? 'US', storageClass: body.storageClass ?? 'STANDARD' })
      const now = new Date().toISOString()
      const bucket: Bucket = { name, projectId: project.projectId, projectNumber: project.projectNumber, metageneration: 1, timeCreated: now, updated: now, config }
      database.transaction(() => {
        const taken = store.find(name)
        if (taken !== undefined) throw bucketTaken(taken.projectId === project.projectId)
        store.insert(bucket)
      })
      return bucket
    },
    change(name, body, how, conditions) {
      return database.transaction(() => {
        const bucket = get(name)
        requireConditions(conditions, { generation: 0, metageneration: bucket.metageneration })
        const fixed = { location: bucket.config['location'] }
        const wanted = how === 'merge' ? mergePatch(bucket.config, settable(body)) : { storageClass: bucket.config['storageClass'], ...settable(body) }
        const location = typeof body.location === 'string' ? body.location.toUpperCase() : fixed.location
        if (location !== fixed.location) throw invalidArgument("A bucket's location cannot be changed.")
        const changed: Bucket = { ...bucket, config: normalize({ ...wanted, ...fixed }), metageneration: bucket.metageneration + 1, updated: new Date().toISOString() }
        store.update(changed)
        return changed
      })
    },
    remove(name, conditions) {
      database.transaction(() => {
        const bucket = get(name)
        requireConditions(conditions, { generation: 0, metageneration: bucket.metageneration })
        if (store.hasObjects(name)) throw bucketNotEmpty()
        dropUploads(name)
        store.remove(name)
        kernel.policies.remove(`buckets/${name}`)
      })
    },
  }
}

function settable(body: BucketBody): BucketConfig {
  return Object.fromEntries(Object.entries(body).filter(([key]) => !OUTPUT_FIELDS.includes(key)))
}

/** Checks and writes values in the form in which they are shown; nulls are gone. */
function normalize(config: BucketConfig): BucketConfig {
  const clean = mergePatch({}, config)
  const retention = clean['retentionPolicy']
  if (typeof retention === 'object' && retention !== null && 'isLocked' in retention && retention.isLocked === true)
    throw new ApiError('UNIMPLEMENTED', 'Locked retention policies are not kept by the pocket cloud.')
  const labels = (clean['labels'] ?? {}) as Record<string, string>
  checkLabels(labels)
  return {
    ...clean,
    ...(Object.keys(labels).length === 0 ? { labels: undefined } : {}),
    location: checkLocation(String(clean['location'])).location,
    storageClass: checkStorageClass(String(clean['storageClass'] ?? 'STANDARD')),
  }
}

/** JSON merge patch (RFC 7396): null removes. */
export function mergePatch(target: unknown, patch: BucketConfig): Record<string, unknown> {
  const result: Record<string, unknown> = typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === undefined) continue
    if (value === null) delete result[key]
    else if (typeof value === 'object' && !Array.isArray(value)) result[key] = mergePatch(result[key], value as BucketConfig)
    else result[key] = value
  }
  return result
}
