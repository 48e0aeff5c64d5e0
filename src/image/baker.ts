/** The offline baker: from an image's spec to a raw disk, through cached layers. No VM runs; the same inputs give the same bytes. */
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { KilnError, isKilnError } from '../base/errors.ts'
import { sameJson } from '../base/json.ts'
import { silentProgress } from '../base/progress.ts'
import type { Progress } from '../base/progress.ts'
import { readTextIfExists, requireFreeSpace, writeFileDurable } from '../host/files.ts'
import type { KilnHome } from '../host/home.ts'
import { cacheStore, flush, readJsonFile } from './cache-store.ts'
import type { CacheStore } from './cache-store.ts'
import { fileSha256 } from './file-hash.ts'
import { explainKeyChange, imageKey, isResolved, lockedImage, requestDigest } from './key.ts'
import { addToLock, baseLayer, builderRoot, findPip, runStep, stackOf, timed, withPackages } from './layers.ts'
import type { BakeRun, Root } from './layers.ts'
import { emptyLock } from './lock-file.ts'
import { manifestText, readImage } from './manifest.ts'
import { sbomText } from './sbom.ts'
import { contentBytes, disk, diskSizeFor } from './steps/disk.ts'
import { serverRoot } from './steps/server-root.ts'
import { bakeTools, requireTools } from './tools.ts'
import type { BakedImage, BaseImageSpec, ImageKey, ImageSpec, KeyChanges, KeyInputs, LockFile, LockedImage, LockedWheel, PrivateIndex, ServerImageSpec } from './types.ts'
import { buildWheel } from './wheel.ts'
import type { BuildWheelOptions, BuiltWheel } from './wheel.ts'

export interface BakerOptions {
  readonly home: KilnHome
  readonly progress?: Progress
}

export interface BakeOptions {
  readonly lock?: LockFile
  /** Needed when the image, or one below it, has wheels and is not in the cache. */
  readonly index?: PrivateIndex
  readonly signal?: AbortSignal
  /** Make every layer anew. */
  readonly noCache?: boolean
  readonly progress?: Progress
}

export interface BakeResult extends BakedImage {
  /** Lock entries that this bake resolved, by name: merge them into `kiln.lock`. Empty when nothing was new. */
  readonly lockAdditions: Readonly<Record<string, LockedImage>>
  /** Why the key is not that of the last bake of this image on this machine. */
  readonly changes: KeyChanges
}

export interface BakePlan extends ImageKey {
  /** False: Debian packages are not pinned yet, so the key is preliminary. */
  readonly resolved: boolean
  readonly cached: boolean
  readonly changes: KeyChanges
}

export interface Baker {
  /** Removes what dead processes left in the cache. */
  open(): Promise<void>
  /** A folder in the cache for as long as `use` runs; one that a killed process left goes at the next `open`. */
  withTemporary<T>(use: (folder: string) => Promise<T>): Promise<T>
  /** What a bake would do, without doing it. Milliseconds. */
  plan(spec: ImageSpec, lock?: LockFile): Promise<BakePlan>
  /** The kernel of a base image that is in the cache (for the accelerator probe), or undefined. */
  kernel(spec: BaseImageSpec, lock?: LockFile): Promise<string | undefined>
  /** The key inputs of the last bake of an image on this machine, to explain a change with. */
  lastInputs(name: string): Promise<KeyInputs | undefined>
  /**
   * Makes the image, or finds it in the cache.
   * @throws KilnError E_TOOL_MISSING, E_NETWORK, E_DISK_FULL, E_LOCK_STALE, E_BAKE, E_PERMISSION, E_CANCELLED.
   */
  bake(spec: ImageSpec, options?: BakeOptions): Promise<BakeResult>
  /** Builds a wheel inside the base image's own root; see `wheel.ts`. */
  buildWheel(options: BuildWheelOptions): Promise<BuiltWheel>
}

const Latest = z.object({ inputs: z.record(z.string(), z.string()) })

