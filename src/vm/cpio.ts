/** A writer for the archive format of initrds, "newc": https://docs.kernel.org/driver-api/early-userspace/buffer-format.html */

export interface CpioFile {
  /** Relative, without a leading slash. Folders before what is in them. */
  readonly path: string
  readonly mode: number
  /** Undefined: a folder. */
  readonly data?: Uint8Array
}

/** The archive's bytes. Owner root, time zero, so the same files always give the same bytes. */
export function cpioArchive(files: readonly CpioFile[]): Uint8Array {
  const parts: Uint8Array[] = []
  for (const [index, file] of files.entries()) {
    const type = file.data === undefined ? 0o040000 : 0o100000
    parts.push(...entry(file.path, index + 1, type | file.mode, file.data ?? new Uint8Array()))
  }
  parts.push(...entry('TRAILER!!!', 0, 0, new Uint8Array()))
  return Buffer.concat(parts)
}

function entry(path: string, inode: number, mode: number, data: Uint8Array): Uint8Array[] {
  const name = Buffer.from(`${path}\0`)
  const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0]
  const header = Buffer.from(`070701${fields.map((value) => value.toString(16).padStart(8, '0')).join('')}`)
  return [header, name, padding(header.length + name.length), data, padding(data.length)]
}

function padding(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4)
}
