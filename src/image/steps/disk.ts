/**
 * The raw disk: GPT, EFI system partition, ext4 root, put together in a sparse file without mounts of it, loop devices or a second copy.
 * mke2fs reads the root tree in name order and owner, mode, xattrs and mtime from it; ctime and atime cannot be set in a tree, so
 * they are set in the file system afterwards (debugfs).
 */
import { open, rm, truncate, writeFile } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { KilnError } from '../../base/errors.ts'
import { GIB, MIB } from '../../base/units.ts'
import { run } from '../../host/exec.ts'
import type { Command } from '../../host/exec.ts'
import { flush } from '../cache-store.ts'
import { SOURCE_DATE_EPOCH, bakeEnvironment, withRoot } from '../namespace.ts'
import type { RootStack } from '../namespace.ts'
import { SECTOR_BYTES, diskLayout } from '../recipe/disk-layout.ts'
import type { BakeStep } from './step.ts'

export interface DiskContext {
  readonly root: RootStack
  /** Absolute path of the EFI system partition's image. */
  readonly esp: string
  /** Absolute path of the disk to make; must not exist. */
  readonly path: string
  /** A whole number of GiB, as Compute Engine wants. */
  readonly sizeBytes: number
}

export const disk: BakeStep<DiskContext, string> = {
  name: 'disk',
  inputs: ({ sizeBytes }) => ({ 'disk size': `${sizeBytes / GIB} GiB` }),
  plan: (context) => [partitionCommand(context), espCommand(context), fileSystemCommand(context), timesCommand(context)],
  async run(context, signal) {
    const options = { what: 'making the disk', ...(signal === undefined ? {} : { signal }), killSignal: 'SIGKILL' as const }
    await (await open(context.path, 'wx')).close()
    await truncate(context.path, context.sizeBytes)
    const script = timesScriptPath(context)
    try {
      for (const command of this.plan(context)) {
        if (command.program === 'debugfs') await writeFile(script, timesScript(await usedInodes(context)))
        await flushedMeanwhile(context.path, run(command, options))
      }
    } catch (error) {
      throw explainFull(error, context)
    } finally {
      await rm(script, { force: true })
    }
    return context.path
  },
  async verify(context) {
    const check = await run({ program: 'dumpe2fs', args: ['-h', fileSystemName(context)], env: bakeEnvironment, cleanEnv: true }, { what: 'checking the root file system' })
    if (!check.stdout.includes(diskLayout.root.fileSystemUuid)) throw new KilnError('E_BAKE', 'the root file system has another id than the recipe gives it')
  },
}

/** Waits for a program that writes a file, and has the kernel write its bytes out as they come: at its end, mke2fs waits for all of them. */
async function flushedMeanwhile(path: string, writing: Promise<unknown>): Promise<void> {
  const ended = writing.then(
    () => true,
    () => true,
  )
  while (!(await Promise.race([ended, setTimeout(FLUSH_INTERVAL_MS, false)]))) await flush(path)
  await writing
}

const FLUSH_INTERVAL_MS = 150

/** The smallest whole number of GiB that holds a root tree of `contentBytes` with some room to work in. */
export function diskSizeFor(contentBytes: number): number {
  const needed = contentBytes * 1.25 + 160 * MIB + diskLayout.root.startBytes
  return Math.ceil(needed / GIB) * GIB
}

/** All that is on, by name: defaults differ between releases of e2fsprogs. Kernel 5.10 (bullseye) knows each of them. */
const fileSystemFeatures = 'none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum'

function partitionCommand({ path, sizeBytes }: DiskContext): Command {
  const { esp, root, diskGuid, tailBytes } = diskLayout
  const sectors = (bytes: number): number => bytes / SECTOR_BYTES
  const script = [
    'label: gpt',
    `label-id: ${diskGuid}`,
    `start=${sectors(esp.startBytes)}, size=${sectors(esp.sizeBytes)}, type=${esp.type}, uuid=${esp.partitionGuid}, name=${esp.name}`,
    `start=${sectors(root.startBytes)}, size=${sectors(sizeBytes - root.startBytes - tailBytes)}, type=${root.type}, uuid=${root.partitionGuid}, name=${root.name}`,
    '',
  ]
  return { program: 'sfdisk', args: ['--quiet', '--no-reread', '--no-tell-kernel', path], input: script.join('\n'), env: bakeEnvironment, cleanEnv: true }
}