/** A baker over the cache of a data folder. */
export function createBaker(options: BakerOptions): Baker {
  const store = cacheStore(options.home.cache)
  return {
    open: () => store.open(),
    async withTemporary(use) {
      await store.open()
      const folder = await store.temporary()
      try {
        return await use(folder)
      } finally {
        await store.removeTree(folder)
      }
    },
    async plan(spec, lock = emptyLock) {
      const key = imageKey(spec, lock)
      const resolved = isResolved(key.inputs)
      const cached = resolved && (await readImage(store.path('images', key.key))) !== undefined
      return { ...key, resolved, cached, changes: await changesSinceLast(store, spec.name, key) }
    },
    async kernel(spec, lock = emptyLock) {
      const boot = join(store.path('layers', imageKey(spec, lock).key), 'boot')
      const names = await readdir(boot).catch(() => [])
      const kernel = names.find((name) => name.startsWith('vmlinuz-'))
      return kernel === undefined ? undefined : join(boot, kernel)
    },
    lastInputs: (name) => readLatest(store, name),
    bake: (spec, bakeOptions = {}) => bake(store, spec, { ...bakeOptions, progress: bakeOptions.progress ?? options.progress ?? silentProgress }),
    buildWheel: (wheelOptions) => buildWheel(store, { ...wheelOptions, progress: wheelOptions.progress ?? options.progress ?? silentProgress }),
  }
}

async function bake(store: CacheStore, spec: ImageSpec, options: BakeOptions & { readonly progress: Progress }): Promise<BakeResult> {
  const bakeRun: BakeRun = {
    store,
    progress: options.progress,
    signal: options.signal,
    noCache: options.noCache === true,
    lock: options.lock ?? emptyLock,
    additions: {},
    durations: [],
  }
  const start = performance.now()
  const cached = async (): Promise<BakeResult | undefined> => {
    const key = imageKey(spec, bakeRun.lock)
    if (bakeRun.noCache || !isResolved(key.inputs)) return undefined
    const image = await readImage(store.path('images', key.key))
    if (image === undefined) return undefined
    noteWheels(bakeRun, spec)
    const durations = [{ step: 'look-up', durationMs: Math.round(performance.now() - start) }]
    return { ...image, durations, lockAdditions: bakeRun.additions, changes: [] }
  }
  const found = await cached()
  if (found !== undefined) return found
  await requireTools(bakeTools)
  await store.open()
  const waiting = (): void => options.progress.note(`another bake makes ${spec.name}; waiting for it`)
  try {
    return await store.exclusive(
      `image-${imageKey(spec, bakeRun.lock).key}`,
      options.signal,
      waiting,
      async () => (await cached()) ?? (await makeImage(bakeRun, spec, options.index)),
    )
  } catch (error) {
    if (options.signal?.aborted === true && !isKilnError(error)) throw new KilnError('E_CANCELLED', `the bake of ${spec.name} was cancelled`, { cause: error })
    throw error
  }
}

async function makeImage(bakeRun: BakeRun, spec: ImageSpec, index: PrivateIndex | undefined): Promise<BakeResult> {
  const { store } = bakeRun
  const root = await rootOf(bakeRun, spec, index)
  const key = imageKey(spec, bakeRun.lock)
  const changes = await changesSinceLast(store, spec.name, key)
  const sizeBytes = diskSizeFor(root.contentBytes)
  await requireFreeSpace(store.root, root.contentBytes * 1.2, `the disk of image ${spec.name}`)
  const folder = await store.temporary()
  try {
    bakeRun.progress.note(`assembling the disk of ${spec.name}`)
    const stack = await stackOf(store, root.folders, folder, false)
    const path = join(folder, 'disk.raw')
    await runStep(bakeRun, disk, { root: stack, esp: join(root.base, 'esp.img'), path, sizeBytes })
    const [sha256] = await timed(bakeRun, 'digest', () => Promise.all([fileSha256(path), flush(path)]))
    const wheels = wheelsOf(spec)
    const image: BakedImage = {
      name: spec.name,
      key,
      diskPath: join(store.path('images', key.key), 'disk.raw'),
      digest: `sha256:${sha256}`,
      sizeBytes,
      debian: root.debian,
      wheels,
      cached: false,
      durations: bakeRun.durations,
    }
    await writeFileDurable(join(folder, 'manifest.json'), manifestText(image))
    await writeFile(join(folder, 'sbom.cdx.json'), sbomText(image, baseOf(spec).suite))
    await store.removeTree(join(folder, 'mount'))
    await store.keep(folder, 'images', key.key, bakeRun.noCache)
    await rememberLatest(store, spec.name, key)
    return { ...image, lockAdditions: bakeRun.additions, changes }
  } finally {
    await store.removeTree(folder)
  }
}

