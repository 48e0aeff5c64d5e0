/** The checksums of a blob, made as its bytes come. */
import { createHash } from 'node:crypto'
import { crc32c } from '@node-rs/crc32'

export interface Checksums {
  /** Hex. */
  readonly sha256: string
  /** Base64, as Cloud Storage writes it. */
  readonly md5: string
  /** Base64 of the big-endian value, as Cloud Storage writes it. */
  readonly crc32c: string
}

export interface Checksummer {
  update(bytes: Uint8Array): void
  /** Of everything so far; once. */
  digest(): Checksums
}

export function createChecksummer(): Checksummer {
  const sha256 = createHash('sha256')
  const md5 = createHash('md5')
  let crc = 0
  return {
    update(bytes) {
      sha256.update(bytes)
      md5.update(bytes)
      crc = crc32c(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), crc)
    },
    digest: () => ({ sha256: sha256.digest('hex'), md5: md5.digest('base64'), crc32c: crc32cBase64(crc) }),
  }
}

function crc32cBase64(value: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes.toString('base64')
}