function espCommand({ path, esp }: DiskContext): Command {
  return {
    program: 'dd',
    args: [`if=${esp}`, `of=${path}`, 'bs=1M', `seek=${diskLayout.esp.startBytes / MIB}`, 'conv=notrunc,sparse', 'status=none'],
    env: bakeEnvironment,
    cleanEnv: true,
  }
}

function fileSystemCommand({ root, path, sizeBytes }: DiskContext): Command {
  const { startBytes, fileSystemUuid, hashSeed, name } = diskLayout.root
  const blocks = (sizeBytes - startBytes - diskLayout.tailBytes) / 4096
  const extended = `offset=${startBytes},hash_seed=${hashSeed},root_owner=0:0,assume_storage_prezeroed=1,nodiscard`
  const command = withRoot(root, 'mke2fs', [
    ...['-q', '-F', '-t', 'ext4', '-b', '4096', '-I', '256', '-J', 'size=16', '-m', '1', '-O', fileSystemFeatures],
    ...['-L', name, '-U', fileSystemUuid, '-E', extended, '-d', root.mountPoint, path, String(blocks)],
  ])
  // Nor may this machine's configuration add any.
  return { ...command, env: { ...command.env, E2FSPROGS_FAKE_TIME: String(SOURCE_DATE_EPOCH), MKE2FS_CONFIG: '/dev/null' } }
}

function timesCommand(context: DiskContext): Command {
  return {
    program: 'debugfs',
    args: ['-w', '-f', timesScriptPath(context), fileSystemName(context)],
    env: { ...bakeEnvironment, E2FSPROGS_FAKE_TIME: String(SOURCE_DATE_EPOCH) },
    cleanEnv: true,
  }
}

function timesScriptPath({ path }: DiskContext): string {
  return `${path}.debugfs`
}

/** The root file system inside the disk file, in the form that e2fsprogs takes for an offset. */
function fileSystemName({ path }: DiskContext): string {
  return `${path}?offset=${diskLayout.root.startBytes}`
}

async function usedInodes(context: DiskContext): Promise<number[]> {
  const listing = await run({ program: 'dumpe2fs', args: [fileSystemName(context)], env: bakeEnvironment, cleanEnv: true }, { what: 'reading the new file system' })
  return parseUsedInodes(listing.stdout)
}

/** The numbers of the inodes in use, from dumpe2fs: all but those listed as free. Numbers below 11 are reserved, but for the root folder (2). */
export function parseUsedInodes(listing: string): number[] {
  const total = Number(/^Inode count:\s+(\d+)$/m.exec(listing)?.[1])
  if (!Number.isInteger(total)) throw new KilnError('E_BAKE', 'the new file system cannot be read', { detail: listing.slice(0, 500) })
  const free = new Uint8Array(total + 1)
  for (const [, ranges] of listing.matchAll(/^ {2}Free inodes: (.+)$/gm)) {
    for (const range of (ranges ?? '').split(', ')) {
      const [first, last] = range.split('-').map(Number)
      if (first !== undefined && Number.isInteger(first)) free.fill(1, first, (last ?? first) + 1)
    }
  }
  const used: number[] = []
  for (let inode = 1; inode <= total; inode += 1) if (free[inode] === 0 && (inode === 2 || inode >= 11)) used.push(inode)
  return used
}

function timesScript(inodes: readonly number[]): string {
  return inodes
    .map((inode) => `sif <${inode}> ctime @${SOURCE_DATE_EPOCH}\nsif <${inode}> ctime_extra 0\nsif <${inode}> atime @${SOURCE_DATE_EPOCH}\nsif <${inode}> atime_extra 0\n`)
    .join('')
}

function explainFull(error: unknown, { path }: DiskContext): unknown {
  const text = error instanceof KilnError ? `${error.message}\n${error.detail ?? ''}` : ''
  if (!/No space left on device|Disk quota exceeded/.test(text)) return error
  return new KilnError('E_DISK_FULL', `the disk became full while writing ${path}`, { hint: 'free some space and run the same command again', cause: error })
}

/** The used bytes of a joined root, for `diskSizeFor`. */
export async function contentBytes(root: RootStack, signal?: AbortSignal): Promise<number> {
  const result = await run(withRoot(root, 'du', ['-sxB1', '--apparent-size', root.mountPoint]), {
    what: 'measuring the image',
    killSignal: 'SIGKILL',
    ...(signal === undefined ? {} : { signal }),
  })
  return Number(result.stdout.split('\t')[0])
}
