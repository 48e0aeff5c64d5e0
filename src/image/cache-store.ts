/**
 * The baker's cache: finished folders by kind and key, made under a temporary name and renamed when complete, so that a killed bake
 * leaves no half entry. One process works on a key; others wait for it. What dead processes left is removed at the next start.
 * All of it can be deleted at any time.
 */
import { link, mkdir, open, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KilnError, systemErrorCode } from '../base/errors.ts'
import { shortId, sha256Hex } from '../base/ids.ts'
import { HOUR_MS } from '../base/units.ts'
import { waitFor } from '../base/wait.ts'
import { exists, readTextIfExists, syncFolder } from '../host/files.ts'
import { identifyProcess } from '../host/process.ts'
import { asRoot } from './namespace.ts'
import { run } from '../host/exec.ts'

export type CacheKind = 'layers' | 'wheels' | 'images'

export interface CacheStore {
  readonly root: string
  /** Where an entry is, or will be. */
  path(kind: CacheKind, key: string): string
  has(kind: CacheKind, key: string): Promise<boolean>
  /** Makes folders that the store needs and removes what dead processes left. */
  open(): Promise<void>
  /** A fresh folder that lives until `removeTree`, or until the next start after this process has ended. Relative names have no special characters. */
  temporary(): Promise<string>
  /** Moves a complete folder into its place. An entry that is there already wins, unless `replace`. */
  keep(temporary: string, kind: CacheKind, key: string, replace?: boolean): Promise<void>
  /** Runs `work` while no other process, and no other call, works on this name. `onWait` is called once when it has to wait. */
  exclusive<T>(name: string, signal: AbortSignal | undefined, onWait: () => void, work: () => Promise<T>): Promise<T>
  removeTree(path: string): Promise<void>
}

/** The cache in a folder (`home.cache`). Nothing is touched before `open`. */
export function cacheStore(root: string): CacheStore {
  const temporaryRoot = join(root, 'tmp')
  const locks = join(root, 'locks')
  const path = (kind: CacheKind, key: string): string => join(root, kind, key)
  return {
    root,
    path,
    has: (kind, key) => exists(path(kind, key)),
    async open() {
      for (const folder of ['layers', 'wheels', 'images', 'tmp', 'locks']) await mkdir(join(root, folder), { recursive: true })
      // A lock itself is taken over by whoever wants it next; these are the names that its dead holders and waiters linked it from.
      for (const name of await readdir(locks))
        if (/\.\d+_[0-9a-f]{16}_/.test(name) && !(await ownerLives(name.slice(name.indexOf('.') + 1)))) await rm(join(locks, name), { force: true })
      for (const name of await readdir(temporaryRoot)) if (!(await ownerLives(name))) await removeTree(join(temporaryRoot, name))
    },
    async temporary() {
      const folder = join(temporaryRoot, `${await ownName()}_${shortId()}`)
      await mkdir(folder, { recursive: true })
      return folder
    },
    async keep(temporary, kind, key, replace = false) {
      const target = path(kind, key)
      if (replace && (await exists(target))) await rename(target, join(temporaryRoot, `${await ownName()}_${shortId()}`))
      await rename(temporary, target).catch(async (error: unknown) => {
        if (!['ENOTEMPTY', 'EEXIST'].includes(systemErrorCode(error) ?? '')) throw error
        await removeTree(temporary)
      })
      await syncFolder(join(root, kind))
    },
    exclusive: (name, signal, onWait, work) => exclusive(join(locks, name), signal, onWait, work),
    removeTree,
  }
}

/** Removes a folder of root trees: files in it can belong to other users of the user namespace. */
async function removeTree(path: string): Promise<void> {
  const options = { what: 'removing a folder of the cache' }
  if (process.getuid?.() === 0) await run({ program: 'rm', args: ['-rf', '--', path] }, options)
  else await run(asRoot({ program: 'rm', args: ['-rf', '--', path] }), options)
}

async function ownName(): Promise<string> {
  const identity = await identifyProcess(process.pid)
  if (identity === undefined) throw new KilnError('E_BAKE', 'this process cannot be found in /proc')
  return ownerName(identity.pid, identity.startTime)
}

function ownerName(pid: number, startTime: string): string {
  return `${pid}_${sha256Hex(startTime).slice(0, 16)}`
}

async function ownerLives(name: string): Promise<boolean> {
  const pid = Number(name.split('_')[0])
  const identity = Number.isInteger(pid) ? await identifyProcess(pid) : undefined
  return identity !== undefined && name.startsWith(`${ownerName(identity.pid, identity.startTime)}_`)
}

async function exclusive<T>(path: string, signal: AbortSignal | undefined, onWait: () => void, work: () => Promise<T>): Promise<T> {
  const token = `${await ownName()}_${shortId(16)}`
  const own = `${path}.${token}`
  await writeFile(own, token)
  let waited = false
  try {
    await waitFor(
      { what: 'the end of the same bake in another process', timeoutMs: HOUR_MS, intervalMs: 100, code: 'E_LOCKED', ...(signal === undefined ? {} : { signal }) },
      async () => {
        if (await take(own, path)) return { done: true, value: undefined }
        if (!waited) onWait()
        waited = true
        return { done: false, status: `held by ${await readTextIfExists(path)}` }
      },
    )
    try {
      return await work()
    } finally {
      if ((await readTextIfExists(path)) === token) await rm(path, { force: true })
    }
  } finally {
    await rm(own, { force: true })
  }
}

/** Links our file to the lock's name: one step, with its content. A lock of a dead process is moved away first. */
async function take(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path)
    return true
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error
  }
  const holder = await readTextIfExists(path)
  if (holder === undefined || holder === '' || (await ownerLives(holder))) return false
  const away = `${own}.stale`
  await rename(path, away).catch(() => undefined)
  const moved = await readTextIfExists(away)
  // Somebody else may have replaced the dead lock between our reading and our rename: then theirs goes back.
  if (moved !== undefined && moved !== holder && (await ownerLives(moved))) await link(away, path).catch(() => undefined)
  await rm(away, { force: true })
  return false
}

/** Flushes a file's data while its path stays open for reading elsewhere. */
export async function flush(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.datasync()
  } finally {
    await file.close()
  }
}

/** Reads a JSON file of the cache; undefined when it is missing or not JSON: the entry counts as absent. */
export async function readJsonFile(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch {
    return undefined
  }
}
