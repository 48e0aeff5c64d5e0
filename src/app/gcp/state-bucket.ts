/** The bucket of Terraform's state, made by Kiln itself: in the project, not public, every older state kept. */
import { KilnError } from '../../base/errors.ts'
import { call, isConflict, isNotFound, isPermissionDenied } from '../../client/errors.ts'
import type { Clients } from '../../client/clients.ts'

export interface StateBucket {
  readonly name: string
  readonly project: string
  readonly region: string
}

interface LiveBucket {
  readonly projectNumber?: string | null
  readonly versioning?: { readonly enabled?: boolean | null } | null
  readonly iamConfiguration?: { readonly publicAccessPrevention?: string | null; readonly uniformBucketLevelAccess?: { readonly enabled?: boolean | null } | null } | null
}

/** How it must be: a state holds secrets, and is the only memory of what was made. */
const settings = {
  iamConfiguration: { publicAccessPrevention: 'enforced', uniformBucketLevelAccess: { enabled: true } },
  versioning: { enabled: true },
} as const

/** True when it is there and is the project's own. @throws KilnError E_EXISTS when the name is another's: bucket names are one space for all of Google */
export async function stateBucketExists(clients: Clients, bucket: StateBucket, signal: AbortSignal): Promise<boolean> {
  return (await readBucket(clients, bucket, signal)) !== undefined
}

/** Makes it, or puts right what differs. Safe to repeat. @throws KilnError E_EXISTS, E_PERMISSION, E_API */
export async function ensureStateBucket(clients: Clients, bucket: StateBucket, signal: AbortSignal): Promise<'made' | 'changed' | 'unchanged'> {
  const storage = await clients.storage()
  const live = await readBucket(clients, bucket, signal)
  if (live === undefined) {
    try {
      await call(
        storage.buckets.insert({ project: bucket.project, requestBody: { name: bucket.name, location: bucket.region, labels: { 'managed-by': 'kiln' }, ...settings } }, { signal }),
      )
      return 'made'
    } catch (error) {
      // a lost answer: the second try meets what the first one made
      if (isConflict(error) && (await stateBucketExists(clients, bucket, signal))) return 'made'
      throw error
    }
  }
  const isRight =
    live.versioning?.enabled === true && live.iamConfiguration?.publicAccessPrevention === 'enforced' && live.iamConfiguration.uniformBucketLevelAccess?.enabled === true
  if (isRight) return 'unchanged'
  await call(storage.buckets.patch({ bucket: bucket.name, requestBody: settings }, { signal }))
  return 'changed'
}

/** Removes it with all states in it. Gone is success. */
export async function removeStateBucket(clients: Clients, bucket: StateBucket, signal: AbortSignal): Promise<boolean> {
  if (!(await stateBucketExists(clients, bucket, signal))) return false
  const storage = await clients.storage()
  for (;;) {
    const page = await call(storage.objects.list({ bucket: bucket.name, versions: true, maxResults: 500 }, { signal }))
    const objects = page.items ?? []
    if (objects.length === 0) break
    for (const { name, generation } of objects) {
      if (!name) continue
      try {
        await call(storage.objects.delete({ bucket: bucket.name, object: name, ...(generation ? { generation } : {}) }, { signal }))
      } catch (error) {
        if (!isNotFound(error)) throw error
      }
    }
  }
  await call(storage.buckets.delete({ bucket: bucket.name }, { signal }))
  return true
}

async function readBucket(clients: Clients, bucket: StateBucket, signal: AbortSignal): Promise<LiveBucket | undefined> {
  const storage = await clients.storage()
  let live: LiveBucket
  try {
    live = await call(storage.buckets.get({ bucket: bucket.name }, { signal }))
  } catch (error) {
    if (isNotFound(error)) return undefined
    if (isPermissionDenied(error)) throw foreign(bucket, error)
    throw error
  }
  if (String(live.projectNumber) !== (await projectNumber(clients, bucket.project, signal))) throw foreign(bucket)
  return live
}

async function projectNumber(clients: Clients, project: string, signal: AbortSignal): Promise<string | undefined> {
  const manager = await clients.resourceManager()
  try {
    return (await call(manager.projects.get({ projectId: project }, { signal }))).projectNumber ?? undefined
  } catch (error) {
    if (isNotFound(error) || isPermissionDenied(error)) return undefined
    throw error
  }
}

function foreign(bucket: StateBucket, cause?: unknown): KilnError {
  return new KilnError('E_EXISTS', `the bucket ${bucket.name} exists and is not the project's ${bucket.project}, so that no state is put there`, {
    hint: `if it is yours, give this account roles/storage.admin on it: gcloud storage buckets add-iam-policy-binding gs://${bucket.name} --member=… --role=roles/storage.admin`,
    ...(cause === undefined ? {} : { cause }),
  })
}
