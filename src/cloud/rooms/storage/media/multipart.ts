/**
 * `multipart/related` uploads: one JSON part, then the bytes (https://cloud.google.com/storage/docs/uploads-downloads#multipart-upload, RFC 2046 section 5.1).
 * The bytes are streamed. gcloud quotes its boundary with single quotes and ends lines with a bare \n, so the first boundary line tells which line end counts:
 * otherwise a file that ends with \r could not be told from a CRLF line end.
 */
import { KIB } from '../../../../base/units.ts'
import { invalidArgument } from '../../../kernel/api-error.ts'

const MAX_LINE_BYTES = 16 * 1024
const MAX_HEADER_LINES = 100
const MAX_METADATA_BYTES = 1024 * 1024
/** Room for what a socket gives at once and for the beginning of a boundary. */
const SPACE_BYTES = 68 * KIB

export interface MultipartUpload {
  /** The text of the JSON part. */
  readonly metadata: string
  /** Content type of the second part, when it names one. */
  readonly contentType: string | undefined
  /** The bytes of the second part, each piece to be used before the next is asked for. Ends with an error when the closing boundary does not come. */
  readonly content: AsyncIterable<Uint8Array>
}

/** The boundary of a Content-Type header. @throws ApiError 400 */
export function parseBoundary(contentType: string): string {
  const match = /^multipart\/[\w-]+\s*;(?:.*;)?\s*boundary=(?:"([^"]+)"|'([^']+)'|([^;\s"']+))/i.exec(contentType)
  const boundary = match?.[1] ?? match?.[2] ?? match?.[3]
  if (boundary === undefined || boundary.length > 200) throw malformed('a content type multipart/related with a boundary is needed')
  return boundary
}

/**
 * Reads the JSON part and gives the second one as a stream.
 * @throws ApiError 400 for anything that is not such a body
 */
export async function parseMultipart(source: AsyncIterable<Uint8Array>, boundary: string): Promise<MultipartUpload> {
  const reader = createReader(source)
  const opening = Buffer.from(`--${boundary}`)
  let line = await reader.line()
  for (let skipped = 0; !trimLine(line).equals(opening); skipped += 1) {
    if (line.length === 0 || skipped >= MAX_HEADER_LINES) throw malformed('the first boundary is missing')
    line = await reader.line()
  }
  const isCrlf = line.at(-2) === 0x0d
  const delimiter = Buffer.from(`${isCrlf ? '\r\n' : '\n'}--${boundary}`)

  await readHeaders(reader)
  const metadata: Buffer[] = []
  let sizeBytes = 0
  for await (const piece of reader.until(delimiter)) {
    sizeBytes += piece.length
    if (sizeBytes > MAX_METADATA_BYTES) throw malformed('the metadata part is too large')
    metadata.push(Buffer.from(piece))
  }
  await reader.line()
  const headers = await readHeaders(reader)
  const encoding = headers.get('content-transfer-encoding')?.toLowerCase() ?? 'binary'
  if (!['binary', '8bit', '7bit'].includes(encoding)) throw malformed(`the transfer encoding ${encoding} is not supported`)

  async function* content(): AsyncGenerator<Uint8Array> {
    yield* reader.until(delimiter)
    const rest = await reader.line()
    if (!rest.subarray(0, 2).equals(Buffer.from('--'))) throw malformed('there must be exactly two parts')
    await reader.drain()
  }
  return { metadata: Buffer.concat(metadata).toString(), contentType: headers.get('content-type'), content: content() }
}

function malformed(detail: string): Error {
  return invalidArgument(`Malformed multipart body: ${detail}.`, { reason: 'badRequest' })
}

async function readHeaders(reader: Reader): Promise<Map<string, string>> {
  const headers = new Map<string, string>()
  for (let count = 0; count < MAX_HEADER_LINES; count += 1) {
    const line = await reader.line()
    if (line.length === 0) throw malformed('it ended inside the headers of a part')
    const text = trimLine(line).toString('latin1')
    if (text === '') return headers
    const colon = text.indexOf(':')
    if (colon > 0) headers.set(text.slice(0, colon).trim().toLowerCase(), text.slice(colon + 1).trim())
  }
  throw malformed('a part has too many headers')
}

