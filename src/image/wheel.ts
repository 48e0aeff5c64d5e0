/**
 * Wheels are built inside the base image's own root, with Debian's build tools and without a network, so that what is tested here is
 * what the image gets. The same source gives the same bytes.
 */
import { createHash } from 'node:crypto'
import { cp, copyFile, mkdir, readFile, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { KilnError } from '../base/errors.ts'
import { sha256Hex } from '../base/ids.ts'
import { silentProgress } from '../base/progress.ts'
import type { Progress } from '../base/progress.ts'
import { run } from '../host/exec.ts'
import type { Command } from '../host/exec.ts'
import type { CacheStore } from './cache-store.ts'
import { baseLayer, builderRoot, stackOf } from './layers.ts'
import type { BakeRun, Root } from './layers.ts'
import { emptyLock } from './lock-file.ts'
import { asRoot, insideRoot } from './namespace.ts'
import type { RootStack } from './namespace.ts'
import { isIgnored, readProject, readWheel, sourceDigest } from './python-project.ts'
import type { BaseImageSpec, LockFile, LockedImage, LockedWheel } from './types.ts'

export interface BuildWheelOptions {
  /** Folder of the Python project. */
  readonly source: string
  /** The image whose root it is built in. */
  readonly base: BaseImageSpec
  /** The wheel is copied here; undefined: it stays in the cache only. */
  readonly outDir?: string
  readonly lock?: LockFile
  readonly signal?: AbortSignal
  readonly noCache?: boolean
  readonly progress?: Progress
}

export interface BuiltWheel extends LockedWheel {
  readonly path: string
  /** The digest of the source that it was built from. */
  readonly sourceDigest: string
  /** Name of a console script -> "module:function". */
  readonly consoleScripts: Readonly<Record<string, string>>
  /** True when this source was built before. */
  readonly cached: boolean
  /** Lock entries resolved on the way (base image, build tools). */
  readonly lockAdditions: Readonly<Record<string, LockedImage>>
}

/** "nobody": the project's own build code runs without rights, in the root it is given. */
const BUILD_USER = '65534:65534'

/**
 * Builds a project's wheel, or finds it in the cache by the digest of its source.
 * @throws KilnError E_PACKAGE_INVALID, E_PACKAGE_BUILD (with the build's output), and whatever making the base root throws.
 */
export async function buildWheel(store: CacheStore, options: BuildWheelOptions): Promise<BuiltWheel> {
  const project = await readProject(options.source)
  const digest = await sourceDigest(options.source)
  await store.open()
  const bake: BakeRun = {
    store,
    progress: options.progress ?? silentProgress,
    signal: options.signal,
    noCache: false,
    lock: options.lock ?? emptyLock,
    additions: {},
    durations: [],
  }
  const builder = await builderRoot(bake, await baseLayer(bake, options.base), options.base, project.backends)
  const key = sha256Hex(`${builder.key} ${digest}`)
  const found = options.noCache === true ? undefined : await cachedWheel(store, key)
  const wheel =
    found ??
    (await store.exclusive(
      `wheel-${key}`,
      options.signal,
      () => {},
      () => build(bake, options, builder, key),
    ))
  const path = options.outDir === undefined ? wheel.path : join(options.outDir, wheel.fileName)
  if (path !== wheel.path) {
    await mkdir(options.outDir ?? '', { recursive: true })
    await copyFile(wheel.path, path)
  }
  return { ...wheel, path, sourceDigest: digest, cached: found !== undefined, lockAdditions: bake.additions }
}

type CachedWheel = Pick<BuiltWheel, 'path' | 'name' | 'version' | 'sha256' | 'fileName' | 'consoleScripts'>

async function cachedWheel(store: CacheStore, key: string): Promise<CachedWheel | undefined> {
  const folder = store.path('wheels', key)
  if (!(await store.has('wheels', key))) return undefined
  const fileName = (await readdir(folder)).find((name) => name.endsWith('.whl'))
  return fileName === undefined ? undefined : describeWheel(join(folder, fileName))
}

async function describeWheel(path: string): Promise<CachedWheel> {
  const bytes = await readFile(path)
  const fileName = basename(path)
  return { path, fileName, sha256: createHash('sha256').update(bytes).digest('hex'), ...readWheel(fileName, bytes) }
}

async function build(bake: BakeRun, options: BuildWheelOptions, builder: Root, key: string): Promise<CachedWheel> {
  const { store } = bake
  const folder = await store.temporary()
  try {
    bake.progress.note(`building the wheel of ${options.source}`)
    const root = await stackOf(store, builder.folders, folder, true)
    const source = join(folder, 'source')
    const out = join(folder, 'out')
    await cp(options.source, source, { recursive: true, filter: (path) => path === options.source || !isIgnored(basename(path)) })
    await mkdir(out)
    for (const command of wheelCommands(root, source, out)) {
      await run(command, { what: 'building the wheel', killSignal: 'SIGKILL', ...(bake.signal === undefined ? {} : { signal: bake.signal }) }).catch((error: unknown) =>
        Promise.reject(explainBuild(error, options.source)),
      )
    }
    const [fileName] = (await readdir(out)).filter((name) => name.endsWith('.whl'))
    if (fileName === undefined) throw new KilnError('E_PACKAGE_BUILD', `the build of ${options.source} made no wheel`)
    const wheel = await describeWheel(join(out, fileName))
    const entry = await store.temporary()
    await copyFile(wheel.path, join(entry, fileName))
    await store.keep(entry, 'wheels', key, true)
    return { ...wheel, path: join(store.path('wheels', key), fileName) }
  } finally {
    await store.removeTree(folder)
  }
}

/** The programs of a wheel build, in order: the copy of the source and the result folder go to the build user, then pip builds (PEP 517). */
export function wheelCommands(root: RootStack, source: string, out: string): Command[] {
  const inside = { source: '/run/kiln/source', out: '/run/kiln/out' }
  const args = [
    '-m',
    'pip',
    '--isolated',
    '--disable-pip-version-check',
    '--no-cache-dir',
    'wheel',
    '--no-deps',
    '--no-index',
    '--no-build-isolation',
    '--use-pep517',
    '--wheel-dir',
    inside.out,
    inside.source,
  ]
  return [
    asRoot({ program: 'chown', args: ['-R', BUILD_USER, source, out] }),
    insideRoot(root, 'python3', args, {
      network: false,
      as: BUILD_USER,
      workingFolder: inside.source,
      binds: { [source]: inside.source, [out]: inside.out },
      env: { HOME: '/tmp', PYTHONDONTWRITEBYTECODE: '1', PYTHONHASHSEED: '0' },
    }),
  ]
}

function explainBuild(error: unknown, source: string): unknown {
  if (!(error instanceof KilnError) || error.code !== 'E_TOOL_FAILED') return error
  return new KilnError('E_PACKAGE_BUILD', `building the wheel of ${source} failed`, {
    hint: 'the output of the build follows; the build has no network, and its tools are those of Debian',
    detail: error.detail ?? '',
    cause: error,
  })
}
