/** For tests: makes zip files, wheels and upload forms byte by byte, right ones and wrong ones. */
import { createHash, randomBytes } from 'node:crypto'
import { crc32, deflateRawSync } from 'node:zlib'

export interface Member {
  readonly name: string
  readonly data: string | Uint8Array
  readonly stored?: boolean
  /** Written in the member's own header in place of `name`. */
  readonly localName?: string
  /** The size that the directory claims. */
  readonly claimedBytes?: number
}

export interface ZipOptions {
  /** Writes sizes and offsets in zip64 fields. */
  readonly zip64?: boolean
  readonly comment?: string
}

/** A zip file of these members, in this order. */
export function makeZip(members: readonly Member[], options: ZipOptions = {}): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const member of members) {
    const data = Buffer.from(member.data)
    const packed = member.stored === true ? data : deflateRawSync(data)
    const localName = Buffer.from(member.localName ?? member.name)
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50, 0)
    local.writeUInt16LE(20, 4)
    local.writeUInt16LE(member.stored === true ? 0 : 8, 8)
    local.writeUInt32LE(crc32(data), 14)
    local.writeUInt32LE(packed.length, 18)
    local.writeUInt32LE(data.length, 22)
    local.writeUInt16LE(localName.length, 26)
    directory.push(centralEntry(member, data, packed.length, offset, options.zip64 === true))
    parts.push(local, localName, packed)
    offset += local.length + localName.length + packed.length
  }
  const central = Buffer.concat(directory)
  return Buffer.concat([...parts, central, endRecords(members.length, central.length, offset, options)])
}

function centralEntry(member: Member, data: Buffer, packedBytes: number, offset: number, zip64: boolean): Buffer {
  const name = Buffer.from(member.name)
  const sizeBytes = member.claimedBytes ?? data.length
  const extra = Buffer.alloc(zip64 ? 28 : 0)
  if (zip64) {
    extra.writeUInt16LE(1, 0)
    extra.writeUInt16LE(24, 2)
    extra.writeBigUInt64LE(BigInt(sizeBytes), 4)
    extra.writeBigUInt64LE(BigInt(packedBytes), 12)
    extra.writeBigUInt64LE(BigInt(offset), 20)
  }
  const entry = Buffer.alloc(46)
  entry.writeUInt32LE(0x02014b50, 0)
  entry.writeUInt16LE(member.stored === true ? 0 : 8, 10)
  entry.writeUInt32LE(crc32(data), 16)
  entry.writeUInt32LE(zip64 ? 0xffff_ffff : packedBytes, 20)
  entry.writeUInt32LE(zip64 ? 0xffff_ffff : sizeBytes, 24)
  entry.writeUInt16LE(name.length, 28)
  entry.writeUInt16LE(extra.length, 30)
  entry.writeUInt32LE(zip64 ? 0xffff_ffff : offset, 42)
  return Buffer.concat([entry, name, extra])
}

function endRecords(count: number, directoryBytes: number, directoryOffset: number, options: ZipOptions): Buffer {
  const comment = Buffer.from(options.comment ?? '')
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(options.zip64 === true ? 0xffff : count, 8)
  end.writeUInt16LE(options.zip64 === true ? 0xffff : count, 10)
  end.writeUInt32LE(options.zip64 === true ? 0xffff_ffff : directoryBytes, 12)
  end.writeUInt32LE(options.zip64 === true ? 0xffff_ffff : directoryOffset, 16)
  end.writeUInt16LE(comment.length, 20)
  if (options.zip64 !== true) return Buffer.concat([end, comment])
  const end64 = Buffer.alloc(56)
  end64.writeUInt32LE(0x06064b50, 0)
  end64.writeBigUInt64LE(44n, 4)
  end64.writeBigUInt64LE(BigInt(count), 24)
  end64.writeBigUInt64LE(BigInt(count), 32)
  end64.writeBigUInt64LE(BigInt(directoryBytes), 40)
  end64.writeBigUInt64LE(BigInt(directoryOffset), 48)
  const locator = Buffer.alloc(20)
  locator.writeUInt32LE(0x07064b50, 0)
  locator.writeBigUInt64LE(BigInt(directoryOffset + directoryBytes), 8)
  locator.writeUInt32LE(1, 16)
  return Buffer.concat([end64, locator, end, comment])
}

export interface WheelOptions {
  readonly requiresPython?: string
  /** Replaces the whole METADATA file. */
  readonly metadata?: string
  readonly extra?: readonly Member[]
  readonly zip?: ZipOptions
}

/** A small wheel that pip can install. `name` as in the file name: `moshi_server`. */
export function makeWheel(name: string, version: string, options: WheelOptions = {}): { readonly filename: string; readonly bytes: Buffer; readonly metadata: string } {
  const folder = `${name}-${version}.dist-info`
  const metadata =
    options.metadata ??
    `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n${options.requiresPython === undefined ? '' : `Requires-Python: ${options.requiresPython}\n`}\nA package.\n`
  const wheel = 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n'
  const content: Member[] = [
    { name: `${name}/__init__.py`, data: `VERSION = '${version}'\n` },
    ...(options.extra ?? []),
    { name: `${folder}/METADATA`, data: metadata },
    { name: `${folder}/WHEEL`, data: wheel, stored: true },
  ]
  const lines = content.map((member) => `${member.name},sha256=${createHash('sha256').update(member.data).digest('base64url')},${Buffer.byteLength(member.data)}\n`)
  const bytes = makeZip([...content, { name: `${folder}/RECORD`, data: `${lines.join('')}${folder}/RECORD,,\n` }], options.zip)
  return { filename: `${name}-${version}-py3-none-any.whl`, bytes, metadata }
}

export interface FormPart {
  readonly name: string
  readonly value: string | Uint8Array
  readonly filename?: string
}

/** A multipart/form-data body of these parts, in this order. */
export function makeForm(parts: readonly FormPart[]): { readonly body: Buffer<ArrayBuffer>; readonly headers: Record<string, string> } {
  const boundary = `test-${randomBytes(12).toString('hex')}`
  const chunks = parts.flatMap((part) => {
    const filename = part.filename === undefined ? '' : `; filename="${part.filename}"\r\nContent-Type: application/octet-stream`
    return [Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${part.name}"${filename}\r\n\r\n`), Buffer.from(part.value), Buffer.from('\r\n')]
  })
  return { body: Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)]), headers: { 'content-type': `multipart/form-data; boundary=${boundary}` } }
}

/** The parts that twine sends for a file. `fields` are added or replace the usual ones. */
export function uploadParts(filename: string, bytes: Uint8Array, fields: Readonly<Record<string, string>>): FormPart[] {
  const usual: Record<string, string> = {
    ':action': 'file_upload',
    protocol_version: '1',
    metadata_version: '2.1',
    filetype: filename.endsWith('.whl') ? 'bdist_wheel' : 'sdist',
    sha256_digest: createHash('sha256').update(bytes).digest('hex'),
    md5_digest: createHash('md5').update(bytes).digest('hex'),
    ...fields,
  }
  return [...Object.entries(usual).map(([name, value]) => ({ name, value })), { name: 'content', value: bytes, filename }]
}
