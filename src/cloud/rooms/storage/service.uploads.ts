/**
 * Resumable uploads. A session survives a restart of the daemon: its row says how many bytes are safe, its file has them.
 * https://cloud.google.com/storage/docs/performing-resumable-uploads
 */
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { systemErrorCode } from '../../../base/errors.ts'
import { newSecret } from '../../../base/ids.ts'
import { MIB } from '../../../base/units.ts'
import { requireFreeSpace } from '../../../host/files.ts'
import { freedChunks } from '../../../store/body-writer.ts'
import { ApiError, invalidArgument, notFound, permissionDenied } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { ExpectedHashes } from './media/hashes.ts'
import { openPartFile } from './media/part-file.ts'
import type { PartFile } from './media/part-file.ts'
import type { UploadRange } from './media/ranges.ts'
import { MAX_OBJECT_BYTES } from './service.objects.ts'
import type { NewObject, ObjectService } from './service.objects.ts'
import type { StoredObject } from './store.objects.ts'
import type { Upload, UploadRequest, UploadStore } from './store.uploads.ts'

/** A session ends a week after it was started. */
const LIFETIME_MS = 7 * 24 * 3600 * 1000
/** So many bytes at most are sent again after a power cut. */
const SYNC_EVERY_BYTES = 64 * MIB

/** Where a session is: finished with an object, or so many bytes in. */
export type UploadState = { readonly object: StoredObject } | { readonly receivedBytes: number }

export interface UploadService {
  /** Gives the id, which is a secret: whoever has it may send the bytes. @throws ApiError 400, 403, 404, 412; KilnError E_DISK_FULL */
  start(bucket: string, name: string, request: UploadRequest, totalBytes: number | undefined): Promise<string>
  /**
   * Takes bytes (`range` undefined: all of the object from its start) or answers a question about the state.
   * What arrived before the sender went away is kept. @throws ApiError 400, 404, 410, 412, 503
   */
  send(bucket: string, id: string, range: UploadRange | undefined, content: Readable, hashes: ExpectedHashes): Promise<UploadState>
  /** @throws ApiError 404 */
  cancel(bucket: string, id: string): Promise<void>
  /** Removes sessions of a bucket that is deleted, inside the caller's transaction. */
  drop(bucket: string): void
  /** Removes what is too old, and files without a session. */
  clean(): Promise<void>
  /** Closes files. */
  close(): Promise<void>
}

