/** Reads single entries of a zip file (a wheel) without unpacking it. Format: PKWARE APPNOTE 6.3; zip64 is refused, wheels are never that large. */
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { inflateRawSync } from 'node:zlib'
import { KilnError } from '../base/errors.ts'
import { MIB } from '../base/units.ts'

interface ZipEntry {
  readonly name: string
  readonly method: number
  readonly compressedBytes: number
  readonly offset: number
}

const endSignature = 0x06054b50
const centralSignature = 0x02014b50
const largestEntryBytes = 16 * MIB

/**
 * The bytes of the first entry whose name `wanted` accepts, or undefined when there is none.
 * @throws KilnError E_PACKAGE_INVALID when the file is not a readable zip.
 */
export async function readZipEntry(path: string, wanted: (name: string) => boolean): Promise<Buffer | undefined> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const directory = await readDirectory(file, size, path)
    const entry = directory.find((candidate) => wanted(candidate.name))
    return entry === undefined ? undefined : await readEntry(file, entry, path)
  } finally {
    await file.close()
  }
}

async function readDirectory(file: FileHandle, fileBytes: number, path: string): Promise<readonly ZipEntry[]> {
  // the end record is within the last 22 bytes plus a comment of at most 65535
  const tail = await readAt(file, Math.max(0, fileBytes - 65_557), Math.min(fileBytes, 65_557))
  let end = tail.length - 22
  while (end >= 0 && tail.readUInt32LE(end) !== endSignature) end -= 1
  if (end < 0) throw notZip(path)
  const count = tail.readUInt16LE(end + 10)
  const directoryBytes = tail.readUInt32LE(end + 12)
  const directoryOffset = tail.readUInt32LE(end + 16)
  if (count === 0xffff || directoryOffset + directoryBytes > fileBytes) throw notZip(path)
  const directory = await readAt(file, directoryOffset, directoryBytes)
  const entries: ZipEntry[] = []
  let at = 0
  for (let index = 0; index < count; index += 1) {
    if (at + 46 > directory.length || directory.readUInt32LE(at) !== centralSignature) throw notZip(path)
    const nameBytes = directory.readUInt16LE(at + 28)
    entries.push({
      name: directory.toString('utf8', at + 46, at + 46 + nameBytes),
      method: directory.readUInt16LE(at + 10),
      compressedBytes: directory.readUInt32LE(at + 20),
      offset: directory.readUInt32LE(at + 42),
    })
    at += 46 + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32)
  }
  return entries
}

async function readEntry(file: FileHandle, entry: ZipEntry, path: string): Promise<Buffer> {
  if (entry.compressedBytes > largestEntryBytes) throw notZip(path)
  const header = await readAt(file, entry.offset, 30)
  const start = entry.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28)
  const bytes = await readAt(file, start, entry.compressedBytes)
  if (entry.method === 0) return bytes
  if (entry.method !== 8) throw notZip(path)
  try {
    return inflateRawSync(bytes, { maxOutputLength: largestEntryBytes })
  } catch (error) {
    throw notZip(path, error)
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  const { bytesRead } = await file.read(bytes, 0, length, position)
  return bytes.subarray(0, bytesRead)
}

function notZip(path: string, cause?: unknown): KilnError {
  return new KilnError('E_PACKAGE_INVALID', `${path} is not a readable wheel`, { hint: 'build the package again', cause })
}
