/** Objects: generations of bytes under a name. Every change is one transaction; the bytes are durable before it. */
import type { Readable } from 'node:stream'
import { invalidArgument } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { requireFreeSpace } from '../../../host/files.ts'
import { BlobTooLargeError } from '../../../store/blobs.ts'
import type { Blob } from '../../../store/blobs.ts'
import { freedChunks } from '../../../store/body-writer.ts'
import { bucketNotFound, objectNotFound } from './errors.ts'
import { checkHashes } from './media/hashes.ts'
import type { ExpectedHashes } from './media/hashes.ts'
import { checkObjectName, checkStorageClass } from './schema.ts'
import type { ObjectBody } from './schema.ts'
import { mergePatch } from './service.buckets.ts'
import { requireConditions } from './service.conditions.ts'
import type { Conditions } from './service.conditions.ts'
import { listObjects } from './service.list.ts'
import type { ListPage, ListRequest } from './service.list.ts'
import type { BucketStore } from './store.buckets.ts'
import type { ObjectFields, ObjectStore, StoredObject } from './store.objects.ts'

/** The largest object that Cloud Storage takes. */
export const MAX_OBJECT_BYTES = 5 * 1024 ** 4
const MAX_COMPOSE_SOURCES = 32
const MAX_METADATA_BYTES = 8 * 1024

export interface NewObject {
  readonly bucket: string
  readonly name: string
  readonly body: ObjectBody
  /** Used when the body names none. */
  readonly contentType?: string | undefined
  readonly conditions: Conditions
  /** Hashes from headers; those in the body are always checked. */
  readonly hashes?: ExpectedHashes
  /** Called when a live object would be replaced. Throws when the caller may not. */
  readonly mayReplace: () => void
}

export interface SourceObject {
  readonly name: string
  readonly generation?: number | undefined
  readonly ifGenerationMatch?: number | undefined
}

export interface ObjectService {
  /** @throws ApiError 404 */
  get(bucket: string, name: string, generation?: number): StoredObject
  list(bucket: string, request: ListRequest): ListPage
  /** All of the object's bytes. They stay until the stream is closed, also when the object is deleted meanwhile. */
  read(object: StoredObject): Readable
  /** The file of the object's bytes, which stays until it is released. */
  hold(object: StoredObject): { readonly path: string; readonly release: () => void }
  /** Early answer before bytes are sent. @throws ApiError 400, 403, 404, 412 */
  precheck(object: NewObject): void
  /** Takes the bytes to their end and makes the object; `expectedBytes` are asked of the disk before. Whatever fails, nothing is kept. @throws ApiError 400, 404, 412; KilnError E_DISK_FULL */
  insert(object: NewObject, content: AsyncIterable<Uint8Array>, expectedBytes?: number): Promise<StoredObject>
  /** Makes the object from a pinned blob, and ends the pin in any case. `inTransaction` runs with it. @throws as insert */
  commit(object: NewObject, blob: Blob, extra?: { readonly componentCount?: number; readonly inTransaction?: (made: StoredObject) => void }): Promise<StoredObject>
  /** Another object with the same bytes, and the same metadata when the body is empty. @throws ApiError 400, 404, 412 */
  copy(source: StoredObject, object: NewObject, sourceConditions: Conditions): Promise<StoredObject>
  /** One object of the bytes of up to 32. @throws ApiError 400, 404, 412 */
  compose(object: NewObject, sources: readonly SourceObject[]): Promise<StoredObject>
  /** @throws ApiError 400, 404, 412 */
  change(bucket: string, name: string, generation: number | undefined, body: ObjectBody, how: 'merge' | 'replace', conditions: Conditions): StoredObject
  /** In a bucket with versioning the live generation becomes noncurrent, unless it is named. @throws ApiError 404, 412 */
  remove(bucket: string, name: string, generation: number | undefined, conditions: Conditions): Promise<void>
}

