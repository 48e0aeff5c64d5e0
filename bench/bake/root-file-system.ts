/** Reading and changing the root file system inside a raw disk with e2fsprogs, without mounting it. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { run } from '../../src/host/exec.ts'
import { diskLayout } from '../../src/image/recipe/disk-layout.ts'

const PartitionTable = z.object({
  partitiontable: z.object({ sectorsize: z.number().default(512), partitions: z.array(z.object({ start: z.number(), name: z.string().optional() })) }),
})

/** The root file system of a disk in the form that e2fsprogs takes for an offset. The disk's own partition table says where it is. */
export async function rootFileSystem(disk: string, signal: AbortSignal): Promise<string> {
  const { stdout } = await run({ program: 'sfdisk', args: ['--json', disk] }, { what: 'reading the partition table', signal })
  const { partitiontable } = PartitionTable.parse(JSON.parse(stdout))
  const root = partitiontable.partitions.find((partition) => partition.name === diskLayout.root.name)
  if (root === undefined) throw new Error(`${disk} has no partition named ${diskLayout.root.name}`)
  return `${disk}?offset=${root.start * partitiontable.sectorsize}`
}

/** Runs debugfs commands; returns its output, in which each command stands on a line after "debugfs: ". It never fails by exit code, so callers look at the result. */
export async function debugfs(
  fileSystem: string,
  commands: readonly string[],
  options: { readonly folder: string; readonly write?: boolean; readonly signal: AbortSignal },
): Promise<string> {
  const script = join(options.folder, 'debugfs.commands')
  await writeFile(script, commands.map((command) => `${command}\n`).join(''))
  const result = await run(
    { program: 'debugfs', args: [...(options.write === true ? ['-w'] : []), '-f', script, fileSystem], env: { DEBUGFS_PAGER: 'cat' } },
    { what: 'debugfs', signal: options.signal },
  )
  return result.stdout
}

export interface Inode {
  readonly type: string
  /** Octal permission bits. */
  readonly mode: string
  readonly user: number
  readonly group: number
  /** Target of a symbolic link. */
  readonly link: string | undefined
}

/** What the given absolute paths are in a file system; paths that are not there are missing in the answer. */
export async function statPaths(fileSystem: string, paths: readonly string[], options: { readonly folder: string; readonly signal: AbortSignal }): Promise<Map<string, Inode>> {
  const commands = paths.map((path) => `stat "${path}"`)
  const output = await debugfs(fileSystem, commands, options)
  const found = new Map<string, Inode>()
  for (const block of output.split(/^debugfs: stat /m).slice(1)) {
    const path = /^"([^"\n]+)"/.exec(block)?.[1]
    const facts = /^Inode: \d+\s+Type: (\w+( \w+)?)\s+Mode:\s+(\d+)/m.exec(block)
    const owner = /^User:\s+(\d+)\s+Group:\s+(\d+)/m.exec(block)
    if (path === undefined || facts === null || owner === null) continue
    found.set(path, { type: facts[1] ?? '', mode: facts[3] ?? '', user: Number(owner[1]), group: Number(owner[2]), link: /^Fast link dest: "(.*)"$/m.exec(block)?.[1] })
  }
  return found
}

/** Copies a file out of a file system and into `target`. False when it is not there. */
export async function copyOut(fileSystem: string, path: string, target: string, options: { readonly folder: string; readonly signal: AbortSignal }): Promise<boolean> {
  const output = await debugfs(fileSystem, [`dump "${path}" "${target}"`], options)
  return !/File not found/.test(output)
}
