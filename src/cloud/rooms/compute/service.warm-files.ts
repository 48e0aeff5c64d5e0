/**
 * The files of memory snapshots: `warm/IMAGEFILE-KEY.*`. A snapshot is whole when its `.json` is there, which is written last; it belongs to the raw file of an image and
 * goes with it. Its disk is an overlay on that raw file, as each disk in `disks/` is, so that a copy of it is a disk like any other.
 */
import { mkdir, open, readFile, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { exists, removeAll, syncFile, writeFileDurable } from '../../../host/files.ts'
import type { SnapshotFiles } from '../../../vm/driver.ts'
import type { Shape } from './service.warm-users.ts'

export interface WarmPaths extends SnapshotFiles {
  readonly disk: string
  /** Folder of the machine that the snapshot is made of. */
  readonly machine: string
}

export interface WarmFiles {
  /** `IMAGEFILE-KEY` */
  isWhole(name: string): Promise<boolean>
  /** Where a whole snapshot lies. */
  paths(name: string): WarmPaths
  /** Where one is made. */
  unfinished(name: string): WarmPaths
  /** Gives an unfinished snapshot its name for good. */
  publish(name: string, cost: MakingCost): Promise<void>
  /** What it took to make the snapshot that was made last, of those that are there. */
  lastCost(): Promise<MakingCost | undefined>
  /** It was used now: the ones that were not used for longest go first. */
  touch(name: string): Promise<void>
  remove(name: string): Promise<void>
  /** What is known of a name besides its snapshot. */
  notes(name: string): Promise<WarmNotes>
  note(name: string, notes: WarmNotes): Promise<void>
  /** What is wanted and not made, from whatever daemon. */
  wanted(): Promise<readonly Wish[]>
  /** Removes what belongs to a raw file of an image. */
  removeFor(fileId: string): Promise<void>
  /** Removes whole snapshots until those that stay take at most `limitBytes`: first those of raw files that are not in use, the least recently used first; never `keep`. */
  prune(limitBytes: number, keep: string, inUse: ReadonlySet<string>): Promise<readonly string[]>
  /** At start: nothing is being made, and what has no image goes. */
  sweep(isWanted: (fileId: string) => boolean): Promise<void>
  removeAll(): Promise<void>
}

/** Of what a snapshot is to be made: a raw file and all else that the machines which begin with it have in common. */
export interface Wish extends Shape {
  readonly fileId: string
}

/** What it took to make a snapshot. */
export interface MakingCost {
  readonly madeInMs: number
  readonly processorMs: number
}

export interface WarmNotes {
  /** How often making it failed, or using it. */
  readonly failures: number
  /** Somebody waits for it, or may soon. */
  readonly wanted?: Wish
}

const Made = z.object({ madeAt: z.string(), madeInMs: z.number(), processorMs: z.number() })
const Notes = z.object({
  failures: z.number(),
  wanted: z.object({ fileId: z.string(), sizeGb: z.number(), deviceName: z.string(), cpus: z.number(), memoryMib: z.number() }).exactOptional(),
})

export function createWarmFiles(folder: string): WarmFiles {
  const at = (name: string, ending: string): string => join(folder, `${name}.${ending}`)
  const parts = ['memory', 'state', 'qcow2'] as const

  function pathsWith(name: string, ending: string): WarmPaths {
    return { memory: at(name, `memory${ending}`), state: at(name, `state${ending}`), disk: at(name, `qcow2${ending}`), machine: at(name, 'vm') }
  }

  async function names(): Promise<readonly string[]> {
    return (await exists(folder)) ? readdir(folder) : []
  }

  /** Those that have a file with this ending. */
  async function named(ending: 'json' | 'notes'): Promise<readonly string[]> {
    return (await names()).filter((name) => name.endsWith(`.${ending}`)).map((name) => basename(name, `.${ending}`))
  }

  async function notes(name: string): Promise<WarmNotes> {
    const known = Notes.safeParse(await readJson(at(name, 'notes')))
    return known.success ? known.data : { failures: 0 }
  }

  async function removeWhere(isDoomed: (name: string) => boolean): Promise<void> {
    // What says that a snapshot is whole goes first.
    const doomed = (await names()).filter(isDoomed).toSorted((left, right) => Number(right.endsWith('.json')) - Number(left.endsWith('.json')))
    for (const name of doomed) await removeAll(join(folder, name))
  }

  async function sizeOf(name: string): Promise<number> {
    const sizes = await Promise.all(parts.map(async (part) => (await stat(at(name, part)).catch(() => undefined))?.blocks ?? 0))
    return sizes.reduce((sum, blocks) => sum + blocks * 512, 0)
  }

  async function remove(name: string): Promise<void> {
    for (const part of ['json', ...parts]) await rm(at(name, part), { force: true })
  }

  return {
    async isWhole(name) {
      for (const part of ['json', ...parts]) if (!(await exists(at(name, part)))) return false
      return true
    },
    paths: (name) => pathsWith(name, ''),
    unfinished: (name) => pathsWith(name, '.part'),
    async publish(name, cost) {
      await syncFile(at(name, 'qcow2.part'))
      for (const part of parts) await rename(at(name, `${part}.part`), at(name, part))
      await writeFileDurable(at(name, 'json'), `${JSON.stringify({ madeAt: new Date().toISOString(), ...cost })}\n`)
    },
    async lastCost() {
      let last: z.infer<typeof Made> | undefined
      for (const name of await named('json')) {
        const made = Made.safeParse(await readJson(at(name, 'json')))
        if (made.success && (last === undefined || made.data.madeAt > last.madeAt)) last = made.data
      }
      return last
    },
    async touch(name) {
      const now = new Date()
      await utimes(at(name, 'json'), now, now).catch(() => {})
    },
    remove,
    notes,
    async note(name, known) {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await writeFileDurable(at(name, 'notes'), JSON.stringify(known))
    },
    async wanted() {
      const wishes: Wish[] = []
      for (const name of await named('notes')) {
        const { wanted } = await notes(name)
        if (wanted !== undefined) wishes.push(wanted)
      }
      return wishes
    },
    removeFor: (fileId) => removeWhere((name) => name.startsWith(`${fileId}-`)),
    async prune(limitBytes, keep, inUse) {
      const whole = await Promise.all(
        (await named('json')).map(async (name) => ({
          name,
          bytes: await sizeOf(name),
          rank: name === keep ? 2 : Number(inUse.has(fileOf(name))),
          usedMs: (await stat(at(name, 'json')).catch(() => undefined))?.mtimeMs ?? 0,
        })),
      )
      const removed: string[] = []
      let total = 0
      for (const { name, bytes } of whole.toSorted((left, right) => right.rank - left.rank || right.usedMs - left.usedMs)) {
        total += bytes
        if (total <= limitBytes || name === keep) continue
        await remove(name)
        removed.push(name)
      }
      return removed
    },
    sweep: (isWanted) => removeWhere((name) => name.endsWith('.part') || name.endsWith('.vm') || !isWanted(fileOf(name))),
    removeAll: () => removeAll(folder),
  }
}

function fileOf(name: string): string {
  return name.slice(0, name.indexOf('-'))
}

/** Undefined for a file that is not there, or was damaged. */
async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown
  } catch {
    return undefined
  }
}

const SECTOR_BYTES = 512
const MAX_TABLE_BYTES = 128 * 128

/** Names of the partitions of a raw disk with a GPT; none for any other. https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html */
export async function partitionNames(path: string): Promise<readonly string[]> {
  const file = await open(path, 'r')
  try {
    const header = Buffer.alloc(92)
    await file.read(header, 0, header.length, SECTOR_BYTES)
    if (header.toString('latin1', 0, 8) !== 'EFI PART') return []
    const [count, entryBytes] = [header.readUInt32LE(80), header.readUInt32LE(84)]
    if (entryBytes < 128 || entryBytes > 4096) return []
    const table = Buffer.alloc(Math.min(MAX_TABLE_BYTES, count * entryBytes))
    await file.read(table, 0, table.length, Number(header.readBigUInt64LE(72)) * SECTOR_BYTES)
    const names: string[] = []
    for (let offset = 0; offset + 128 <= table.length; offset += entryBytes) {
      const name = table.toString('utf16le', offset + 56, offset + 128).replace(/\0.*$/s, '')
      if (name !== '') names.push(name)
    }
    return names
  } finally {
    await file.close()
  }
}