export function createObjectService(kernel: Kernel, store: ObjectStore, buckets: BucketStore): ObjectService {
  const { database, blobs } = kernel
  let lastGeneration = store.lastGeneration()

  function nextGeneration(): number {
    lastGeneration = Math.max(Date.now() * 1000, lastGeneration + 1)
    return lastGeneration
  }

  function get(bucket: string, name: string, generation?: number): StoredObject {
    const object = store.find(bucket, name, generation)
    if (object === undefined) throw objectNotFound(bucket, name)
    return object
  }

  function requireBucket(name: string): { readonly isVersioned: boolean; readonly storageClass: string } {
    const bucket = buckets.find(name)
    if (bucket === undefined) throw bucketNotFound()
    const versioning = bucket.config['versioning'] as { enabled?: boolean } | undefined
    return { isVersioned: versioning?.enabled === true, storageClass: String(bucket.config['storageClass']) }
  }

  function precheck(object: NewObject): void {
    checkObjectName(object.name)
    requireBucket(object.bucket)
    toFields(object.body)
    const current = store.find(object.bucket, object.name)
    requireConditions(object.conditions, current)
    if (current !== undefined) object.mayReplace()
  }

  /** The live generation leaves: kept as noncurrent, or gone. */
  function retire(current: StoredObject, isVersioned: boolean, now: string): void {
    if (current.fields.eventBasedHold === true || current.fields.temporaryHold === true) throw heldObject(current)
    if (isVersioned) {
      store.archive(current, now)
      return
    }
    store.remove(current)
    blobs.release(blobOwner(current))
  }

  async function commit(
    object: NewObject,
    blob: Blob,
    extra: { readonly componentCount?: number; readonly inTransaction?: (made: StoredObject) => void } = {},
  ): Promise<StoredObject> {
    let isRetained = false
    try {
      return database.transaction(() => {
        precheck(object)
        const { isVersioned, storageClass } = requireBucket(object.bucket)
        checkHashes([toExpected(object.body), object.hashes ?? {}], blob)
        const now = new Date().toISOString()
        const current = store.find(object.bucket, object.name)
        if (current !== undefined) retire(current, isVersioned, now)
        const contentType = object.body.contentType ?? object.contentType
        const made: StoredObject = {
          bucket: object.bucket,
          name: object.name,
          generation: nextGeneration(),
          metageneration: 1,
          sizeBytes: blob.sizeBytes,
          sha256: blob.sha256,
          md5: extra.componentCount === undefined ? blob.md5 : undefined,
          crc32c: blob.crc32c,
          componentCount: extra.componentCount,
          timeCreated: now,
          updated: now,
          timeDeleted: undefined,
          fields: { storageClass, ...toFields(object.body), ...(contentType === undefined || contentType === '' ? {} : { contentType }) },
        }
        store.insert(made)
        extra.inTransaction?.(made)
        blobs.retain(blobOwner(made), blob.sha256)
        isRetained = true
        return made
      })
    } finally {
      if (!isRetained) blobs.unpin(blob.sha256)
      await blobs.collect()
    }
  }

  function hold(object: StoredObject): { readonly path: string; readonly release: () => void } {
    blobs.pin(object.sha256)
    const release = (): void => {
      blobs.unpin(object.sha256)
      blobs.collect().catch((error: unknown) => kernel.log.warn({ err: error }, 'bytes that nobody needs could not be removed'))
    }
    return { path: blobs.path(object.sha256), release }
  }

  return {
    get,
    list: (bucket, request) => listObjects(store, bucket, request),
    read: (object) => blobs.read(object.sha256).once('close', hold(object).release),
    hold,
    precheck,
    async insert(object, content, expectedBytes = 0) {
      checkObjectName(object.name)
      if (expectedBytes > MAX_OBJECT_BYTES) throw new BlobTooLargeError(MAX_OBJECT_BYTES)
      await requireFreeSpace(kernel.home.cloud, expectedBytes, `the upload of gs://${object.bucket}/${object.name}`)
      return commit(object, await blobs.write(content, { maxBytes: MAX_OBJECT_BYTES }))
    },
    commit,
    async copy(source, object, sourceConditions) {
      requireConditions(sourceConditions, source)
      // Since the source was looked up nothing else has run: the blob is there to pin.
      blobs.pin(source.sha256)
      const isKeeping = Object.keys(object.body).every((key) => ['name', 'bucket', 'storageClass'].includes(key))
      const { storageClass: _dropped, ...kept } = source.fields
      const body: ObjectBody = isKeeping ? { ...kept, ...object.body } : object.body
      // A composed object has no MD5, and its copy has none either.
      const blob: Blob = { sha256: source.sha256, sizeBytes: source.sizeBytes, md5: source.md5 ?? '', crc32c: source.crc32c }
      return commit({ ...object, body, contentType: source.fields.contentType }, blob, source.componentCount === undefined ? {} : { componentCount: source.componentCount })
    },
    async compose(object, sources) {
      if (sources.length === 0) throw invalidArgument('You must provide at least one source component.')
      if (sources.length > MAX_COMPOSE_SOURCES) throw invalidArgument(`The number of source components provided (${sources.length}) exceeds the maximum (${MAX_COMPOSE_SOURCES})`)
      precheck(object)
      const parts = sources.map((source) => {
        const part = get(object.bucket, source.name, source.generation)
        requireConditions(source.ifGenerationMatch === undefined ? {} : { ifGenerationMatch: source.ifGenerationMatch }, part)
        return part
      })
      for (const part of parts) blobs.pin(part.sha256)
      try {
        const blob = await blobs.write(joinBlobs(parts.map((part) => blobs.read.bind(undefined, part.sha256))))
        const contentType = object.contentType ?? parts[0]?.fields.contentType
        return await commit({ ...object, contentType }, blob, { componentCount: parts.reduce((sum, part) => sum + (part.componentCount ?? 1), 0) })
      } finally {
        for (const part of parts) blobs.unpin(part.sha256)
        await blobs.collect()
      }
    },
    change(bucket, name, generation, body, how, conditions) {
      return database.transaction(() => {
        const object = get(bucket, name, generation)
        requireConditions(conditions, object)
        const { storageClass } = object.fields
        const fields =
          how === 'merge' ? (mergePatch(object.fields, pickFields(body)) as ObjectFields) : { ...(storageClass === undefined ? {} : { storageClass }), ...toFields(body) }
        checkFields(fields)
        const changed: StoredObject = { ...object, fields, metageneration: object.metageneration + 1, updated: new Date().toISOString() }
        store.update(changed)
        return changed
      })
    },
    async remove(bucket, name, generation, conditions) {
      database.transaction(() => {
        const { isVersioned } = requireBucket(bucket)
        const object = get(bucket, name, generation)
        requireConditions(conditions, object)
        retire(object, isVersioned && generation === undefined, new Date().toISOString())
      })
      await blobs.collect()
    },
  }
}

