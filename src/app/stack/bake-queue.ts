/**
 * Bakes of one command, one after the other: they share the lock file, the cache and two cores. What a bake resolves is written to
 * `kiln.lock` before the next begins, so that all images of a stack stand on the same versions.
 */
import { join } from 'node:path'
import type { Progress } from '../../base/progress.ts'
import type { BakeResult, Baker } from '../../image/baker.ts'
import { mergeLock, readLock, writeLock } from '../../image/lock-file.ts'
import type { BaseImageSpec, ImageSpec, LockFile, PrivateIndex } from '../../image/types.ts'
import type { BuiltWheel } from '../../image/wheel.ts'

export const lockFileName = 'kiln.lock'

export interface BakeRequest {
  readonly progress: Progress
  readonly signal: AbortSignal
}

export interface BakeQueue {
  /** The lock as it is now. */
  lock(): LockFile
  /** Forgets the pins of these images, or of all: the next bake resolves them again. */
  unpin(images?: readonly string[]): void
  /** A folder for as long as `use` runs, also when this process is killed. */
  withTemporary<T>(use: (folder: string) => Promise<T>): Promise<T>
  /** The kernel of a base image in the cache. */
  kernel(spec: BaseImageSpec): Promise<string | undefined>
  buildWheel(source: string, base: BaseImageSpec, request: BakeRequest): Promise<BuiltWheel>
  bake(spec: ImageSpec, index: PrivateIndex | undefined, request: BakeRequest & { readonly noCache?: boolean }): Promise<BakeResult>
}

/** Opens the queue of a stack's folder. @throws KilnError E_LOCK_STALE when kiln.lock cannot be read */
export async function openBakeQueue(baker: Baker, stackDir: string): Promise<BakeQueue> {
  await baker.open()
  const path = join(stackDir, lockFileName)
  let lock = await readLock(path)
  let last: Promise<unknown> = Promise.resolve()

  function inTurn<T extends { readonly lockAdditions: LockFile['images'] }>(request: BakeRequest, work: () => Promise<T>): Promise<T> {
    const result = last
      .catch(() => {})
      .then(async () => {
        request.signal.throwIfAborted()
        const made = await work()
        if (Object.keys(made.lockAdditions).length > 0) {
          lock = mergeLock(lock, made.lockAdditions)
          await writeLock(path, lock)
        }
        return made
      })
    last = result
    return result
  }

  return {
    lock: () => lock,
    unpin(images) {
      lock = images === undefined ? { ...lock, images: {} } : { ...lock, images: Object.fromEntries(Object.entries(lock.images).filter(([name]) => !images.includes(name))) }
    },
    withTemporary: (use) => baker.withTemporary(use),
    kernel: (spec) => baker.kernel(spec, lock),
    buildWheel: (source, base, request) => inTurn(request, () => baker.buildWheel({ source, base, lock, signal: request.signal, progress: request.progress })),
    bake: (spec, index, request) =>
      inTurn(request, () =>
        baker.bake(spec, { lock, signal: request.signal, progress: request.progress, noCache: request.noCache === true, ...(index === undefined ? {} : { index }) }),
      ),
  }
}