/** Without the line end and the blanks before it. */
function trimLine(line: Buffer): Buffer {
  let end = line.length
  while (end > 0 && [0x0a, 0x0d, 0x20, 0x09].includes(line[end - 1] ?? 0)) end -= 1
  return line.subarray(0, end)
}

/** What it gives is a part of its one buffer, which the next call fills again. */
interface Reader {
  /** The next line with its end; the last one may lack it; empty at the end of the body. */
  line(): Promise<Buffer>
  /** Everything before the delimiter, which is consumed; a delimiter that more letters follow is content. */
  until(delimiter: Buffer): AsyncGenerator<Buffer>
  drain(): Promise<void>
}

function createReader(source: AsyncIterable<Uint8Array>): Reader {
  const iterator = source[Symbol.asyncIterator]()
  let space = Buffer.allocUnsafeSlow(SPACE_BYTES)
  /** What is read and not yet given out: a part of `space`. */
  let held = space.subarray(0, 0)
  let ended = false

  async function more(): Promise<boolean> {
    if (ended) return false
    const next = await iterator.next()
    if (next.done === true) {
      ended = true
      return false
    }
    const sizeBytes = held.length + next.value.length
    const wider = sizeBytes > space.length ? Buffer.allocUnsafeSlow(sizeBytes) : space
    held.copy(wider)
    wider.set(next.value, held.length)
    space = wider
    held = space.subarray(0, sizeBytes)
    return true
  }

  return {
    async line() {
      let from = 0
      for (;;) {
        const at = held.indexOf(0x0a, from)
        if (at !== -1) {
          const line = held.subarray(0, at + 1)
          held = held.subarray(at + 1)
          return line
        }
        if (held.length > MAX_LINE_BYTES) throw malformed('a line is too long')
        from = held.length
        if (await more()) continue
        const line = held
        held = held.subarray(held.length)
        return line
      }
    },
    async *until(delimiter) {
      // What follows the JSON part's headers may be the delimiter at once (an empty part): then the line end before it is already consumed.
      const bare = delimiter.subarray(delimiter.indexOf(0x2d))
      let isStart = true
      let from = 0
      for (;;) {
        if (isStart) {
          while (held.length < bare.length + 1 && (await more()));
          isStart = false
          if (isDelimiter(held, 0, bare, ended) === true) {
            held = held.subarray(bare.length)
            return
          }
        }
        const at = held.indexOf(delimiter, from)
        const found = at === -1 ? false : isDelimiter(held, at, delimiter, ended)
        if (found === true) {
          const last = held.subarray(0, at)
          held = held.subarray(at + delimiter.length)
          if (last.length > 0) yield last
          return
        }
        if (at !== -1 && found === false) {
          from = at + 1
          continue
        }
        // Keep what may be the beginning of a delimiter.
        const safe = at === -1 ? Math.max(0, held.length - delimiter.length + 1) : at
        if (safe > 0) {
          const piece = held.subarray(0, safe)
          held = held.subarray(safe)
          yield piece
        }
        from = 0
        if (!(await more())) {
          if (at !== -1 && isDelimiter(held, 0, delimiter, true) === true) continue
          throw malformed('it ends before the closing boundary')
        }
      }
    },
    async drain() {
      held = held.subarray(held.length)
      while (await more()) held = held.subarray(held.length)
    },
  }
}

/** Whether the delimiter stands at this place as a whole; undefined when the byte after it has not arrived. */
function isDelimiter(bytes: Buffer, at: number, delimiter: Buffer, ended: boolean): boolean | undefined {
  if (!bytes.subarray(at, at + delimiter.length).equals(delimiter)) return false
  const next = bytes[at + delimiter.length]
  if (next === undefined) return ended ? true : undefined
  return [0x0a, 0x0d, 0x20, 0x09, 0x2d].includes(next)
}
