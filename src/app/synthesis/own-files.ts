/** Files that an earlier `kiln synth` wrote, told by their header, in the places where it writes. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { systemErrorCode } from '../../base/errors.ts'
import { readTextIfExists } from '../../host/files.ts'
import { isOwn } from '../../synth/file.ts'

/** Folders that tools fill: large, and never Kiln's. */
const skipped: ReadonlySet<string> = new Set(['.terraform', 'packer_cache', 'node_modules', '.git'])

/** Paths relative to the stack's folder, sorted. */
export async function ownFiles(dir: string): Promise<readonly string[]> {
  const candidates = ['Makefile', ...(await filesBelow(dir, 'ops')), ...(await filesBelow(dir, '.github/workflows'))]
  const own = await Promise.all(candidates.map(async (path) => isOwn((await readTextIfExists(join(dir, path))) ?? '')))
  return candidates.filter((_, index) => own[index] === true).sort()
}

async function filesBelow(dir: string, folder: string): Promise<readonly string[]> {
  const entries = await readdir(join(dir, folder), { withFileTypes: true }).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT' || systemErrorCode(error) === 'ENOTDIR') return []
    throw error
  })
  const found = await Promise.all(
    entries.map(async (entry) => {
      const path = `${folder}/${entry.name}`
      if (entry.isDirectory()) return skipped.has(entry.name) ? [] : filesBelow(dir, path)
      return entry.isFile() ? [path] : []
    }),
  )
  return found.flat()
}
