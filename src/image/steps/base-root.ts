/** The root tree of a base image: a Debian suite installed by mmdebstrap, then freed of everything that differs between two installs. */
import { chmod, mkdir, open, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { KilnError } from '../../base/errors.ts'
import { run } from '../../host/exec.ts'
import type { Command } from '../../host/exec.ts'
import { networkError } from '../apt-sources.ts'
import { installedFormat, lockDifferences, parseInstalled, pinPreferences, staleLock, withHashes } from '../debian-packages.ts'
import { SOURCE_DATE_EPOCH, asRoot, insideRoot } from '../namespace.ts'
import type { RootStack } from '../namespace.ts'
import { baseGuestFiles, baseGuestLinks, machineLeftovers } from '../recipe/guest-files.ts'
import { basePackages } from '../recipe/packages.ts'
import { requireTools } from '../tools.ts'
import type { BaseImageSpec, LockedDebianPackage } from '../types.ts'
import type { BakeStep } from './step.ts'

export interface BaseRootContext {
  readonly spec: BaseImageSpec
  /** Lines of sources.list. */
  readonly sources: readonly string[]
  /** Pins, when the lock has them. */
  readonly locked: readonly LockedDebianPackage[] | undefined
  /** An existing empty folder. It gets `tree`, `boot` (the kernel) and `lists` (apt's index at this moment). */
  readonly folder: string
}

export interface BaseRootResult {
  readonly debian: readonly LockedDebianPackage[]
}

const dpkgOptions = [
  'path-exclude=/usr/share/man/*',
  'path-exclude=/usr/share/info/*',
  'path-exclude=/usr/share/locale/*',
  'path-exclude=/usr/share/doc/*',
  'path-include=/usr/share/doc/*/copyright',
]

export const baseRoot: BakeStep<BaseRootContext, BaseRootResult> = {
  name: 'base root',
  inputs: ({ spec }) => ({ suite: spec.suite, packages: basePackages(spec.suite, spec.packages).join(' ') }),
  plan: (context) => [installCommand(context), ...cleanCommands(join(context.folder, 'tree'))],
  async run(context, signal) {
    const options = { what: `installing ${context.spec.suite}`, killSignal: 'SIGKILL' as const, ...(signal === undefined ? {} : { signal }) }
    const tree = join(context.folder, 'tree')
    await requireTools(['mmdebstrap'])
    if (context.locked !== undefined) await writeFile(join(context.folder, 'pins'), pinPreferences(context.locked))
    const [install, ...clean] = this.plan(context)
    if (install !== undefined) await run(install, options).catch((error: unknown) => Promise.reject(explainInstall(error, context)))
    const debian = await readPackages({ cwd: context.folder, layers: ['tree'], mountPoint: 'mount' }, signal)
    const differences = context.locked === undefined ? [] : lockDifferences(context.locked, debian)
    if (differences.length > 0) throw staleLock(context.spec.name, differences)
    await rename(join(tree, 'boot'), join(context.folder, 'boot'))
    await mkdir(join(tree, 'boot'))
    await rename(join(tree, 'var/lib/apt/lists'), join(context.folder, 'lists'))
    await mkdir(join(tree, 'var/lib/apt/lists'))
    await writeGuestFiles(tree, context.spec.suite)
    await fixShadow(join(tree, 'etc/shadow'))
    await trustBytecode(join(tree, 'usr'))
    for (const command of clean) await run(command, options)
    return { debian }
  },
  async verify(context) {
    const tree = join(context.folder, 'tree')
    for (const path of ['usr/lib/systemd/systemd', 'usr/sbin/sshd', ...(context.spec.suite === 'bullseye' ? [] : ['usr/bin/google_guest_agent'])]) {
      if ((await readFile(join(tree, path)).catch(() => undefined)) === undefined) throw new KilnError('E_BAKE', `the base image has no /${path}`)
    }
  },
}

function installCommand({ spec, sources, locked, folder }: BaseRootContext): Command {
  const quoted = `'${join(folder, 'pins').replaceAll("'", `'\\''`)}'`
  const command = asRoot({
    program: 'mmdebstrap',
    args: [
      ...['--mode=root', '--format=directory', '--variant=apt', '--architectures=amd64', '--components=main'],
      ...['--skip=cleanup/apt,cleanup/reproducible', '--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Languages "none"', '--aptopt=Acquire::Retries "3"'],
      ...dpkgOptions.map((option) => `--dpkgopt=${option}`),
      ...(locked === undefined ? [] : [`--setup-hook=mkdir -p "$1/etc/apt/preferences.d" && cp ${quoted} "$1/etc/apt/preferences.d/kiln-pins"`]),
      // Later suites have merged their /bin, /lib and /sbin into /usr themselves.
      // mmdebstrap's own hook for it wants a package that bullseye does not have.
      ...(spec.suite === 'bullseye' ? ['--setup-hook=for name in bin lib lib64 sbin; do mkdir -p "$1/usr/$name" && ln -s "usr/$name" "$1/$name"; done'] : []),
      `--include=${basePackages(spec.suite, spec.packages).join(',')}`,
      ...[spec.suite, join(folder, 'tree'), ...sources],
    ],
    // Kernel package hooks: an initial RAM disk of Debian's own would cost seconds and is not used.
    env: { INITRD: 'No' },
  })
  return command
}

/** Commands that leave in a tree nothing that depends on when or where it was made. */
function cleanCommands(tree: string): Command[] {
  const patterns = machineLeftovers.filter((path) => path !== 'boot/*')
  return [
    asRoot({ program: 'sh', args: ['-c', `cd "$1" && rm -rf -- ${patterns.join(' ')}`, 'kiln', tree] }),
    asRoot({ program: 'find', args: [tree, '-newermt', `@${SOURCE_DATE_EPOCH}`, '-exec', 'touch', '--no-dereference', '-d', `@${SOURCE_DATE_EPOCH}`, '{}', '+'] }),
  ]
}

/** All packages of a root with the hashes of its archive index. The index must still be in the root, or be given as `lists`. */
export async function readPackages(root: RootStack, signal?: AbortSignal, lists?: string): Promise<LockedDebianPackage[]> {
  await mkdir(join(root.cwd, root.mountPoint), { recursive: true })
  const options = { what: 'reading the package list', killSignal: 'SIGKILL' as const, ...(signal === undefined ? {} : { signal }) }
  const inside = { network: false, ...(lists === undefined ? {} : { binds: { [lists]: '/var/lib/apt/lists' } }) }
  const installed = parseInstalled((await run(insideRoot(root, 'dpkg-query', ['-W', '-f', installedFormat], inside), options)).stdout)
  const names = installed.map(({ name, version, architecture }) => `${name}:${architecture === 'all' ? 'amd64' : architecture}=${version}`)
  const shown = await run(insideRoot(root, 'apt-cache', ['-o', 'Dir::Cache::pkgcache=', '-o', 'Dir::Cache::srcpkgcache=', 'show', '--no-all-versions', ...names], inside), options)
  return withHashes(installed, shown.stdout)
}

/** Puts the recipe's files and links into a tree. All belong to root, which this process is, in or out of a user namespace. */
async function writeGuestFiles(tree: string, suite: string): Promise<void> {
  for (const file of baseGuestFiles(suite)) {
    const path = join(tree, file.path)
    await mkdir(dirname(path), { recursive: true, mode: 0o755 })
    await rm(path, { force: true })
    await writeFile(path, file.content)
    await chmod(path, file.mode ?? 0o644)
  }
  for (const link of baseGuestLinks()) {
    const path = join(tree, link.path)
    await mkdir(dirname(path), { recursive: true, mode: 0o755 })
    await rm(path, { force: true })
    await symlink(link.target, path)
  }
}

/** The date of the last password change is the day of the install; it becomes that of the recipe. */
async function fixShadow(path: string): Promise<void> {
  const day = String(Math.floor(SOURCE_DATE_EPOCH / 86_400))
  const lines = (await readFile(path, 'utf8')).split('\n')
  await writeFile(path, lines.map((line) => line.replace(/^([^:]*:[^:]*):\d+:/, `$1:${day}:`)).join('\n'))
}

/**
 * Compiled Python files of a build with SOURCE_DATE_EPOCH say "compare the hash of the source at each start" (PEP 552). In an image that
 * never changes this only costs time, so the comparison is switched off: bit 1 of the flags in bytes 4 to 7.
 */
export async function trustBytecode(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.pyc')) continue
    const file = await open(join(entry.parentPath, entry.name), 'r+')
    try {
      const flags = Buffer.alloc(4)
      await file.read(flags, 0, 4, 4)
      if (flags.readUInt32LE(0) !== 3) continue
      flags.writeUInt32LE(1, 0)
      await file.write(flags, 0, 4, 4)
    } finally {
      await file.close()
    }
  }
}

function explainInstall(error: unknown, { spec, sources, locked }: BaseRootContext): unknown {
  if (!(error instanceof KilnError) || error.code !== 'E_TOOL_FAILED') return error
  const detail = error.detail ?? ''
  if (/Temporary failure resolving|Could not connect|Connection (refused|timed out)|Failed to fetch|Network is unreachable/.test(detail) && !/404 +Not Found/.test(detail))
    return networkError(sources[0] ?? '', spec.suite, error)
  if (/No space left on device/.test(detail))
    return new KilnError('E_DISK_FULL', `the disk became full while installing ${spec.suite}`, { hint: 'free some space and run the same command again', detail, cause: error })
  const unknown = [...detail.matchAll(/E: Unable to locate package (\S+)|E: Package '(\S+)' has no installation candidate/g)].map((match) => match[1] ?? match[2])
  if (unknown.length > 0)
    return new KilnError('E_BAKE', `Debian ${spec.suite} has no package ${unknown.join(', ')}`, {
      hint: `correct the packages of image ${spec.name} in kiln.config.ts`,
      detail,
      cause: error,
    })
  if (locked !== undefined && /404 +Not Found|Version '[^']+' for '[^']+' was not found/.test(detail)) return staleLock(spec.name, [detail])
  return new KilnError('E_BAKE', `installing Debian ${spec.suite} for image ${spec.name} failed`, { detail, cause: error })
}
