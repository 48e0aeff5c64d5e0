/** Rows of object generations. At most one generation of a name is live; noncurrent ones have `timeDeleted`. */
import type { Database } from '../../../store/database.ts'

/** Metadata that a client may set on an object. */
export interface ObjectFields {
  readonly contentType?: string
  readonly contentEncoding?: string
  readonly contentDisposition?: string
  readonly contentLanguage?: string
  readonly cacheControl?: string
  readonly storageClass?: string
  readonly customTime?: string
  readonly eventBasedHold?: boolean
  readonly temporaryHold?: boolean
  readonly metadata?: Readonly<Record<string, string>>
}

export interface StoredObject {
  readonly bucket: string
  readonly name: string
  /** Microseconds since 1970, unique in a name. */
  readonly generation: number
  readonly metageneration: number
  readonly sizeBytes: number
  /** Hex; the blob. */
  readonly sha256: string
  /** Base64; composed objects have none. */
  readonly md5: string | undefined
  /** Base64, big endian. */
  readonly crc32c: string
  /** Number of parts of a composed object. */
  readonly componentCount: number | undefined
  readonly timeCreated: string
  readonly updated: string
  readonly timeDeleted: string | undefined
  readonly fields: ObjectFields
}

interface ObjectRow {
  bucket: string
  name: string
  generation: number
  metageneration: number
  size_bytes: number
  sha256: string
  md5: string | null
  crc32c: string
  component_count: number | null
  time_created: string
  updated: string
  time_deleted: string | null
  fields: string
}

/** A place in the order of a listing: what comes strictly after it is next. */
export interface ListCursor {
  readonly name: string
  readonly generation: number
}

export interface ObjectStore {
  /** The live generation, or the given one. */
  find(bucket: string, name: string, generation?: number): StoredObject | undefined
  /** Up to `limit` objects after the cursor, ordered by name (UTF-8 bytes) and generation. */
  after(bucket: string, cursor: ListCursor, versions: boolean, limit: number): readonly StoredObject[]
  insert(object: StoredObject): void
  update(object: StoredObject): void
  /** Keeps the generation as a noncurrent one. */
  archive(object: StoredObject, timeDeleted: string): void
  remove(object: StoredObject): void
  /** The largest generation anywhere, 0 when there is none. */
  lastGeneration(): number
}

export function createObjectStore(database: Database): ObjectStore {
  return {
    find(bucket, name, generation) {
      const row =
        generation === undefined
          ? database.get<ObjectRow>('SELECT * FROM storage_objects WHERE bucket = ? AND name = ? AND time_deleted IS NULL', bucket, name)
          : database.get<ObjectRow>('SELECT * FROM storage_objects WHERE bucket = ? AND name = ? AND generation = ?', bucket, name, generation)
      return row === undefined ? undefined : toObject(row)
    },
    after: (bucket, cursor, versions, limit) =>
      database
        .all<ObjectRow>(
          `SELECT * FROM storage_objects WHERE bucket = ? AND (name, generation) > (?, ?) ${versions ? '' : 'AND time_deleted IS NULL'} ORDER BY name, generation LIMIT ?`,
          bucket,
          cursor.name,
          cursor.generation,
          limit,
        )
        .map(toObject),
    insert(object) {
      database.run(
        'INSERT INTO storage_objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
        object.bucket,
        object.name,
        object.generation,
        object.metageneration,
        object.sizeBytes,
        object.sha256,
        object.md5 ?? null,
        object.crc32c,
        object.componentCount ?? null,
        object.timeCreated,
        object.updated,
        object.timeDeleted ?? null,
        JSON.stringify(object.fields),
      )
    },
    update(object) {
      database.run(
        'UPDATE storage_objects SET metageneration = ?, updated = ?, fields = ? WHERE bucket = ? AND name = ? AND generation = ?',
        object.metageneration,
        object.updated,
        JSON.stringify(object.fields),
        object.bucket,
        object.name,
        object.generation,
      )
    },
    archive(object, timeDeleted) {
      database.run('UPDATE storage_objects SET time_deleted = ? WHERE bucket = ? AND name = ? AND generation = ?', timeDeleted, object.bucket, object.name, object.generation)
    },
    remove(object) {
      database.run('DELETE FROM storage_objects WHERE bucket = ? AND name = ? AND generation = ?', object.bucket, object.name, object.generation)
    },
    lastGeneration: () => database.get<{ last: number | null }>('SELECT max(generation) AS last FROM storage_objects')?.last ?? 0,
  }
}

function toObject(row: ObjectRow): StoredObject {
  return {
    bucket: row.bucket,
    name: row.name,
    generation: row.generation,
    metageneration: row.metageneration,
    sizeBytes: row.size_bytes,
    sha256: row.sha256,
    md5: row.md5 ?? undefined,
    crc32c: row.crc32c,
    componentCount: row.component_count ?? undefined,
    timeCreated: row.time_created,
    updated: row.updated,
    timeDeleted: row.time_deleted ?? undefined,
    fields: JSON.parse(row.fields) as ObjectFields,
  }
}
