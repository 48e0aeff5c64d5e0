/**
 * Reads single members of a zip file through a file handle: only the directory at its end and the wanted member are read, with
 * limits on both. Stored and deflated members, zip64. https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */
import type { FileHandle } from 'node:fs/promises'
import { crc32, inflateRawSync } from 'node:zlib'
import { describeError } from '../../../../base/errors.ts'
import { MIB } from '../../../../base/units.ts'

export interface ZipEntry {
  readonly name: string
  readonly method: number
  readonly flags: number
  readonly crc32: number
  readonly compressedBytes: number
  readonly sizeBytes: number
  readonly headerOffset: number
}

/** What is wrong with the file, to be shown to whoever made it. */
export class ZipError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ZipError'
  }
}

const MAX_DIRECTORY_BYTES = 64 * MIB
const END_BYTES = 22
const MAX_COMMENT_BYTES = 0xffff
const END64_LOCATOR_BYTES = 20
const END64_BYTES = 56
const FLAG_ENCRYPTED = 1

/** All members, from the directory at the end of the file. @throws ZipError */
export async function readZipDirectory(file: FileHandle, fileBytes: number): Promise<readonly ZipEntry[]> {
  const end = await findEnd(file, fileBytes)
  if (end.directoryBytes > MAX_DIRECTORY_BYTES) throw new ZipError(`its directory is larger than ${MAX_DIRECTORY_BYTES} bytes`)
  if (end.directoryOffset + end.directoryBytes > fileBytes) throw new ZipError('its directory lies outside of the file')
  const bytes = await readAt(file, end.directoryOffset, end.directoryBytes)
  const entries: ZipEntry[] = []
  for (let offset = 0; offset < bytes.length;) {
    if (bytes.length - offset < 46 || bytes.readUInt32LE(offset) !== 0x02014b50) throw new ZipError('its directory is damaged')
    const nameBytes = bytes.readUInt16LE(offset + 28)
    const extraBytes = bytes.readUInt16LE(offset + 30)
    const next = offset + 46 + nameBytes + extraBytes + bytes.readUInt16LE(offset + 32)
    if (next > bytes.length) throw new ZipError('its directory is damaged')
    entries.push(toEntry(bytes, offset, nameBytes, extraBytes))
    offset = next
  }
  if (entries.length !== end.count) throw new ZipError(`its directory holds ${entries.length} members and not ${end.count} as it says`)
  return entries
}

/** The bytes of one member, checked against its CRC. @throws ZipError, also when it is larger than `maxBytes`. */
export async function readZipMember(file: FileHandle, fileBytes: number, entry: ZipEntry, maxBytes: number): Promise<Buffer> {
  if (entry.sizeBytes > maxBytes || entry.compressedBytes > maxBytes) throw new ZipError(`${entry.name} is larger than ${maxBytes} bytes`)
  if ((entry.flags & FLAG_ENCRYPTED) !== 0) throw new ZipError(`${entry.name} is encrypted`)
  if (entry.headerOffset + 30 > fileBytes) throw new ZipError(`${entry.name} lies outside of the file`)
  const header = await readAt(file, entry.headerOffset, 30)
  if (header.readUInt32LE(0) !== 0x04034b50) throw new ZipError(`the header of ${entry.name} is damaged`)
  const nameBytes = header.readUInt16LE(26)
  const start = entry.headerOffset + 30 + nameBytes + header.readUInt16LE(28)
  if (start + entry.compressedBytes > fileBytes) throw new ZipError(`${entry.name} lies outside of the file`)
  // Tools that read a zip from its start must see the same names as those that read its directory.
  const localName = (await readAt(file, entry.headerOffset + 30, nameBytes)).toString('utf8')
  if (localName !== entry.name) throw new ZipError(`${entry.name} has another name in its own header`)
  const packed = await readAt(file, start, entry.compressedBytes)
  const bytes = unpack(packed, entry)
  if (bytes.length !== entry.sizeBytes || crc32(bytes) !== entry.crc32) throw new ZipError(`${entry.name} does not have the size and CRC that the directory says`)
  return bytes
}

