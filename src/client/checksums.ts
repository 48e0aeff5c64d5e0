/** Checksums of files as Cloud Storage reports them. https://cloud.google.com/storage/docs/data-validation */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { crc32c } from '@node-rs/crc32'

export interface FileChecksums {
  readonly sizeBytes: number
  /** Base64 of the MD5. */
  readonly md5: string
  /** Base64 of the CRC32C, big endian. */
  readonly crc32c: string
  /** Hex of the SHA-256. */
  readonly sha256: string
}

/** Reads a file once and gives its checksums. @throws the system error when it cannot be read. */
export async function checksumFile(path: string, signal?: AbortSignal): Promise<FileChecksums> {
  const md5 = createHash('md5')
  const sha256 = createHash('sha256')
  let crc = 0
  let sizeBytes = 0
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024, ...(signal === undefined ? {} : { signal }) })) {
    const bytes: Buffer = chunk
    md5.update(bytes)
    sha256.update(bytes)
    crc = crc32c(bytes, crc)
    sizeBytes += bytes.length
  }
  const crcBytes = Buffer.alloc(4)
  crcBytes.writeUInt32BE(crc >>> 0)
  return { sizeBytes, md5: md5.digest('base64'), crc32c: crcBytes.toString('base64'), sha256: sha256.digest('hex') }
}
