import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { KilnError } from '../../base/errors.ts'
import { silentProgress } from '../../base/progress.ts'
import { exists, removeAll, writeFileDurable } from '../../host/files.ts'
import type { BakeOptions, BakeResult, Baker } from '../../image/baker.ts'
import { readLock } from '../../image/lock-file.ts'
import type { BaseImageSpec, ImageSpec, LockFile, LockedImage } from '../../image/types.ts'
import { lockFileName, openBakeQueue } from './bake-queue.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kiln-queue-'))
})
afterEach(() => removeAll(dir))

function locked(version: string): LockedImage {
  return { request: 'r', debian: [{ name: 'python3', version, architecture: 'amd64', sha256: 'a'.repeat(64) }], wheels: [] }
}

function spec(name: string): BaseImageSpec {
  return { type: 'base', name, suite: 'bookworm', packages: [] }
}

interface FakeBaker extends Baker {
  /** What each bake saw when it began. */
  readonly seen: { readonly image: string; readonly lock: LockFile | undefined; readonly onDisk: LockFile }[]
  running: number
  most: number
}

/** Resolves to version 1 of everything; `broken` fails. */
function fakeBaker(): FakeBaker {
  const never = (): never => {
    throw new Error('not in this test')
  }
  const baker: FakeBaker = {
    seen: [],
    running: 0,
    most: 0,
    open: async () => {},
    withTemporary: never,
    plan: never,
    lastInputs: never,
    kernel: async (image, lock) => (lock?.images[image.name] === undefined ? undefined : `/kernel/of/${image.name}`),
    async bake(image: ImageSpec, options: BakeOptions = {}): Promise<BakeResult> {
      baker.running += 1
      baker.most = Math.max(baker.most, baker.running)
      baker.seen.push({ image: image.name, lock: options.lock, onDisk: await readLock(join(dir, lockFileName)) })
      baker.running -= 1
      if (image.name === 'broken') throw new KilnError('E_BAKE', 'it cannot be baked')
      const known = options.lock?.images[image.name] !== undefined
      const lockAdditions = known ? {} : { [image.name]: locked('1') }
      return {
        name: image.name,
        key: { key: 'k', inputs: {} },
        diskPath: '',
        digest: '',
        sizeBytes: 0,
        debian: [],
        wheels: [],
        cached: known,
        durations: [],
        changes: [],
        lockAdditions,
      }
    },
    async buildWheel({ base, lock }) {
      const lockAdditions = lock?.images[base.name] === undefined ? { [base.name]: locked('1') } : {}
      return { name: 'w', version: '1', fileName: 'w-1-py3-none-any.whl', sha256: '', path: '', sourceDigest: '', consoleScripts: {}, cached: false, lockAdditions }
    },
  }
  return baker
}

const request = { progress: silentProgress, signal: new AbortController().signal }

test('bakes run one after the other, and what one resolves is on the disk before the next begins', async () => {
  const baker = fakeBaker()
  const queue = await openBakeQueue(baker, dir)
  await Promise.all([queue.bake(spec('python3'), undefined, request), queue.bake(spec('moshi-srv'), undefined, request), queue.bake(spec('python3'), undefined, request)])
  expect(baker.most).toBe(1)
  expect(baker.seen.map((each) => [each.image, Object.keys(each.lock?.images ?? {})])).toEqual([
    ['python3', []],
    ['moshi-srv', ['python3']],
    ['python3', ['python3', 'moshi-srv']],
  ])
  for (const each of baker.seen) expect(each.onDisk).toEqual(each.lock)
  expect(await readLock(join(dir, lockFileName))).toEqual(queue.lock())
})

test('a wheel pins the image that it is built in', async () => {
  const queue = await openBakeQueue(fakeBaker(), dir)
  expect(await queue.kernel(spec('python3'))).toBeUndefined()
  await queue.buildWheel('/source', spec('python3'), request)
  expect(queue.lock().images['python3']).toEqual(locked('1'))
  expect(await readLock(join(dir, lockFileName))).toEqual(queue.lock())
  expect(await queue.kernel(spec('python3'))).toBe('/kernel/of/python3')
})

test('a failed bake changes no lock and does not hold up the next', async () => {
  const queue = await openBakeQueue(fakeBaker(), dir)
  const [broken, fine] = await Promise.allSettled([queue.bake(spec('broken'), undefined, request), queue.bake(spec('python3'), undefined, request)])
  expect(broken).toMatchObject({ status: 'rejected', reason: { code: 'E_BAKE' } })
  expect(fine.status).toBe('fulfilled')
  expect(Object.keys(queue.lock().images)).toEqual(['python3'])
})

test('a cancelled command starts no further bake', async () => {
  const baker = fakeBaker()
  const queue = await openBakeQueue(baker, dir)
  const cancelled = { ...request, signal: AbortSignal.abort(new KilnError('E_CANCELLED', 'Ctrl-C')) }
  await expect(queue.bake(spec('python3'), undefined, cancelled)).rejects.toMatchObject({ code: 'E_CANCELLED' })
  expect(baker.seen).toEqual([])
  expect(await exists(join(dir, lockFileName))).toBe(false)
})

test('unpinned images are resolved again, and the file keeps its pins until they are', async () => {
  const path = join(dir, lockFileName)
  const baker = fakeBaker()
  const first = await openBakeQueue(baker, dir)
  await first.bake(spec('python3'), undefined, request)
  await first.bake(spec('moshi-srv'), undefined, request)
  const text = await readFile(path, 'utf8')

  const one = await openBakeQueue(baker, dir)
  one.unpin(['moshi-srv'])
  expect(Object.keys(one.lock().images)).toEqual(['python3'])
  expect(await readFile(path, 'utf8')).toBe(text)
  await one.bake(spec('moshi-srv'), undefined, request)
  expect(await readFile(path, 'utf8')).toBe(text)

  const all = await openBakeQueue(baker, dir)
  all.unpin()
  expect(all.lock().images).toEqual({})
})

test('a lock file that cannot be read is named', async () => {
  await writeFileDurable(join(dir, lockFileName), '{"version": 9}')
  await expect(openBakeQueue(fakeBaker(), dir)).rejects.toMatchObject({ code: 'E_LOCK_STALE' })
})
