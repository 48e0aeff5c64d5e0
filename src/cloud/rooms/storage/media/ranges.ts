/** Byte ranges of downloads and of resumable uploads. RFC 9110 section 14; https://cloud.google.com/storage/docs/performing-resumable-uploads */
import { ApiError, invalidArgument } from '../../../kernel/api-error.ts'

/** Both ends inclusive. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/**
 * The part of a body that a Range header asks for; undefined for all of it. Several ranges, other units and bad syntax mean all, as RFC 9110 lets a server do.
 * @throws ApiError 416 with `Content-Range: bytes *\/SIZE`
 */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange | undefined {
  const match = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/.exec(header ?? '')
  if (match === null) return undefined
  const [, first = '', last = ''] = match
  if (first === '' && last === '') return undefined
  if (first === '') {
    const length = Math.min(Number(last), sizeBytes)
    if (length === 0) throw unsatisfiable(sizeBytes)
    return { start: sizeBytes - length, end: sizeBytes - 1 }
  }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return undefined
  if (start >= sizeBytes) throw unsatisfiable(sizeBytes)
  return { start, end: last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1) }
}

function unsatisfiable(sizeBytes: number): ApiError {
  return new ApiError('RANGE_NOT_SATISFIABLE', 'The requested range cannot be satisfied.', { headers: { 'content-range': `bytes */${sizeBytes}` } })
}

/** What a PUT to an upload session carries. */
export interface UploadRange {
  /** Undefined: no bytes, a question about the state (`bytes *\/N`). An undefined end (`bytes N-*`): up to the end of the body. */
  readonly bytes: { readonly start: number; readonly end: number | undefined } | undefined
  /** Undefined while the sender does not know it (`/*`). */
  readonly totalBytes: number | undefined
}

/** Content-Range of an upload; undefined without the header: the body is everything. @throws ApiError 400 */
export function parseUploadRange(header: string | undefined): UploadRange | undefined {
  if (header === undefined) return undefined
  const match = /^\s*bytes\s+(?:(\d{1,16})-(\d{1,16}|\*)|(\*))\s*\/\s*(\d{1,16}|\*)\s*$/.exec(header)
  const totalBytes = match?.[4] === '*' ? undefined : Number(match?.[4])
  const start = Number(match?.[1])
  const end = match?.[2] === '*' ? undefined : Number(match?.[2])
  const isQuestion = match?.[3] === '*'
  // A body without an end may be empty: what was sent before was everything.
  const isPossible = isQuestion || ((end === undefined || end >= start) && (totalBytes === undefined || (end ?? start - 1) < totalBytes))
  if (match === null || !isPossible) throw invalidArgument(`Failed to parse Content-Range header: ${header.slice(0, 100)}`, { reason: 'badRequest' })
  return { bytes: isQuestion ? undefined : { start, end }, totalBytes }
}
