/** Rows of buckets. */
import type { Database } from '../../../store/database.ts'

/** What a client may set on a bucket, as it was sent. */
export type BucketConfig = Readonly<Record<string, unknown>>

export interface Bucket {
  readonly name: string
  readonly projectId: string
  readonly projectNumber: string
  readonly metageneration: number
  /** RFC 3339. */
  readonly timeCreated: string
  readonly updated: string
  readonly config: BucketConfig
}

interface BucketRow {
  name: string
  project_id: string
  project_number: string
  metageneration: number
  time_created: string
  updated: string
  config: string
}

export interface BucketStore {
  find(name: string): Bucket | undefined
  /** Sorted by name. */
  list(projectId: string, prefix: string): readonly Bucket[]
  insert(bucket: Bucket): void
  update(bucket: Bucket): void
  remove(name: string): void
  /** True when any generation of any object is left. */
  hasObjects(name: string): boolean
}

export function createBucketStore(database: Database): BucketStore {
  return {
    find: database.remember((name) => {
      const row = database.get<BucketRow>('SELECT * FROM storage_buckets WHERE name = ?', name)
      return row === undefined ? undefined : toBucket(row)
    }),
    list: (projectId, prefix) =>
      database
        .all<BucketRow>('SELECT * FROM storage_buckets WHERE project_id = ? ORDER BY name', projectId)
        .map(toBucket)
        .filter((bucket) => bucket.name.startsWith(prefix)),
    insert(bucket) {
      database.run(
        'INSERT INTO storage_buckets VALUES (?, ?, ?, ?, ?, ?, ?)',
        bucket.name,
        bucket.projectId,
        bucket.projectNumber,
        bucket.metageneration,
        bucket.timeCreated,
        bucket.updated,
        JSON.stringify(bucket.config),
      )
    },
    update(bucket) {
      database.run(
        'UPDATE storage_buckets SET metageneration = ?, updated = ?, config = ? WHERE name = ?',
        bucket.metageneration,
        bucket.updated,
        JSON.stringify(bucket.config),
        bucket.name,
      )
    },
    remove: (name) => void database.run('DELETE FROM storage_buckets WHERE name = ?', name),
    hasObjects: (name) => database.get('SELECT 1 FROM storage_objects WHERE bucket = ? LIMIT 1', name) !== undefined,
  }
}

function toBucket(row: BucketRow): Bucket {
  return {
    name: row.name,
    projectId: row.project_id,
    projectNumber: row.project_number,
    metageneration: row.metageneration,
    timeCreated: row.time_created,
    updated: row.updated,
    config: JSON.parse(row.config) as BucketConfig,
  }
}
