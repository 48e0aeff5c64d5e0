/** Kiln's side: everything that is there before the measurement, and the measured bakes. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { readImageSpecs } from '../../src/app/stack/image-specs.ts'
import type { Progress } from '../../src/base/progress.ts'
import { makeForm, uploadParts } from '../../src/cloud/rooms/artifactregistry/python/testing.ts'
import { startTestIndex } from '../../src/cloud/rooms/artifactregistry/python/test-index.ts'
import { loadStack } from '../../src/config/load.ts'
import { run } from '../../src/host/exec.ts'
import { exists } from '../../src/host/files.ts'
import type { KilnHome } from '../../src/host/home.ts'
import { baseOf, createBaker } from '../../src/image/baker.ts'
import { cacheStore } from '../../src/image/cache-store.ts'
import { mergeLock, readLock, writeLock } from '../../src/image/lock-file.ts'
import type { LockFile, ServerImageSpec } from '../../src/image/types.ts'
import type { BuiltWheel } from '../../src/image/wheel.ts'
import { root } from '../../tools/imports.ts'
import type { BakeAnswer, BakeOrder } from './kiln-process.ts'

/** The stack that is baked, and its image with a server. */
export const subject = { stack: 'examples/moshi', image: 'moshi-srv', packageSource: 'examples/moshi/server' } as const

export interface Prepared {
  readonly home: KilnHome
  readonly spec: ServerImageSpec
  readonly health: { readonly path: string; readonly port: number }
  readonly lock: LockFile
  readonly wheel: BuiltWheel
  /** Raw disk of the base image: where both sides begin. */
  readonly baseDisk: string
  readonly baseSizeBytes: number
  readonly suite: string
}

/** What both sides take as given: base disk, wheel, tools to install it. Uses the cache of `home`. */
export async function prepare(home: KilnHome, progress: Progress, signal: AbortSignal): Promise<Prepared> {
  const stack = await loadStack(join(root, subject.stack))
  const specs = await readImageSpecs(stack)
  const image = stack.config.images[subject.image]
  const lockPath = join(home.root, 'bench.lock')
  let lock = await readLock(lockPath)
  const baker = createBaker({ home, progress })
  const base = specs.base(subject.image)
  progress.note(`the base image ${base.name}`)
  const baseImage = await baker.bake(base, { lock, signal })
  lock = mergeLock(lock, baseImage.lockAdditions)
  const wheel = await baker.buildWheel({ source: join(root, subject.packageSource), base, lock, signal })
  lock = mergeLock(lock, wheel.lockAdditions)
  const { name, version, fileName, sha256 } = wheel
  const spec = specs.spec(subject.image, [{ name, version, fileName, sha256 }])
  if (spec.type !== 'server' || spec.wheels.length === 0 || image === undefined || !('health' in image)) throw new Error(`${subject.image} is not an image with a server`)
  await writeLock(lockPath, lock)
  return { home, spec, health: image.health, lock, wheel, baseDisk: baseImage.diskPath, baseSizeBytes: baseImage.sizeBytes, suite: baseOf(spec).suite }
}

export interface KilnSide {
  /** Bakes the server image anew on the cached base. */
  bake(): Promise<TimedBake>
  /** Bakes again with nothing changed. */
  bakeAgain(): Promise<TimedBake>
  close(): Promise<void>
}

export interface TimedBake extends BakeAnswer {
  /** Wall time of the whole process. */
  readonly durationMs: number
}

const Answer = z.object({
  key: z.string(),
  digest: z.string(),
  diskPath: z.string(),
  sizeBytes: z.number(),
  cached: z.boolean(),
  durations: z.array(z.object({ step: z.string(), durationMs: z.number() })),
})

/** Starts the private index with the wheel in it and bakes once, so that all that is not measured (the lock, pip's own layer) is there. */
export async function openKilnSide(prepared: Prepared, signal: AbortSignal): Promise<KilnSide> {
  const { home, spec, wheel } = prepared
  const index = await startTestIndex()
  const store = cacheStore(home.cache)

  async function timedBake(): Promise<TimedBake> {
    const order: BakeOrder = {
      home: home.root,
      spec,
      lock: prepared.lock,
      index: { url: `${index.cloud.url()}/us-central1-python.pkg.dev/p-one/pypi/simple/`, token: index.cloud.ownerToken() },
    }
    const start = performance.now()
    const result = await run(
      { program: process.execPath, args: [join(import.meta.dirname, 'kiln-process.ts')], input: JSON.stringify(order) },
      { what: `baking ${spec.name}`, signal },
    )
    return { ...Answer.parse(JSON.parse(result.stdout)), durationMs: Math.round(performance.now() - start) }
  }

  /** Takes the image and the server's layer out of the cache; the base image stays. */
  async function forget(key: string): Promise<void> {
    for (const kind of ['images', 'layers'] as const) if (await exists(store.path(kind, key))) await store.removeTree(store.path(kind, key))
  }

  try {
    const form = makeForm(uploadParts(wheel.fileName, await readFile(wheel.path), { name: wheel.name, version: wheel.version }))
    const upload = await index.cloud.call('POST', 'us-central1-python.pkg.dev/p-one/pypi/', { body: form.body, headers: form.headers })
    if (upload.status !== 200) throw new Error(`the private index refused the wheel: ${upload.status} ${upload.text}`)
    const { key } = await timedBake()
    return {
      async bake() {
        await forget(key)
        const baked = await timedBake()
        if (baked.cached) throw new Error('the bake found its image in the cache, so nothing was measured')
        return baked
      },
      async bakeAgain() {
        const baked = await timedBake()
        if (!baked.cached) throw new Error('the bake with nothing changed made the image again')
        return baked
      },
      close: () => index.cloud.close(),
    }
  } catch (error) {
    await index.cloud.close()
    throw error
  }
}