export function createUploadService(kernel: Kernel, store: UploadStore, objects: ObjectService): UploadService {
  const folder = join(kernel.home.cloud, 'blobs', 'uploads')
  const open = new Map<string, PartFile>()
  /** The request that is writing to a session now: a newer one ends it. */
  const writers = new Map<string, { readonly content: Readable; readonly done: Promise<unknown> }>()

  function path(id: string): string {
    return join(folder, id)
  }

  function find(bucket: string, id: string): Upload {
    const upload = store.find(id)
    if (upload === undefined || upload.bucket !== bucket) throw notFound('Upload session not found: it was cancelled, or it ended more than a week ago.')
    return upload
  }

  function toNewObject(upload: Upload, hashes: ExpectedHashes): NewObject {
    const { request } = upload
    return {
      bucket: upload.bucket,
      name: upload.name,
      body: request.body,
      contentType: request.contentType,
      conditions: request.conditions,
      hashes: { ...request.hashes, ...hashes },
      mayReplace() {
        if (!request.mayReplace) throw permissionDenied('storage.objects.delete', `buckets/${upload.bucket}`, 'the caller that started this upload', ['roles/storage.objectAdmin'])
      },
    }
  }

  async function partFile(upload: Upload): Promise<PartFile> {
    let file = open.get(upload.id)
    if (file === undefined) {
      // A daemon that ended between the last byte and the commit took the file along: the sender learns that nothing is here.
      const length = (await sizeOf(path(upload.id))) >= upload.receivedBytes ? upload.receivedBytes : 0
      file = await openPartFile(path(upload.id), length)
      open.set(upload.id, file)
    }
    return file
  }

  async function discard(id: string): Promise<void> {
    await open
      .get(id)
      ?.close()
      .catch(() => {})
    open.delete(id)
    await rm(path(id), { force: true })
  }

  /** Takes the bytes of one request, as far as they come. */
  async function receive(upload: Upload, file: PartFile, range: UploadRange | undefined, totalBytes: number | undefined, content: Readable): Promise<void> {
    const start = range?.bytes?.start ?? 0
    const end = range?.bytes?.end
    const expected = end === undefined ? undefined : end - start + 1
    const limit = totalBytes ?? MAX_OBJECT_BYTES
    // Bytes that are here already, after a repetition, are read over.
    let position = start
    let unsynced = 0
    try {
      for await (const chunk of freedChunks(content)) {
        const fresh = chunk.subarray(Math.min(chunk.length, Math.max(0, file.sizeBytes() - position)))
        position += chunk.length
        if (position > limit || (expected !== undefined && position - start > expected))
          throw invalidArgument('The request has more bytes than its Content-Range says.', { reason: 'badRequest' })
        await file.append(fresh)
        unsynced += fresh.length
        if (unsynced < SYNC_EVERY_BYTES) continue
        unsynced = 0
        store.setProgress(upload.id, await file.sync(), totalBytes)
      }
    } finally {
      try {
        store.setProgress(upload.id, await file.sync(), totalBytes)
      } finally {
        if (file.isBroken()) {
          open.delete(upload.id)
          await file.close()
        }
      }
    }
    if (expected !== undefined && position - start < expected) throw invalidArgument('The request has fewer bytes than its Content-Range says.', { reason: 'badRequest' })
  }

  async function finish(upload: Upload, file: PartFile, hashes: ExpectedHashes): Promise<UploadState> {
    const blob = await file.finish()
    open.delete(upload.id)
    await kernel.blobs.adopt(file.path, blob)
    try {
      return { object: await objects.commit(toNewObject(upload, hashes), blob, { inTransaction: (made) => store.setResult(upload.id, made.generation) }) }
    } catch (error) {
      // Its bytes are not those that were meant, or the place is taken: the session cannot come to a good end.
      store.remove(upload.id)
      throw error
    }
  }

  async function take(bucket: string, id: string, range: UploadRange | undefined, content: Readable, hashes: ExpectedHashes): Promise<UploadState> {
    const upload = find(bucket, id)
    if (upload.resultGeneration !== undefined) return { object: objects.get(bucket, upload.name, upload.resultGeneration) }
    const totalBytes = range?.totalBytes ?? upload.totalBytes
    if (upload.totalBytes !== undefined && totalBytes !== upload.totalBytes)
      throw invalidArgument(`Invalid request. The upload was started with ${upload.totalBytes} bytes, and this request says ${totalBytes}.`, { reason: 'badRequest' })
    const file = await partFile(upload)
    if (range !== undefined && range.bytes === undefined) {
      if (totalBytes !== undefined && totalBytes === file.sizeBytes() && range.totalBytes !== undefined) return finish(upload, file, hashes)
      return { receivedBytes: file.sizeBytes() }
    }
    const start = range?.bytes?.start ?? 0
    if (start > file.sizeBytes()) {
      throw new ApiError(
        'UNAVAILABLE',
        `Invalid request. According to the Content-Range header, the upload offset is ${start} byte(s), which exceeds already uploaded size of ${file.sizeBytes()} byte(s).`,
      )
    }
    await receive(upload, file, range, totalBytes, content)
    // A size that nobody knows is what has come when a body without an end ends.
    const isWhole = totalBytes === undefined ? range?.bytes?.end === undefined : file.sizeBytes() === totalBytes
    if (isWhole) return finish(upload, file, hashes)
    if (range === undefined) throw invalidArgument(`The request has ${file.sizeBytes()} bytes; the upload was started with ${totalBytes}.`, { reason: 'badRequest' })
    return { receivedBytes: file.sizeBytes() }
  }

  return {
    async start(bucket, name, request, totalBytes) {
      const upload: Upload = { id: newSecret(), bucket, name, request, totalBytes, receivedBytes: 0, timeCreated: new Date().toISOString(), resultGeneration: undefined }
      objects.precheck(toNewObject(upload, {}))
      if (totalBytes !== undefined) {
        if (totalBytes > MAX_OBJECT_BYTES) throw new ApiError('PAYLOAD_TOO_LARGE', `Request payload size exceeds the limit: ${MAX_OBJECT_BYTES} bytes.`)
        await requireFreeSpace(kernel.home.cloud, totalBytes, `the upload of gs://${bucket}/${name}`)
      }
      store.insert(upload)
      return upload.id
    },
    async send(bucket, id, range, content, hashes) {
      find(bucket, id)
      const before = writers.get(id)
      if (before !== undefined) before.content.destroy(new Error('a newer request took the upload session over'))
      const done = (before?.done ?? Promise.resolve()).catch(() => {}).then(() => take(bucket, id, range, content, hashes))
      const writer = { content, done }
      writers.set(id, writer)
      try {
        return await done
      } finally {
        if (writers.get(id) === writer) writers.delete(id)
      }
    },
    async cancel(bucket, id) {
      find(bucket, id)
      const writer = writers.get(id)
      writer?.content.destroy(new Error('the upload was cancelled'))
      await writer?.done.catch(() => {})
      store.remove(id)
      await discard(id)
    },
    drop(bucket) {
      for (const id of store.openIds(bucket)) {
        store.remove(id)
        discard(id).catch((error: unknown) => kernel.log.warn({ err: error }, 'the file of a dropped upload could not be removed'))
      }
    },
    async clean() {
      store.removeOlderThan(new Date(Date.now() - LIFETIME_MS).toISOString())
      await removeStrangers(folder, new Set(store.openIds()))
    },
    async close() {
      for (const file of open.values()) await file.close().catch(() => {})
      open.clear()
    },
  }
}

async function removeStrangers(folder: string, known: ReadonlySet<string>): Promise<void> {
  let names: string[]
  try {
    names = await readdir(folder)
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return
    throw error
  }
  for (const name of names) if (!known.has(name)) await rm(join(folder, name), { force: true })
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return 0
    throw error
  }
}
