/** Files that survive a crash: written beside their place, flushed, then renamed over it. */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { access, mkdir, open, readFile, rename, rm, statfs } from 'node:fs/promises'
import { dirname, delimiter, join } from 'node:path'
import { KilnError, systemErrorCode } from '../base/errors.ts'
import { formatBytes } from '../base/units.ts'

/** Replaces a file's content as one step: readers see the old bytes or the new ones, also after a power cut. */
export async function writeFileDurable(path: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  const file = await open(temporary, 'wx', mode)
  try {
    await file.writeFile(data)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  await syncFolder(dirname(path))
}

/** Flushes a folder's entries, so that a rename or a new file in it is durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Flushes a file's content to the disk. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

/** A file's text, or undefined when there is no such file. */
export async function readTextIfExists(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** True when something is at this path. */
export async function exists(path: string): Promise<boolean> {
  try {
    await access(path, constants.F_OK)
    return true
  } catch {
    return false
  }
}

/** Removes a file or a whole folder; what is gone is fine. */
export async function removeAll(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true })
}

/** The full path of a program on PATH (sbin folders included), or undefined. */
export async function findProgram(name: string): Promise<string | undefined> {
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/bin']) {
    if (folder === '') continue
    const path = join(folder, name)
    try {
      await access(path, constants.X_OK)
      return path
    } catch {
      // not in this folder
    }
  }
  return undefined
}

/** @throws KilnError E_DISK_FULL when the file system of `path` (which exists) has less than `neededBytes` free. */
export async function requireFreeSpace(path: string, neededBytes: number, what: string): Promise<void> {
  const stats = await statfs(path)
  const freeBytes = stats.bavail * stats.bsize
  if (freeBytes >= neededBytes) return
  throw new KilnError('E_DISK_FULL', `${what} needs ${formatBytes(neededBytes)} in ${path}, and ${formatBytes(freeBytes)} are free`, {
    hint: 'free some space, or set KILN_HOME to a folder on a larger disk',
  })
}

/** Turns ENOSPC and EDQUOT into E_DISK_FULL; gives anything else back as it was. */
export function explainDiskError(error: unknown, path: string): unknown {
  const code = systemErrorCode(error)
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error
  return new KilnError('E_DISK_FULL', `the disk became full while writing ${path}`, { hint: 'free some space and run the same command again', cause: error })
}
