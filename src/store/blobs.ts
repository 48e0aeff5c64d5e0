/**
 * Bytes by their SHA-256. A blob is written to a temporary file while it is hashed, flushed, and renamed to its name: readers
 * see whole blobs only, and what `write` answered for survives a power cut.
 *
 * Ownership: a row in `blob_refs` keeps a blob. `write` pins its result in memory until `retain` or `unpin`, so that a blob
 * that is dropped by one owner cannot vanish under another that just wrote the same bytes.
 */
import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { ReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { KIB } from '../base/units.ts'
import { exists, explainDiskError, syncFolder } from '../host/files.ts'
import { createBodyWriter } from './body-writer.ts'
import { createChecksummer } from './checksums.ts'
import type { Checksums } from './checksums.ts'
import type { Database, Migrations } from './database.ts'

export interface Blob extends Checksums {
  readonly sizeBytes: number
}

export interface WriteOptions {
  /** More bytes than this end the write with `BlobTooLargeError`. */
  readonly maxBytes?: number
}

/** The body was larger than its limit. Nothing was kept. */
export class BlobTooLargeError extends Error {
  readonly maxBytes: number
  constructor(maxBytes: number) {
    super(`the body is larger than ${maxBytes} bytes`)
    this.name = 'BlobTooLargeError'
    this.maxBytes = maxBytes
  }
}

export const blobMigrations: Migrations = {
  namespace: 'blobs',
  steps: ['CREATE TABLE blob_refs (owner TEXT PRIMARY KEY, sha256 TEXT NOT NULL) STRICT; CREATE INDEX blob_refs_by_sha256 ON blob_refs (sha256)'],
}

export interface BlobStore {
  /** Takes a stream to its end, each chunk before it asks for the next; durable when it resolves. The result is pinned. @throws BlobTooLargeError, KilnError E_DISK_FULL, or the stream's own error. */
  write(source: AsyncIterable<Uint8Array>, options?: WriteOptions): Promise<Blob>
  /** Path of a blob, to read only. */
  path(sha256: string): string
  /** Bytes `start`..`end` inclusive; all of them by default. */
  read(sha256: string, range?: { readonly start: number; readonly end: number }): ReadStream
  /** Inside the caller's transaction: `owner` (unique text, "storage/BUCKET/OBJECT/GENERATION") keeps this blob. Unpins. */
  retain(owner: string, sha256: string): void
  /** Inside the caller's transaction: `owner` no longer keeps its blob. Call `collect` afterwards. */
  release(owner: string): void
  /** Keeps a blob that exists from being collected until `unpin`: for readers, and before it is retained once more. */
  pin(sha256: string): void
  /** Ends a pin without keeping the blob. */
  unpin(sha256: string): void
  /** Takes a whole file that the caller wrote, flushed and hashed (on the same file system) as a blob, by renaming it. The result is pinned. @throws KilnError E_DISK_FULL */
  adopt(file: string, blob: Blob): Promise<void>
  /** Deletes blobs that nobody keeps or pins, and temporary files of dead writers (only at start: `includeTemporary`). */
  collect(includeTemporary?: boolean): Promise<void>
}

/** What one read of a large blob takes: fewer turns of the thread pool. */
const CHUNK_BYTES = 256 * KIB

/** Opens the blob folder; `database` holds the references. */
export function openBlobStore(root: string, database: Database): BlobStore {
  database.migrate(blobMigrations)
  const pins = new Map<string, number>()
  const temporaryFolder = join(root, 'tmp')
  const dropped = new Set<string>()
  /** Removals under way: a writer of the same bytes waits for them, so that its file is not the one that goes. */
  const removals = new Map<string, Promise<void>>()
  /** Folders of blobs whose own entries are known to be on the disk. */
  const durableFolders = new Set<string>()

  function path(sha256: string): string {
    return join(root, sha256.slice(0, 2), sha256)
  }

  function unpin(sha256: string): void {
    const count = (pins.get(sha256) ?? 0) - 1
    if (count > 0) {
      pins.set(sha256, count)
      return
    }
    pins.delete(sha256)
    dropped.add(sha256)
  }

  function isKept(sha256: string): boolean {
    return pins.has(sha256) || database.get('SELECT 1 FROM blob_refs WHERE sha256 = ? LIMIT 1', sha256) !== undefined
  }

  /** Gives a flushed file its name, durable when it resolves, and pins it. */
  async function put(file: string, sha256: string): Promise<void> {
    pin(sha256)
    try {
      const folder = dirname(path(sha256))
      const isDurable = durableFolders.has(folder)
      if (!isDurable) await mkdir(folder, { recursive: true })
      await removals.get(sha256)
      await rename(file, path(sha256))
      await syncFolder(folder)
      if (isDurable) return
      await syncFolder(root)
      durableFolders.add(folder)
    } catch (error) {
      unpin(sha256)
      throw explainDiskError(error, file)
    }
  }

  async function write(source: AsyncIterable<Uint8Array>, options: WriteOptions = {}): Promise<Blob> {
    await mkdir(temporaryFolder, { recursive: true })
    const temporary = join(temporaryFolder, randomBytes(12).toString('hex'))
    const maxBytes = options.maxBytes ?? Number.POSITIVE_INFINITY
    const file = await open(temporary, 'wx', 0o600)
    const checksums = createChecksummer()
    const writer = createBodyWriter(file, 0, checksums)
    try {
      let sizeBytes = 0
      for await (const chunk of source) {
        sizeBytes += chunk.length
        if (sizeBytes > maxBytes) throw new BlobTooLargeError(maxBytes)
        await writer.add(chunk)
      }
      await writer.drain()
      await file.sync()
      await file.close()
      const blob: Blob = { ...checksums.digest(), sizeBytes }
      await put(temporary, blob.sha256)
      return blob
    } catch (error) {
      await writer.close()
      await file.close().catch(() => {})
      await rm(temporary, { force: true })
      throw explainDiskError(error, temporary)
    }
  }

  function pin(sha256: string): void {
    pins.set(sha256, (pins.get(sha256) ?? 0) + 1)
  }

  async function collect(includeTemporary = false): Promise<void> {
    if (includeTemporary) {
      await rm(temporaryFolder, { recursive: true, force: true })
      for (const sha256 of await listBlobs(root)) dropped.add(sha256)
    }
    for (const sha256 of dropped) {
      dropped.delete(sha256)
      if (isKept(sha256)) continue
      const removal = rm(path(sha256), { force: true }).finally(() => removals.delete(sha256))
      removals.set(sha256, removal)
      await removal
    }
  }

  return {
    write,
    path,
    read: (sha256, range) => createReadStream(path(sha256), range === undefined ? {} : { start: range.start, end: range.end, highWaterMark: CHUNK_BYTES }),
    retain(owner, sha256) {
      const previous = database.get<{ sha256: string }>('SELECT sha256 FROM blob_refs WHERE owner = ?', owner)
      if (previous !== undefined && previous.sha256 !== sha256) dropped.add(previous.sha256)
      database.run('INSERT INTO blob_refs VALUES (?, ?) ON CONFLICT (owner) DO UPDATE SET sha256 = excluded.sha256', owner, sha256)
      if (pins.has(sha256)) unpin(sha256)
    },
    release(owner) {
      const previous = database.get<{ sha256: string }>('SELECT sha256 FROM blob_refs WHERE owner = ?', owner)
      if (previous === undefined) return
      dropped.add(previous.sha256)
      database.run('DELETE FROM blob_refs WHERE owner = ?', owner)
    },
    pin,
    unpin,
    adopt: (file, blob) => put(file, blob.sha256),
    collect,
  }
}

async function listBlobs(root: string): Promise<string[]> {
  if (!(await exists(root))) return []
  const names: string[] = []
  for (const folder of await readdir(root)) {
    if (!/^[0-9a-f]{2}$/.test(folder)) continue
    names.push(...(await readdir(join(root, folder))).filter((name) => /^[0-9a-f]{64}$/.test(name)))
  }
  return names
}
