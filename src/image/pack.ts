/**
 * The archive that Compute Engine imports: a gzip-compressed tar in the oldgnu format with one file, disk.raw.
 * https://cloud.google.com/compute/docs/import/import-existing-image#requirements_for_the_image_file
 */
import { rename, rm, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { KilnError } from '../base/errors.ts'
import { GIB } from '../base/units.ts'
import { explainDiskError, findProgram, requireFreeSpace, syncFile } from '../host/files.ts'
import { run } from '../host/exec.ts'
import type { Command } from '../host/exec.ts'
import { fileSha256 } from './file-hash.ts'
import { SOURCE_DATE_EPOCH, bakeEnvironment } from './namespace.ts'

export interface PackedDisk {
  readonly path: string
  readonly sizeBytes: number
  /** SHA-256 of the archive, hex. */
  readonly sha256: string
}

/** The program that packs: holes are found by content, not by the file system, so that equal disks give equal archives. */
export function packCommand(disk: string, archive: string, compressor: 'pigz' | 'gzip'): Command {
  const fixed = ['--owner=0', '--group=0', '--numeric-owner', '--mode=0644', `--mtime=@${SOURCE_DATE_EPOCH}`]
  return {
    program: 'tar',
    args: [
      '--create',
      '--format=oldgnu',
      '--sparse',
      '--hole-detection=raw',
      ...fixed,
      `--use-compress-program=${compressor} -n -1`,
      `--file=${archive}`,
      `--directory=${dirname(disk)}`,
      basename(disk),
    ],
    env: bakeEnvironment,
    cleanEnv: true,
  }
}

/**
 * Packs a raw disk named disk.raw for import into Compute Engine. The archive appears at `archivePath` when it is complete.
 * @throws KilnError E_BAKE for a disk that Compute Engine would refuse; E_DISK_FULL; E_TOOL_MISSING; E_CANCELLED.
 */
export async function packForCompute(diskPath: string, archivePath: string, signal?: AbortSignal): Promise<PackedDisk> {
  if (basename(diskPath) !== 'disk.raw') throw new KilnError('E_BAKE', `the disk in the archive must be named disk.raw, and this is ${diskPath}`)
  const facts = await stat(diskPath)
  if (facts.size === 0 || facts.size % GIB !== 0) throw new KilnError('E_BAKE', `the size of ${diskPath} is not a whole number of GiB`)
  await requireFreeSpace(dirname(archivePath), facts.blocks * 512, 'packing the disk')
  const part = `${archivePath}.${process.pid}.part`
  try {
    const compressor = (await findProgram('pigz')) === undefined ? 'gzip' : 'pigz'
    await run(packCommand(diskPath, part, compressor), { what: 'packing the disk', ...(signal === undefined ? {} : { signal }) })
    await syncFile(part)
    const sha256 = await fileSha256(part)
    const { size } = await stat(part)
    await rename(part, archivePath)
    return { path: archivePath, sizeBytes: size, sha256 }
  } catch (error) {
    throw explainDiskError(error, archivePath)
  } finally {
    await rm(part, { force: true })
  }
}
