/** Answers with an immutable file: entity tag, ranges, conditions (RFC 9110 sections 13 and 14). */
import { ApiError } from '../../../kernel/api-error.ts'
import type { FilePart } from '../../../kernel/file-part.ts'
import type { RouteRequest } from '../../../kernel/room.ts'
import { matchesEtag, parseRange } from './ranges.ts'

export interface Content {
  /** Hex; the entity tag. */
  readonly sha256: string
  readonly sizeBytes: number
  readonly type: string
  /** RFC 3339. */
  readonly modifiedTime: string
}

/**
 * Sets status and headers on the reply and gives its body. `read` gives all bytes, or those of a range with inclusive ends.
 * @throws ApiError 416
 */
export function sendFile(request: RouteRequest, content: Content, read: (range?: { readonly start: number; readonly end: number }) => FilePart | Buffer): unknown {
  const { reply, headers } = request
  const etag = `"${content.sha256}"`
  const lastModified = new Date(content.modifiedTime).toUTCString()
  if (matchesEtag(headers['if-none-match'], etag)) return reply.code(304).headers({ etag, vary: 'Authorization' }).send()
  const isHead = reply.request.method === 'HEAD'
  const isStale = headers['if-range'] !== undefined && headers['if-range'] !== etag && headers['if-range'] !== lastModified
  const range = isHead || isStale ? { kind: 'whole' as const } : parseRange(headers.range, content.sizeBytes)
  if (range.kind === 'unsatisfiable') {
    throw new ApiError('RANGE_NOT_SATISFIABLE', `The range ${headers.range} lies outside of the file, which has ${content.sizeBytes} bytes.`, {
      headers: { 'content-range': `bytes */${content.sizeBytes}` },
    })
  }
  void reply.type(content.type).headers({
    etag,
    'last-modified': lastModified,
    'accept-ranges': 'bytes',
    'cache-control': 'private, max-age=31536000, immutable',
    vary: 'Authorization',
    'x-content-type-options': 'nosniff',
  })
  if (range.kind === 'whole') {
    void reply.header('content-length', content.sizeBytes)
    return isHead || content.sizeBytes === 0 ? '' : read()
  }
  void reply.code(206).headers({ 'content-range': `bytes ${range.start}-${range.end}/${content.sizeBytes}`, 'content-length': range.end - range.start + 1 })
  return read(range)
}
