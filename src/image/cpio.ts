/** Writer of "newc" cpio archives, the format of Linux initial RAM disks (Linux: Documentation/driver-api/early-userspace/buffer-format.rst). */

export interface CpioEntry {
  readonly path: string
  readonly type: 'file' | 'folder' | 'symlink' | 'character'
  readonly mode: number
  /** File content, or a symlink's target. */
  readonly data?: Uint8Array
  /** Of character devices. */
  readonly device?: { readonly major: number; readonly minor: number }
}

const typeBits = { file: 0o100000, folder: 0o040000, symlink: 0o120000, character: 0o020000 } as const

/** An archive of the entries in the given order, with no times and everything owned by root, so that it depends on the entries alone. */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const parts: Buffer[] = []
  entries.forEach((entry, index) => parts.push(record(entry, index + 1)))
  parts.push(record({ path: 'TRAILER!!!', type: 'file', mode: 0 }, 0))
  const archive = Buffer.concat(parts)
  return Buffer.concat([archive, Buffer.alloc(padding(archive.length, 512))])
}

function record(entry: CpioEntry, inode: number): Buffer {
  const data = Buffer.from(entry.data ?? [])
  const name = Buffer.from(`${entry.path}\0`)
  const mode = inode === 0 ? 0 : typeBits[entry.type] | entry.mode
  const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, entry.device?.major ?? 0, entry.device?.minor ?? 0, name.length, 0]
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`)
  return Buffer.concat([header, name, Buffer.alloc(padding(header.length + name.length, 4)), data, Buffer.alloc(padding(data.length, 4))])
}

function padding(length: number, unit: number): number {
  return (unit - (length % unit)) % unit
}
