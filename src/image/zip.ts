/** Reader for small files in zip archives (wheels), by the central directory (PKWARE APPNOTE 4.3.12). No zip64: wheels read here are built here. */
import { inflateRawSync } from 'node:zlib'
import { KilnError } from '../base/errors.ts'

export interface ZipEntry {
  readonly name: string
  read(): Buffer
}

/** The entries of an archive. @throws KilnError E_PACKAGE_INVALID when it is not a zip archive. */
export function zipEntries(archive: Buffer): ZipEntry[] {
  const end = archive.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]))
  if (end < 0) throw new KilnError('E_PACKAGE_INVALID', 'the wheel is not a zip archive')
  const entries: ZipEntry[] = []
  let offset = archive.readUInt32LE(end + 16)
  for (let index = archive.readUInt16LE(end + 10); index > 0; index -= 1) {
    const method = archive.readUInt16LE(offset + 10)
    const packedSize = archive.readUInt32LE(offset + 20)
    const nameLength = archive.readUInt16LE(offset + 28)
    const local = archive.readUInt32LE(offset + 42)
    entries.push({
      name: archive.toString('utf8', offset + 46, offset + 46 + nameLength),
      read() {
        const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28)
        const data = archive.subarray(start, start + packedSize)
        return method === 0 ? data : inflateRawSync(data)
      },
    })
    offset += 46 + nameLength + archive.readUInt16LE(offset + 30) + archive.readUInt16LE(offset + 32)
  }
  return entries
}