function heldObject(object: StoredObject): Error {
  return invalidArgument(`Object '${object.bucket}/${object.name}' is under active hold and cannot be deleted, overwritten or archived until hold is removed.`)
}

function blobOwner(object: StoredObject): string {
  return `storage/${object.bucket}/${object.name}/${object.generation}`
}

async function* joinBlobs(readers: readonly (() => Readable)[]): AsyncGenerator<Uint8Array> {
  for (const open of readers) yield* freedChunks(open())
}

function toExpected(body: ObjectBody): ExpectedHashes {
  return {
    ...(typeof body.md5Hash === 'string' && body.md5Hash !== '' ? { md5: body.md5Hash } : {}),
    ...(typeof body.crc32c === 'string' && body.crc32c !== '' ? { crc32c: body.crc32c } : {}),
  }
}

const FIELDS = [
  'contentType',
  'contentEncoding',
  'contentDisposition',
  'contentLanguage',
  'cacheControl',
  'storageClass',
  'customTime',
  'eventBasedHold',
  'temporaryHold',
  'metadata',
] as const

/** Only what may be set, nulls included. */
function pickFields(body: ObjectBody): Record<string, unknown> {
  return Object.fromEntries(
    FIELDS.filter((key) => body[key] !== undefined).map((key) => [key, key === 'storageClass' && typeof body[key] === 'string' ? checkStorageClass(body[key]) : body[key]]),
  )
}

function toFields(body: ObjectBody): ObjectFields {
  const fields = mergePatch({}, pickFields(body)) as ObjectFields
  checkFields(fields)
  return fields
}

function checkFields(fields: ObjectFields): void {
  const sizeBytes = Object.entries(fields.metadata ?? {}).reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0)
  if (sizeBytes > MAX_METADATA_BYTES) throw invalidArgument(`The metadata for the object is larger than ${MAX_METADATA_BYTES} bytes.`)
}
