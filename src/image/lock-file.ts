/** `kiln.lock`: one line per package, sorted, so that a change of one version is a change of one line. */
import { KilnError } from '../base/errors.ts'
import { readTextIfExists, writeFileDurable } from '../host/files.ts'
import { z } from 'zod'
import type { LockFile } from './types.ts'

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const Lock = z.strictObject({
  version: z.literal(1),
  images: z.record(
    z.string(),
    z.strictObject({
      request: z.string(),
      debian: z.array(z.strictObject({ name: z.string(), version: z.string(), architecture: z.string(), sha256 })),
      wheels: z.array(z.strictObject({ name: z.string(), version: z.string(), fileName: z.string(), sha256 })),
    }),
  ),
})

export const emptyLock: LockFile = { version: 1, images: {} }

/** Reads a lock file; an absent one is empty. @throws KilnError E_LOCK_STALE when it is not a lock file of this version. */
export async function readLock(path: string): Promise<LockFile> {
  const text = await readTextIfExists(path)
  if (text === undefined) return emptyLock
  try {
    return Lock.parse(JSON.parse(text))
  } catch (error) {
    throw new KilnError('E_LOCK_STALE', `${path} is not a lock file that this Kiln can read`, {
      hint: 'restore it from version control, or delete it and run `kiln bake --update-lock`',
      cause: error,
    })
  }
}

/** The lock as text, in its one stable form. */
export function formatLock(lock: LockFile): string {
  const images = Object.keys(lock.images)
    .sort()
    .map((name) => {
      const image = lock.images[name]
      if (image === undefined) return ''
      const rows = <T extends { readonly name: string }>(items: readonly T[], columns: readonly (keyof T & string)[]): string =>
        [...items]
          .sort((a, b) => (a.name < b.name ? -1 : 1))
          .map((item) => `\n        { ${columns.map((column) => `${JSON.stringify(column)}: ${JSON.stringify(item[column])}`).join(', ')} }`)
          .join(',')
      const list = (text: string): string => (text === '' ? '[]' : `[${text}\n      ]`)
      return [
        `    ${JSON.stringify(name)}: {`,
        `      "request": ${JSON.stringify(image.request)},`,
        `      "debian": ${list(rows(image.debian, ['name', 'version', 'architecture', 'sha256']))},`,
        `      "wheels": ${list(rows(image.wheels, ['name', 'version', 'fileName', 'sha256']))}`,
        '    }',
      ].join('\n')
    })
  return `{\n  "version": 1,\n  "images": {${images.length === 0 ? '' : `\n${images.join(',\n')}\n  `}}\n}\n`
}

/** Writes the lock durably; does nothing when the file has this text already. */
export async function writeLock(path: string, lock: LockFile): Promise<void> {
  const text = formatLock(lock)
  if ((await readTextIfExists(path)) !== text) await writeFileDurable(path, text)
}

/** The lock with the images of `additions` in place of its own of the same name. */
export function mergeLock(lock: LockFile, additions: LockFile['images']): LockFile {
  return { version: 1, images: { ...lock.images, ...additions } }
}
