/** Whether two disks really hold the same server: read from their file systems, not from what the builders say. */
import { createHash } from 'node:crypto'
import { mkdir, readFile, readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { serverFolder, unitName } from '../../src/image/recipe/server-unit.ts'
import type { ServerImageSpec } from '../../src/image/types.ts'
import { copyOut, debugfs, rootFileSystem, statPaths } from './root-file-system.ts'

export interface ContentCheck {
  readonly what: string
  readonly same: boolean
  /** What is compared, or where the two differ. */
  readonly detail: string
}

/** What a disk holds of the server: a path or a fact, and its value in a form that can be compared. */
type Content = ReadonlyMap<string, string>

interface DiskContent {
  /** Every path of the virtual environment with type, mode, owner, and bytes or link target. */
  readonly environment: Content
  /** Name and version of the installed packages, by the folder in which their metadata lie. */
  readonly packages: Content
  readonly files: Content
  /** The account's lines in /etc/passwd and /etc/group. */
  readonly account: Content
  readonly unit: Content
}

/** Compares two disks made for the same spec. `folder` is an existing one for what is copied out of them. */
export async function compareDisks(spec: ServerImageSpec, disks: { readonly kiln: string; readonly packer: string }, folder: string, signal: AbortSignal): Promise<ContentCheck[]> {
  const kiln = await readDisk(spec, disks.kiln, join(folder, 'kiln-content'), signal)
  const packer = await readDisk(spec, disks.packer, join(folder, 'packer-content'), signal)
  return [
    compare(`virtual environment ${serverFolder(spec.name)}/venv`, kiln.environment, packer.environment, 10),
    compare('installed packages', kiln.packages, packer.packages, spec.wheels.length),
    compare('files', kiln.files, packer.files, spec.files.length),
    compare(`account ${spec.user}`, kiln.account, packer.account, 2),
    compare(`unit ${unitName(spec.name)}, enabled`, kiln.unit, packer.unit, 2),
  ]
}

/** Fewer than `least` entries would mean that nothing was compared. */
function compare(what: string, kiln: Content, packer: Content, least: number): ContentCheck {
  const names = [...new Set([...kiln.keys(), ...packer.keys()])].sort()
  const differing = names.filter((name) => kiln.get(name) !== packer.get(name))
  if (differing.length > 0) {
    const shown = differing.slice(0, 10).map((name) => `${name}: kiln ${kiln.get(name) ?? 'has none'}, packer ${packer.get(name) ?? 'has none'}`)
    return { what, same: false, detail: `${differing.length} of ${names.length} differ: ${shown.join('; ')}` }
  }
  if (names.length < least) return { what, same: false, detail: `only ${names.length} entries in both, at least ${least} expected` }
  return { what, same: true, detail: names.length <= 3 ? names.join(', ') : `${names.length} entries` }
}

async function readDisk(spec: ServerImageSpec, disk: string, folder: string, signal: AbortSignal): Promise<DiskContent> {
  await mkdir(folder)
  const options = { folder, signal }
  const fileSystem = await rootFileSystem(disk, signal)
  const venv = `${serverFolder(spec.name)}/venv`
  await debugfs(fileSystem, [`rdump "${venv}" "${folder}"`], options)
  const environment = await readTree(fileSystem, venv, join(folder, 'venv'), options)
  const packages = new Map<string, string>()
  for (const path of environment.keys()) {
    if (!path.endsWith('.dist-info/METADATA')) continue
    const metadata = await readFile(join(folder, 'venv', relative(venv, path)), 'utf8')
    packages.set(path, `${/^Name: (.+)$/m.exec(metadata)?.[1]} ${/^Version: (.+)$/m.exec(metadata)?.[1]}`)
  }
  const unit = `/etc/systemd/system/${unitName(spec.name)}`
  const link = `/etc/systemd/system/multi-user.target.wants/${unitName(spec.name)}`
  return {
    environment,
    packages,
    files: await readFiles(
      fileSystem,
      spec.files.map((file) => file.path),
      options,
    ),
    account: await readAccount(fileSystem, spec.user, options),
    unit: await readFiles(fileSystem, [unit, link], options),
  }
}

type Options = { readonly folder: string; readonly signal: AbortSignal }

/** A dumped folder: names and bytes from the copy, everything else from the file system itself, since a copy cannot keep owners. */
async function readTree(fileSystem: string, path: string, copy: string, options: Options): Promise<Content> {
  const entries = await readdir(copy, { recursive: true, withFileTypes: true }).catch(() => [])
  const paths = new Map(entries.map((entry) => [join(path, relative(copy, join(entry.parentPath, entry.name))), join(entry.parentPath, entry.name)]))
  const inodes = await statPaths(fileSystem, [...paths.keys()], options)
  const content = new Map<string, string>()
  for (const [name, inode] of inodes) content.set(name, await describe(inode, name, paths.get(name) ?? ''))
  return content
}

async function readFiles(fileSystem: string, paths: readonly string[], options: Options): Promise<Content> {
  const inodes = await statPaths(fileSystem, paths, options)
  const content = new Map<string, string>()
  for (const [name, inode] of inodes) {
    const copy = join(options.folder, `copy-${content.size}`)
    if (inode.type === 'regular') await copyOut(fileSystem, name, copy, options)
    content.set(name, await describe(inode, name, copy))
  }
  return content
}

async function describe(inode: { type: string; mode: string; user: number; group: number; link: string | undefined }, path: string, copy: string): Promise<string> {
  const owner = `${inode.type} ${inode.mode} ${inode.user}:${inode.group}`
  if (inode.type === 'symlink') return `${owner} -> ${inode.link}`
  return inode.type === 'regular' ? `${owner} ${bytesOf(path, await readFile(copy))}` : owner
}

/**
 * Compiled Python is compared by its header, which has the interpreter's magic number and the hash of the source (PEP 552): two
 * compilations of one source may differ in how they share constants.
 */
function bytesOf(path: string, bytes: Buffer): string {
  const compared = path.endsWith('.pyc') ? bytes.subarray(0, 16) : bytes
  return createHash('sha256').update(compared).digest('hex').slice(0, 16)
}

async function readAccount(fileSystem: string, user: string, options: Options): Promise<Content> {
  const content = new Map<string, string>()
  for (const path of ['/etc/passwd', '/etc/group']) {
    const copy = join(options.folder, path.replaceAll('/', '-'))
    if (!(await copyOut(fileSystem, path, copy, options))) continue
    const line = (await readFile(copy, 'utf8')).split('\n').find((text) => text.startsWith(`${user}:`))
    if (line !== undefined) content.set(path, line)
  }
  return content
}
