/** Hashes that a client sends along: in the metadata (`md5Hash`, `crc32c`) or in `x-goog-hash` and `content-md5` headers. */
import { invalidArgument } from '../../../kernel/api-error.ts'

export interface ExpectedHashes {
  /** Base64. */
  readonly md5?: string
  /** Base64 of the big-endian value. */
  readonly crc32c?: string
}

/** Hashes in request headers. @throws ApiError 400 */
export function hashesFromHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): ExpectedHashes {
  const text = [headers['x-goog-hash'] ?? []].flat().join(',')
  const found: { md5?: string; crc32c?: string } = {}
  for (const part of text.split(',')) {
    const match = /^\s*(md5|crc32c)=([A-Za-z0-9+/]+=*)\s*$/.exec(part)
    if (match === null) {
      if (part.trim() !== '') throw invalidArgument(`Invalid x-goog-hash header: ${part.trim().slice(0, 100)}`)
      continue
    }
    if (match[1] === 'md5') found.md5 = match[2] ?? ''
    else found.crc32c = match[2] ?? ''
  }
  const contentMd5 = headers['content-md5']
  return typeof contentMd5 === 'string' && found.md5 === undefined ? { ...found, md5: contentMd5 } : found
}

/** @throws ApiError 400 in Google's words when the bytes are not those that the client meant to send. */
export function checkHashes(expected: readonly ExpectedHashes[], actual: { readonly md5: string; readonly crc32c: string }): void {
  for (const { md5, crc32c } of expected) {
    if (md5 !== undefined && md5 !== actual.md5) throw invalidArgument(`Provided MD5 hash "${md5}" doesn't match calculated MD5 hash "${actual.md5}".`, { reason: 'invalid' })
    if (crc32c !== undefined && crc32c !== actual.crc32c)
      throw invalidArgument(`Provided CRC32C "${crc32c}" doesn't match calculated CRC32C "${actual.crc32c}".`, { reason: 'invalid' })
  }
}