function unpack(packed: Buffer, entry: ZipEntry): Buffer {
  if (entry.method === 0) return packed
  if (entry.method !== 8) throw new ZipError(`${entry.name} is packed with the unknown method ${entry.method}`)
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(1, entry.sizeBytes) })
  } catch (error) {
    throw new ZipError(`${entry.name} cannot be unpacked: ${describeError(error)}`)
  }
}

interface End {
  readonly count: number
  readonly directoryBytes: number
  readonly directoryOffset: number
}

async function findEnd(file: FileHandle, fileBytes: number): Promise<End> {
  const tailOffset = Math.max(0, fileBytes - END_BYTES - MAX_COMMENT_BYTES - END64_LOCATOR_BYTES)
  const tail = await readAt(file, tailOffset, fileBytes - tailOffset)
  for (let at = tail.length - END_BYTES; at >= 0; at -= 1) {
    // The record must end where the file ends, else something was put behind it.
    if (tail.readUInt32LE(at) !== 0x06054b50 || at + END_BYTES + tail.readUInt16LE(at + 20) !== tail.length) continue
    const locatorAt = at - END64_LOCATOR_BYTES
    if (locatorAt >= 0 && tail.readUInt32LE(locatorAt) === 0x07064b50) return readEnd64(file, fileBytes, safeNumber(tail.readBigUInt64LE(locatorAt + 8)))
    return { count: tail.readUInt16LE(at + 10), directoryBytes: tail.readUInt32LE(at + 12), directoryOffset: tail.readUInt32LE(at + 16) }
  }
  throw new ZipError('it is no zip file, or it was cut off')
}

async function readEnd64(file: FileHandle, fileBytes: number, offset: number): Promise<End> {
  if (offset + END64_BYTES > fileBytes) throw new ZipError('its zip64 end record lies outside of the file')
  const bytes = await readAt(file, offset, END64_BYTES)
  if (bytes.readUInt32LE(0) !== 0x06064b50) throw new ZipError('its zip64 end record is damaged')
  return { count: safeNumber(bytes.readBigUInt64LE(32)), directoryBytes: safeNumber(bytes.readBigUInt64LE(40)), directoryOffset: safeNumber(bytes.readBigUInt64LE(48)) }
}

function toEntry(bytes: Buffer, offset: number, nameBytes: number, extraBytes: number): ZipEntry {
  const nameAt = offset + 46
  const wide = zip64Values(bytes.subarray(nameAt + nameBytes, nameAt + nameBytes + extraBytes))
  // In this order, and each only when its 32-bit field is full.
  const take = (value: number): number => (value === 0xffff_ffff ? (wide.shift() ?? value) : value)
  const sizeBytes = take(bytes.readUInt32LE(offset + 24))
  const compressedBytes = take(bytes.readUInt32LE(offset + 20))
  const headerOffset = take(bytes.readUInt32LE(offset + 42))
  return {
    name: bytes.toString('utf8', nameAt, nameAt + nameBytes),
    method: bytes.readUInt16LE(offset + 10),
    flags: bytes.readUInt16LE(offset + 8),
    crc32: bytes.readUInt32LE(offset + 16),
    compressedBytes,
    sizeBytes,
    headerOffset,
  }
}

function zip64Values(extra: Buffer): number[] {
  for (let at = 0; at + 4 <= extra.length;) {
    const length = extra.readUInt16LE(at + 2)
    const data = extra.subarray(at + 4, at + 4 + length)
    if (extra.readUInt16LE(at) === 1) return Array.from({ length: Math.floor(data.length / 8) }, (_, index) => safeNumber(data.readBigUInt64LE(index * 8)))
    at += 4 + length
  }
  return []
}

function safeNumber(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new ZipError('a size in it is impossible')
  return Number(value)
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, position + filled)
    if (bytesRead === 0) throw new ZipError('it was cut off')
    filled += bytesRead
  }
  return bytes
}
