/**
 * The file of an unfinished upload. Hashes are kept up to date while bytes arrive; after a restart they are made again from the file,
 * which is first cut to the length that is known to be on the disk.
 */
import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { crc32c } from '@node-rs/crc32'
import { explainDiskError, syncFolder } from '../../../../host/files.ts'
import { crc32cBase64 } from '../../../../store/blobs.ts'
import type { Blob } from '../../../../store/blobs.ts'

export interface PartFile {
  readonly path: string
  /** Bytes written so far. */
  sizeBytes(): number
  /** @throws KilnError E_DISK_FULL */
  append(chunk: Uint8Array): Promise<void>
  /** True after a failed write: hashes and file differ, and it must be opened anew. */
  isBroken(): boolean
  /** Flushes to the disk; gives the length that is now safe. */
  sync(): Promise<number>
  /** Flushes and closes; the file's hashes. Nothing can be appended afterwards. */
  finish(): Promise<Blob>
  close(): Promise<void>
}

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
  const sha256: Hash = createHash('sha256')
  const md5: Hash = createHash('md5')
  let crc = 0
  let written = 0
  let isBroken = false

  function digest(chunk: Uint8Array): void {
    sha256.update(chunk)
    md5.update(chunk)
    crc = crc32c(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength), crc)
    written += chunk.length
  }

  if (sizeBytes > 0) for await (const chunk of createReadStream(path, { end: sizeBytes - 1 }) as AsyncIterable<Buffer>) digest(chunk)
  if (written !== sizeBytes) throw new Error(`${path} has ${written} bytes instead of ${sizeBytes}`)

  return {
    path,
    sizeBytes: () => written,
    async append(chunk) {
      // The disk works while the hashes are made; a file whose write failed is opened again from its safe length.
      const writing = writeAll(file, chunk, written)
      digest(chunk)
      try {
        await writing
      } catch (error) {
        isBroken = true
        throw explainDiskError(error, path)
      }
    },
    isBroken: () => isBroken,
    async sync() {
      const safe = written
      await file.datasync()
      return safe
    },
    async finish() {
      await file.sync()
      await file.close()
      return { sha256: sha256.digest('hex'), sizeBytes: written, md5: md5.digest('base64'), crc32c: crc32cBase64(crc) }
    },
    close: () => file.close(),
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  let offset = 0
  while (offset < chunk.length) offset += (await file.write(chunk, offset, chunk.length - offset, position + offset)).bytesWritten
}
