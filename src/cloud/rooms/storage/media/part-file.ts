/**
 * The file of an unfinished upload. Hashes are kept up to date while bytes arrive; after a restart they are made again from the file,
 * which is first cut to the length that is known to be on the disk.
 */
import { createReadStream } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { KIB } from '../../../../base/units.ts'
import { explainDiskError, syncFolder } from '../../../../host/files.ts'
import type { Blob } from '../../../../store/blobs.ts'
import { createBodyWriter, freedChunks } from '../../../../store/body-writer.ts'
import { createChecksummer } from '../../../../store/checksums.ts'

export interface PartFile {
  readonly path: string
  /** Bytes taken so far; those of the last `append` calls are in the file after `sync`. */
  sizeBytes(): number
  /** @throws KilnError E_DISK_FULL, also for what was appended before */
  append(chunk: Uint8Array): Promise<void>
  /** True after a failed write: hashes and file differ, and it must be opened anew. */
  isBroken(): boolean
  /** Writes what is waiting and flushes to the disk; gives the length that is now safe. @throws KilnError E_DISK_FULL */
  sync(): Promise<number>
  /** Flushes and closes; the file's hashes. Nothing can be appended afterwards. */
  finish(): Promise<Blob>
  close(): Promise<void>
}

/** What one read takes when the hashes are made again. */
const READ_BYTES = 256 * KIB

/** Opens or makes the file with exactly `sizeBytes` of what it had. @throws Error when the file is shorter than that */
export async function openPartFile(path: string, sizeBytes: number): Promise<PartFile> {
  await mkdir(dirname(path), { recursive: true })
  const file = await open(path, sizeBytes === 0 ? 'w+' : 'r+', 0o600)
  try {
    await file.truncate(sizeBytes)
    if (sizeBytes === 0) await syncFolder(dirname(path))
    return await hashed(path, file, sizeBytes)
  } catch (error) {
    await file.close()
    throw explainDiskError(error, path)
  }
}

async function hashed(path: string, file: FileHandle, sizeBytes: number): Promise<PartFile> {
  const checksums = createChecksummer()
  let taken = 0
  let isBroken = false
  if (sizeBytes > 0) {
    for await (const chunk of freedChunks(createReadStream(path, { end: sizeBytes - 1, highWaterMark: READ_BYTES }))) {
      checksums.update(chunk)
      taken += chunk.length
    }
  }
  if (taken !== sizeBytes) throw new Error(`${path} has ${taken} bytes instead of ${sizeBytes}`)
  const writer = createBodyWriter(file, sizeBytes, checksums)

  /** A file whose write failed is opened again from its safe length. */
  async function written(work: Promise<void>): Promise<void> {
    try {
      await work
    } catch (error) {
      isBroken = true
      throw explainDiskError(error, path)
    }
  }

  return {
    path,
    sizeBytes: () => taken,
    async append(chunk) {
      taken += chunk.length
      await written(writer.add(chunk))
    },
    isBroken: () => isBroken,
    async sync() {
      await written(writer.drain())
      const safe = taken
      await file.datasync()
      return safe
    },
    async finish() {
      await written(writer.drain())
      await file.sync()
      await file.close()
      return { ...checksums.digest(), sizeBytes: taken }
    },
    async close() {
      await writer.close()
      await file.close()
    },
  }
}