/** The root of an image: that of what it stands on, its Debian packages, its own layer. */
async function rootOf(bakeRun: BakeRun, spec: ImageSpec, index: PrivateIndex | undefined): Promise<Root> {
  if (spec.type === 'base') return baseLayer(bakeRun, spec)
  const below = await rootOf(bakeRun, spec.from, index)
  const withDebian = await withPackages(bakeRun, below, spec.name, requestDigest(spec), spec.packages)
  noteWheels(bakeRun, spec)
  return serverLayer(bakeRun, withDebian, spec, index)
}

/** The lock names the wheels too, which come from the config's packages, not from a search: a new version of one is a new line. */
function noteWheels(bakeRun: BakeRun, spec: ImageSpec): void {
  if (spec.type === 'base') return
  const entry = lockedImage(spec, bakeRun.lock)
  if (entry !== undefined && sameJson(entry.wheels, spec.wheels)) return
  addToLock(bakeRun, spec.name, { request: requestDigest(spec), debian: entry?.debian ?? [], wheels: spec.wheels })
}

async function serverLayer(bakeRun: BakeRun, below: Root, spec: ServerImageSpec, index: PrivateIndex | undefined): Promise<Root> {
  const { store } = bakeRun
  const { key } = imageKey(spec, bakeRun.lock)
  const folder = await store.temporary()
  try {
    const base = baseOf(spec)
    const needsPip = spec.wheels.length > 0
    const builder = needsPip ? await builderRoot(bakeRun, await baseLayer({ ...bakeRun, noCache: false }, base), base) : undefined
    const pip = builder === undefined ? undefined : await findPip(builder)
    const root = await stackOf(store, below.folders, folder, true)
    const scratch = join(folder, 'scratch')
    await mkdir(scratch, { mode: 0o700 })
    bakeRun.progress.note(`installing ${spec.wheels.map((wheel) => `${wheel.name} ${wheel.version}`).join(', ') || 'the files'} into ${spec.name}`)
    await runStep(bakeRun, serverRoot, { spec, root, scratch, pip, index })
    for (const name of ['work', 'scratch']) await store.removeTree(join(folder, name))
    const bytes = await contentBytes({ cwd: store.root, layers: [root.writable?.upper ?? ''], mountPoint: root.mountPoint }, bakeRun.signal)
    const facts = { debian: [...below.debian], sources: [...below.sources], contentBytes: below.contentBytes + bytes }
    await writeFile(join(folder, 'layer.json'), JSON.stringify(facts))
    await store.keep(folder, 'layers', key, true)
    return { key, folders: [...below.folders, store.path('layers', key)], base: below.base, ...facts }
  } finally {
    await store.removeTree(folder)
  }
}

/** The base image under a spec. */
export function baseOf(spec: ImageSpec): BaseImageSpec {
  return spec.type === 'base' ? spec : baseOf(spec.from)
}

function wheelsOf(spec: ImageSpec): LockedWheel[] {
  return spec.type === 'base' ? [] : [...wheelsOf(spec.from), ...spec.wheels]
}

function latestPath(store: CacheStore, name: string): string {
  return join(store.root, 'latest', `${encodeURIComponent(name)}.json`)
}

async function readLatest(store: CacheStore, name: string): Promise<KeyInputs | undefined> {
  if ((await readTextIfExists(latestPath(store, name))) === undefined) return undefined
  const latest = Latest.safeParse(await readJsonFile(latestPath(store, name)))
  return latest.success ? latest.data.inputs : undefined
}

async function changesSinceLast(store: CacheStore, name: string, key: ImageKey): Promise<KeyChanges> {
  const before = await readLatest(store, name)
  return before === undefined ? [] : explainKeyChange(before, key.inputs)
}

async function rememberLatest(store: CacheStore, name: string, key: ImageKey): Promise<void> {
  const path = latestPath(store, name)
  await mkdir(join(store.root, 'latest'), { recursive: true })
  await writeFile(`${path}.part`, JSON.stringify({ inputs: key.inputs }))
  await rename(`${path}.part`, path)
}
