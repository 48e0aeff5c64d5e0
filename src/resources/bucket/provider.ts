/**
 * Buckets. https://cloud.google.com/storage/docs/json_api/v1/buckets
 * Removing one deletes the objects that Kiln put there (their metadata says so) and no other; a bucket with other people's objects stays, with an error.
 */
import type { storage_v1 } from '@googleapis/storage/build/v1.js'
import { KilnError } from '../../base/errors.ts'
import type { Clients } from '../../client/clients.ts'
import { call, isAbsent, isConflict, isGone, isNotFound, isPermissionDenied } from '../../client/errors.ts'
import type { KindContext, ResourceKind } from '../../engine/types.ts'
import { compare, compareMaps, isForeignLabel, isOurs, parseProps, part } from '../resource.ts'
import { bucketResource } from './resource.ts'
import { BucketProps } from './schema.ts'
import type { BucketAttributes } from './schema.ts'

type Context = KindContext<Clients>

export const bucketKind: ResourceKind<BucketProps, BucketAttributes, Clients> = {
  kind: bucketResource.kind,
  identity: bucketResource.identity,
  parse: (props) => parseProps(bucketResource.kind, BucketProps, props),

  async observe(context, identity) {
    const storage = await context.clients.storage()
    try {
      return toAttributes(await call(storage.buckets.get({ bucket: part(identity, 'name') }, { signal: context.signal })))
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  diff: (props, observed) => [
    ...compare(bucketResource, { location: [observed.location, props.location], uniformAccess: [observed.uniformAccess, true] }),
    ...compareMaps('labels', observed.labels, props.labels),
  ],

  async create(context, props) {
    const storage = await context.clients.storage()
    const bucket = {
      name: props.name,
      location: props.location,
      labels: { ...props.labels },
      iamConfiguration: { uniformBucketLevelAccess: { enabled: true }, publicAccessPrevention: 'enforced' },
    }
    try {
      return toAttributes(await call(storage.buckets.insert({ project: props.projectId, requestBody: bucket }, { signal: context.signal })))
    } catch (error) {
      if (!isConflict(error)) throw error
      return await adopt(context, props, error)
    }
  },

  async update(context, props, observed) {
    const storage = await context.clients.storage()
    // a label is deleted by null; the client's type knows only texts
    const dropped = Object.keys(observed.labels).filter((key) => props.labels[key] === undefined && !isForeignLabel(key))
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const labels = { ...Object.fromEntries(dropped.map((key) => [key, null])), ...props.labels } as Record<string, string>
    const requestBody = { labels, iamConfiguration: { uniformBucketLevelAccess: { enabled: true } } }
    return toAttributes(await call(storage.buckets.patch({ bucket: props.name, requestBody }, { signal: context.signal })))
  },

  async remove(context, identity) {
    const name = part(identity, 'name')
    const storage = await context.clients.storage()
    try {
      const foreign = await emptyBucket(context, name)
      if (foreign.length > 0) {
        throw new KilnError('E_API', `the bucket ${name} holds objects that Kiln did not put there: ${foreign.slice(0, 5).join(', ')}${foreign.length > 5 ? ', …' : ''}`, {
          hint: `look at them, then delete them with: gcloud storage rm --recursive gs://${name}`,
        })
      }
      await call(storage.buckets.delete({ bucket: name }, { signal: context.signal }))
    } catch (error) {
      if (!isGone(error)) throw error
    }
  },
}

/** Bucket names are shared by all of Google Cloud: the one that is there may be somebody else's. */
async function adopt(context: Context, props: BucketProps, conflict: unknown): Promise<BucketAttributes> {
  const storage = await context.clients.storage()
  try {
    return toAttributes(await call(storage.buckets.get({ bucket: props.name }, { signal: context.signal })))
  } catch (error) {
    if (!isPermissionDenied(error) && !isNotFound(error)) throw error
    throw new KilnError('E_PERMISSION', `the bucket name ${props.name} is taken by a bucket that this account cannot see`, {
      hint: 'choose another name; bucket names are unique in all of Google Cloud',
      cause: conflict,
    })
  }
}

/** Deletes our objects; returns the names of those that are not ours. */
async function emptyBucket(context: Context, bucket: string): Promise<readonly string[]> {
  const storage = await context.clients.storage()
  const foreign: string[] = []
  let pageToken: string | undefined
  do {
    const page: storage_v1.Schema$Objects = await call(storage.objects.list({ bucket, ...(pageToken === undefined ? {} : { pageToken }) }, { signal: context.signal }))
    for (const object of page.items ?? []) {
      const name = object.name ?? ''
      if (isOurs(object.metadata)) await deleteObject(context, bucket, name)
      else foreign.push(name)
    }
    pageToken = page.nextPageToken ?? undefined
  } while (pageToken !== undefined)
  return foreign
}

async function deleteObject(context: Context, bucket: string, object: string): Promise<void> {
  const storage = await context.clients.storage()
  try {
    await call(storage.objects.delete({ bucket, object }, { signal: context.signal }))
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

function toAttributes(bucket: storage_v1.Schema$Bucket): BucketAttributes {
  return {
    name: bucket.name ?? '',
    url: `gs://${bucket.name ?? ''}`,
    location: (bucket.location ?? '').toLowerCase(),
    labels: bucket.labels ?? {},
    uniformAccess: bucket.iamConfiguration?.uniformBucketLevelAccess?.enabled !== false,
  }
}
