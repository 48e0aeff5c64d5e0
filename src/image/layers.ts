/** Cached layers of root trees: base root, extra Debian packages, builder. A stack of them is an image's root. */
import { cp, mkdir, readdir, rename, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { KilnError } from '../base/errors.ts'
import { sha256Hex } from '../base/ids.ts'
import { canonicalJson } from '../base/json.ts'
import type { Progress } from '../base/progress.ts'
import { GIB } from '../base/units.ts'
import { exists, requireFreeSpace } from '../host/files.ts'
import { aptSources, findMirror } from './apt-sources.ts'
import type { CacheStore } from './cache-store.ts'
import { imageKey, lockedImage, requestDigest } from './key.ts'
import { readLayer } from './manifest.ts'
import type { LayerFacts } from './manifest.ts'
import type { RootStack } from './namespace.ts'
import { RECIPE_VERSION, builderPackages } from './recipe/packages.ts'
import { baseRoot } from './steps/base-root.ts'
import { bootFiles } from './steps/boot-files.ts'
import { debianLayer } from './steps/debian-layer.ts'
import { contentBytes } from './steps/disk.ts'
import type { PipSource } from './steps/server-root.ts'
import type { BakeStep } from './steps/step.ts'
import type { BaseImageSpec, LockFile, LockedDebianPackage, LockedImage } from './types.ts'
import { mergeLock } from './lock-file.ts'

/** One bake's surroundings. `additions` collects what was resolved; `durations` how long each step took. */
export interface BakeRun {
  readonly store: CacheStore
  readonly progress: Progress
  readonly signal: AbortSignal | undefined
  /** Make every layer anew. */
  readonly noCache: boolean
  lock: LockFile
  readonly additions: Record<string, LockedImage>
  readonly durations: { step: string; durationMs: number }[]
}

/** A root: layers from the bottom up (folders in the cache), with what they hold. */
export interface Root {
  readonly key: string
  readonly folders: readonly string[]
  readonly debian: readonly LockedDebianPackage[]
  readonly sources: readonly string[]
  readonly contentBytes: number
  /** The base layer's folder: it has the kernel, the EFI system partition and apt's index. */
  readonly base: string
}

/** Runs a step with its verification, and notes its time. */
export async function runStep<Context, Result>(bake: BakeRun, step: BakeStep<Context, Result>, context: Context): Promise<Result> {
  return timed(bake, step.name, async () => {
    const result = await step.run(context, bake.signal)
    await step.verify(context, result)
    return result
  })
}

/** Runs work and notes its time under a step's name. */
export async function timed<T>(bake: BakeRun, step: string, work: () => Promise<T>): Promise<T> {
  bake.signal?.throwIfAborted()
  const start = performance.now()
  const result = await work()
  bake.durations.push({ step, durationMs: Math.round(performance.now() - start) })
  return result
}

/** Notes resolved packages, so that later steps of the same bake and the caller see them. */
export function addToLock(bake: BakeRun, name: string, entry: LockedImage): void {
  bake.additions[name] = entry
  bake.lock = mergeLock(bake.lock, bake.additions)
}

/** The stack of a root's layers as paths relative to the cache folder; `temporary` gives it a mount point and, if wanted, a writable top. */
export async function stackOf(store: CacheStore, folders: readonly string[], temporary: string, writable: boolean): Promise<RootStack> {
  const inCache = (path: string): string => relative(store.root, path)
  for (const name of writable ? ['mount', 'tree', 'work'] : ['mount']) await mkdir(join(temporary, name), { recursive: true, mode: 0o755 })
  return {
    cwd: store.root,
    layers: folders.map((folder) => inCache(join(folder, 'tree'))),
    mountPoint: inCache(join(temporary, 'mount')),
    ...(writable ? { writable: { upper: inCache(join(temporary, 'tree')), work: inCache(join(temporary, 'work')) } } : {}),
  }
}

/** The root of a base image, from the cache or made now. */
export async function baseLayer(bake: BakeRun, spec: BaseImageSpec): Promise<Root> {
  const { store } = bake
  const ready = async (): Promise<Root | undefined> => {
    const entry = lockedImage(spec, bake.lock)
    if (entry === undefined || bake.noCache) return undefined
    const { key } = imageKey(spec, bake.lock)
    return openRoot(store, key, [], store.path('layers', key))
  }
  const found = await ready()
  if (found !== undefined) return found
  const waiting = (): void => bake.progress.note(`another bake makes the base image ${spec.name}; waiting for it`)
  return store.exclusive(`base-${requestDigest(spec)}`, bake.signal, waiting, async () => (await ready()) ?? makeBase(bake, spec))
}

async function makeBase(bake: BakeRun, spec: BaseImageSpec): Promise<Root> {
  const { store } = bake
  await requireFreeSpace(store.root, 3 * GIB, `the base image ${spec.name}`)
  const folder = await store.temporary()
  try {
    const entry = lockedImage(spec, bake.lock)
    const sources = await timed(bake, 'archive', async () => aptSources(await findMirror(), spec.suite, folder, bake.signal))
    bake.progress.note(`installing Debian ${spec.suite}${entry === undefined ? '' : ` (${entry.debian.length} packages, as locked)`}`)
    const { debian } = await runStep(bake, baseRoot, { spec, sources, locked: entry?.debian, folder })
    await runStep(bake, bootFiles, { tree: join(folder, 'tree'), boot: join(folder, 'boot'), outFolder: folder })
    const bytes = await contentBytes(await stackOf(store, [folder], folder, false), bake.signal)
    await writeFacts(folder, { debian: [...debian], sources, contentBytes: bytes })
    addToLock(bake, spec.name, { request: requestDigest(spec), debian, wheels: [] })
    const { key } = imageKey(spec, bake.lock)
    await store.keep(folder, 'layers', key, bake.noCache)
    return await requireRoot(store, key, [], store.path('layers', key))
  } finally {
    await store.removeTree(folder)
  }
}

/** A root with more Debian packages on top. `name` is the entry in the lock; no packages: the same root. */
export async function withPackages(bake: BakeRun, below: Root, name: string, request: string, packages: readonly string[]): Promise<Root> {
  if (packages.length === 0) return below
  const { store } = bake
  const keyOf = (debian: readonly LockedDebianPackage[]): string => sha256Hex(canonicalJson({ recipe: RECIPE_VERSION, below: below.key, packages: [...packages].sort(), debian }))
  const ready = async (): Promise<Root | undefined> => {
    const entry = bake.lock.images[name]
    if (entry?.request !== request || bake.noCache) return undefined
    return openRoot(store, keyOf(entry.debian), below.folders, below.base)
  }
  const found = await ready()
  if (found !== undefined) return found
  const waiting = (): void => bake.progress.note(`another bake installs the packages of ${name}; waiting for it`)
  return store.exclusive(
    `packages-${sha256Hex(`${below.key} ${request}`)}`,
    bake.signal,
    waiting,
    async () => (await ready()) ?? makePackages(bake, below, { name, request, packages, keyOf }),
  )
}

interface PackagesWish {
  readonly name: string
  readonly request: string
  readonly packages: readonly string[]
  readonly keyOf: (debian: readonly LockedDebianPackage[]) => string
}

async function makePackages(bake: BakeRun, below: Root, wish: PackagesWish): Promise<Root> {
  const { store } = bake
  await requireFreeSpace(store.root, GIB, `the packages of ${wish.name}`)
  const folder = await store.temporary()
  try {
    bake.progress.note(`installing ${wish.packages.join(', ')}`)
    const root = await stackOf(store, below.folders, folder, true)
    const apt = join(folder, 'apt')
    await mkdir(apt)
    await cp(join(below.base, 'lists'), join(apt, 'lists'), { recursive: true, preserveTimestamps: true })
    const entry = bake.lock.images[wish.name]
    const locked = entry?.request === wish.request ? entry.debian : undefined
    const added = await runStep(bake, debianLayer, { image: wish.name, packages: wish.packages, sources: below.sources, locked, below: below.debian, root, apt })
    await store.removeTree(join(folder, 'work'))
    await store.removeTree(apt)
    const bytes = await contentBytes({ cwd: store.root, layers: [relative(store.root, join(folder, 'tree'))], mountPoint: root.mountPoint }, bake.signal)
    const names = new Set(added.map((item) => item.name))
    const debian = [...below.debian.filter((item) => !names.has(item.name)), ...added].sort((a, b) => (a.name < b.name ? -1 : 1))
    await writeFacts(folder, { debian, sources: [...below.sources], contentBytes: below.contentBytes + bytes })
    addToLock(bake, wish.name, { request: wish.request, debian: added, wheels: bake.lock.images[wish.name]?.wheels ?? [] })
    const key = wish.keyOf(added)
    await store.keep(folder, 'layers', key, bake.noCache)
    return await requireRoot(store, key, below.folders, below.base)
  } finally {
    await store.removeTree(folder)
  }
}

/** The root for building wheels: the base image with pip and the build backends of Debian. */
export async function builderRoot(bake: BakeRun, base: Root, spec: BaseImageSpec, backends: readonly string[] = []): Promise<Root> {
  const packages = [...new Set([...builderPackages, ...backends])].sort()
  const name = backends.length === 0 ? `${spec.name}/builder` : `${spec.name}/builder+${backends.join('+')}`
  return withPackages(bake, base, name, sha256Hex(canonicalJson({ from: requestDigest(spec), packages })).slice(0, 32), packages)
}

/**
 * pip of a builder root: Debian's package with its byte code, which starts several times faster than the wheel it also has, since from a
 * wheel Python compiles every module anew at each start. bullseye's package takes its libraries from elsewhere, so there it is the wheels.
 * @throws KilnError E_BAKE when the root has neither.
 */
export async function findPip(builder: Root): Promise<PipSource> {
  const trees = builder.folders.toReversed().map((folder) => join(folder, 'tree/usr'))
  for (const tree of trees) {
    const folder = join(tree, 'lib/python3/dist-packages/pip')
    if ((await exists(join(folder, '_vendor/requests'))) && (await exists(join(folder, '__pycache__')))) return { folder, wheels: [] }
  }
  for (const tree of trees) {
    const folder = join(tree, 'share/python-wheels')
    const wheels = (await exists(folder)) ? (await readdir(folder)).filter((name) => name.endsWith('.whl')).sort() : []
    if (wheels.some((name) => name.startsWith('pip-'))) return { folder, wheels }
  }
  throw new KilnError('E_BAKE', 'the builder root has no pip')
}

async function openRoot(store: CacheStore, key: string, below: readonly string[], base: string): Promise<Root | undefined> {
  const folder = store.path('layers', key)
  const facts = await readLayer(folder)
  return facts === undefined ? undefined : { key, folders: [...below, folder], base, ...facts }
}

async function requireRoot(store: CacheStore, key: string, below: readonly string[], base: string): Promise<Root> {
  const root = await openRoot(store, key, below, base)
  if (root === undefined) throw new KilnError('E_DATA_BROKEN', `the cached layer ${store.path('layers', key)} cannot be read`, { hint: `delete ${store.root} and bake again` })
  return root
}

async function writeFacts(folder: string, facts: LayerFacts): Promise<void> {
  await writeFile(join(folder, 'layer.json.part'), JSON.stringify(facts))
  await rename(join(folder, 'layer.json.part'), join(folder, 'layer.json'))
}
