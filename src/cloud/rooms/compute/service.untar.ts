/**
 * Reads the archive of an image import: gzip, tar, exactly one member `disk.raw` (https://cloud.google.com/compute/docs/import/import-existing-image#requirements_for_the_image_file).
 * Understands old GNU sparse members (GNU tar manual, "Old GNU Format"), which tar-stream does not, and keeps holes as holes.
 */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { pipeline, Transform } from 'node:stream'
import type { Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createGunzip } from 'node:zlib'
import { explainDiskError, requireFreeSpace } from '../../../host/files.ts'
import { isKilnError, systemErrorCode } from '../../../base/errors.ts'
import { formatBytes, GIB, KIB, MIB } from '../../../base/units.ts'
import { ApiError, invalidArgument } from '../../kernel/api-error.ts'

const BLOCK = 512
const PIECE = 64 * KIB
const ZEROS = Buffer.alloc(MIB)
/** What the file system must keep free while an image is written. */
const SPARE_BYTES = 256 * MIB
/** Larger disks than Compute Engine's own limit for imported images are refused. */
const MAX_DISK_BYTES = 2048 * GIB

export interface ExtractedDisk {
  readonly sizeBytes: number
  /** Hex, over the whole raw disk with its holes as zeros. */
  readonly sha256: string
}

interface Extent {
  readonly offset: number
  readonly length: number
}

/**
 * Writes the archive's disk to `path` (made anew), flushed.
 * @throws ApiError 400 that says what is wrong with the archive; KilnError E_DISK_FULL; the abort reason.
 */
export async function extractDisk(source: Readable, path: string, signal: AbortSignal, progress: (readBytes: number) => void): Promise<ExtractedDisk> {
  const gunzip = createGunzip({ chunkSize: 256 * KIB })
  let readBytes = 0
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      readBytes += chunk.length
      progress(readBytes)
      done(null, chunk)
    },
  })
  const abort = (): void => void source.destroy(new Error('the import was stopped'))
  signal.addEventListener('abort', abort)
  // Failures reach the reader below through the gunzip stream. A second error of a stream that already failed has no listener left, and would end the daemon.
  for (const stream of [source, counter, gunzip]) stream.on('error', () => {})
  pipeline(source, counter, gunzip, () => {})
  const file = await open(path, 'w', 0o600)
  try {
    const reader = createReader(gunzip)
    const result = await extractMember(reader, file, path, signal)
    await requireEnd(reader)
    await file.sync()
    return result
  } catch (error) {
    signal.throwIfAborted()
    throw explainArchiveError(error, path)
  } finally {
    signal.removeEventListener('abort', abort)
    gunzip.destroy()
    source.destroy()
    await file.close()
  }
}

function explainArchiveError(error: unknown, path: string): unknown {
  if (error instanceof ApiError || isKilnError(error)) return error
  const code = systemErrorCode(error) ?? ''
  if (code === 'Z_DATA_ERROR') return invalid(`it is not a gzip file, or it is damaged (${error instanceof Error ? error.message : code})`)
  if (code === 'Z_BUF_ERROR') return invalid('it ends in the middle of the gzip stream')
  return explainDiskError(error, path)
}

function invalid(why: string): ApiError {
  return invalidArgument(
    `The tar archive is not valid: ${why}. It must be a gzip-compressed tar in the GNU format with a single file disk.raw, whose size is a multiple of 1 GB.`,
    { reason: 'invalid' },
  )
}

interface Reader {
  /** Exactly this many bytes. */
  exactly(length: number): Promise<Buffer>
  /** At most this many bytes, at least one; undefined at the end. */
  some(maxLength: number): Promise<Buffer | undefined>
}

function createReader(source: AsyncIterable<Buffer>): Reader {
  const iterator = source[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)

  async function some(maxLength: number): Promise<Buffer | undefined> {
    while (rest.length === 0) {
      const next = await iterator.next()
      if (next.done === true) return undefined
      rest = next.value
    }
    const chunk = rest.subarray(0, maxLength)
    rest = rest.subarray(chunk.length)
    return chunk
  }

  return {
    some,
    async exactly(length) {
      const chunks: Buffer[] = []
      let missing = length
      while (missing > 0) {
        const chunk = await some(missing)
        if (chunk === undefined) throw invalid('it ends too early')
        chunks.push(chunk)
        missing -= chunk.length
      }
      return Buffer.concat(chunks)
    },
  }
}

async function extractMember(reader: Reader, file: FileHandle, path: string, signal: AbortSignal): Promise<ExtractedDisk> {
  const header = await reader.exactly(BLOCK)
  checkHeader(header)
  const type = String.fromCharCode(header[156] ?? 0)
  const name = cString(header.subarray(0, 100))
  if (type === 'x' || type === 'g') throw invalid('it has extended (PAX) headers; make it with tar --format=oldgnu')
  if (name !== 'disk.raw' || !['0', '\0', 'S'].includes(type)) throw invalid(`its first member is ${JSON.stringify(name)}, not the file disk.raw`)
  const storedBytes = number(header.subarray(124, 136))
  const sizeBytes = type === 'S' ? number(header.subarray(483, 495)) : storedBytes
  if (sizeBytes === 0 || sizeBytes % GIB !== 0) throw invalid(`the size of disk.raw is ${sizeBytes} bytes, which is not a multiple of 1 GB`)
  if (sizeBytes > MAX_DISK_BYTES) throw invalid(`disk.raw is larger than ${formatBytes(MAX_DISK_BYTES)}`)
  const extents = type === 'S' ? await readExtents(reader, header) : [{ offset: 0, length: sizeBytes }]
  checkExtents(extents, sizeBytes, storedBytes)
  if (type === 'S') await requireFreeSpace(dirname(path), storedBytes + SPARE_BYTES, 'the image import')
  const writer = createWriter(file, path, signal)
  for (const extent of extents) {
    await writer.zeros(extent.offset)
    await writer.data(reader, extent.length)
  }
  await writer.zeros(sizeBytes)
  await file.truncate(sizeBytes)
  const padding = (BLOCK - (storedBytes % BLOCK)) % BLOCK
  if (padding > 0) await reader.exactly(padding)
  return { sizeBytes, sha256: writer.digest() }
}

/** Only zero blocks may follow; reading them also makes zlib check the stream's own checksum. */
async function requireEnd(reader: Reader): Promise<void> {
  let trailingBytes = 0
  for (;;) {
    const chunk = await reader.some(MIB)
    if (chunk === undefined) return
    trailingBytes += chunk.length
    if (trailingBytes > 16 * MIB || !chunk.equals(ZEROS.subarray(0, chunk.length))) throw invalid('something follows disk.raw in it')
  }
}

function checkHeader(header: Buffer): void {
  const stored = number(header.subarray(148, 156))
  let sum = 8 * 0x20
  for (const [index, byte] of header.entries()) if (index < 148 || index >= 156) sum += byte
  if (sum !== stored) throw invalid('its first block is not a tar header')
}

/** Octal text, or GNU's base-256 form for sizes above 8 GiB. */
function number(field: Buffer): number {
  if (((field[0] ?? 0) & 0x80) !== 0) {
    let value = BigInt((field[0] ?? 0) & 0x7f)
    for (const byte of field.subarray(1)) value = (value << 8n) | BigInt(byte)
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid('a number in it is too large')
    return Number(value)
  }
  const text = cString(field).trim()
  if (!/^[0-7]*$/.test(text)) throw invalid('a number in its header is malformed')
  return text === '' ? 0 : Number.parseInt(text, 8)
}

function cString(field: Buffer): string {
  const end = field.indexOf(0)
  return field.subarray(0, end === -1 ? field.length : end).toString('latin1')
}

/** The map of a sparse member: 4 entries in the header, then blocks of 21 while the "is extended" byte says so. */
async function readExtents(reader: Reader, header: Buffer): Promise<Extent[]> {
  const extents = entries(header.subarray(386, 386 + 4 * 24))
  let extended = header[482] === 1
  while (extended) {
    const block = await reader.exactly(BLOCK)
    extents.push(...entries(block.subarray(0, 21 * 24)))
    extended = block[504] === 1
    if (extents.length > 4_000_000) throw invalid('its sparse map is too long')
  }
  return extents
}

function entries(area: Buffer): Extent[] {
  const found: Extent[] = []
  for (let at = 0; at < area.length; at += 24) {
    if (area[at] === 0) break
    found.push({ offset: number(area.subarray(at, at + 12)), length: number(area.subarray(at + 12, at + 24)) })
  }
  return found
}

function checkExtents(extents: readonly Extent[], sizeBytes: number, storedBytes: number): void {
  let end = 0
  let total = 0
  for (const { offset, length } of extents) {
    if (offset < end || offset + length > sizeBytes) throw invalid('its sparse map is not in order')
    end = offset + length
    total += length
  }
  if (total !== storedBytes) throw invalid('its sparse map does not fit its size')
}

function createWriter(
  file: FileHandle,
  path: string,
  signal: AbortSignal,
): { zeros(until: number): Promise<void>; data(reader: Reader, length: number): Promise<void>; digest(): string } {
  const sha256 = createHash('sha256')
  let position = 0
  let sinceCheckBytes = Number.POSITIVE_INFINITY

  async function writePiece(piece: Buffer): Promise<void> {
    if (piece.equals(ZEROS.subarray(0, piece.length))) return
    if (sinceCheckBytes >= 64 * MIB) {
      await requireFreeSpace(dirname(path), SPARE_BYTES, 'the image import')
      sinceCheckBytes = 0
    }
    sinceCheckBytes += piece.length
    let written = 0
    while (written < piece.length) written += (await file.write(piece, written, piece.length - written, position + written)).bytesWritten
  }

  return {
    async zeros(until) {
      while (position < until) {
        signal.throwIfAborted()
        const length = Math.min(until - position, ZEROS.length)
        sha256.update(ZEROS.subarray(0, length))
        position += length
        // Hashing holes has no I/O in it: the daemon must answer others meanwhile.
        await nextTurn()
      }
    },
    async data(reader, length) {
      const end = position + length
      while (position < end) {
        signal.throwIfAborted()
        const piece = await reader.some(Math.min(end - position, PIECE - (position % PIECE)))
        if (piece === undefined) throw invalid('it ends in the middle of disk.raw')
        sha256.update(piece)
        await writePiece(piece)
        position += piece.length
      }
    },
    digest: () => sha256.digest('hex'),
  }
}
