/**
 * Warm starts: a new instance goes on from a memory snapshot of its image instead of booting. A snapshot is made of a machine that nobody uses, of exactly one image file,
 * disk size, machine size and set of programs; anything else boots. The making takes the place of a boot that would have been made anyway: the first machine of a group,
 * or the second of any kind, waits for it and goes on from it, and so do all that come meanwhile. So no snapshot is made that nobody wants, and never two at a time.
 * Whatever goes wrong, the instance boots.
 */
import { constants } from 'node:fs'
import { copyFile, mkdir, rename, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { describeError } from '../../../base/errors.ts'
import { sha256Hex } from '../../../base/ids.ts'
import { canonicalJson } from '../../../base/json.ts'
import { GIB, MIB, MINUTE_MS } from '../../../base/units.ts'
import { requireFreeSpace, syncFile } from '../../../host/files.ts'
import type { SnapshotFiles, VmSpec } from '../../../vm/driver.ts'
import { warmPartition } from '../../../vm/warm-protocol.ts'
import { lastSegment, linkTail } from './links.ts'
import type { Compute } from './service.ts'
import type { Disk } from './service.disks.ts'
import type { Files } from './service.files.ts'
import type { Instance } from './service.instances.ts'
import { partitionNames } from './service.warm-files.ts'

/** How the machine of an instance is to begin. */
export interface Beginning {
  /** Absent: it boots. */
  readonly snapshot?: SnapshotFiles & { readonly name: string }
  /** For the serial log. */
  readonly note?: string
}

export interface WarmStarts {
  /**
   * Decides how the machine of an instance begins, and prepares its disk for that; may take as long as a boot. In the instance's turn, while no machine runs.
   * `mayWarm` false: it boots, as a slow boot that was asked for.
   */
  begin(instance: Instance, spec: VmSpec, mayWarm: boolean, signal: AbortSignal): Promise<Beginning>
  /** The machine did not get there from its snapshot: forgets the snapshot, if it is known, and gives the instance a new disk, to boot from. */
  giveUp(instance: Instance, error: unknown, name?: string): Promise<Beginning>
  /** The machine runs: from now on its disk has a past. */
  began(instance: Instance): void
}

/** Metadata item of an instance that is to boot. */
const OPT_OUT = 'kiln-warm-start'
/** A boot under emulation on a busy host. */
const MAKE_TIMEOUT_MS = 10 * MINUTE_MS
/** An image whose snapshot could not be made so often is left alone. */
const MAX_FAILURES = 2
const LOOK_MS = 100

interface Making {
  readonly ended: Promise<void>
  readonly stop: AbortController
  hasEnded: boolean
  waiters: number
}

export function createWarmStarts(compute: Compute, files: Files): WarmStarts {
  const { store, deps, kernel } = compute
  const { warm } = files
  const makings = new Map<string, Making>()
  const marks = new Map<string, boolean>()

  function bootDisk(instance: Instance): Disk | undefined {
    return store.byId(instance.hidden.diskIds[0] ?? '') as Disk | undefined
  }

  function item(instance: Instance, key: string): string | undefined {
    return instance.record.metadata?.items?.find((each) => each.key === key)?.value ?? undefined
  }

  /** The image's guest knows how to go on as somebody else. Its bytes say so, wherever they came from. */
  async function isMarked(fileId: string): Promise<boolean> {
    const known = marks.get(fileId)
    if (known !== undefined) return known
    const marked = (await partitionNames(files.imagePath(fileId))).includes(warmPartition)
    marks.set(fileId, marked)
    return marked
  }

  /** The raw file below a disk on which no machine ran yet, when such a disk is all that the instance has. */
  function pristineFile(instance: Instance): string | undefined {
    const disk = bootDisk(instance)
    return instance.hidden.diskIds.length === 1 && disk?.hidden.pristine === true ? disk.hidden.fileId : undefined
  }

  /** All that a snapshot depends on. */
  async function nameFor(fileId: string, disk: Disk, spec: VmSpec): Promise<string> {
    const facts = {
      fileId,
      sizeGb: disk.record.sizeGb,
      deviceName: spec.disks[0]?.deviceName,
      cpus: spec.cpus,
      memoryMib: spec.memoryMib,
      driver: await deps.driver.snapshots?.fingerprint(),
    }
    return `${fileId}-${sha256Hex(canonicalJson(facts)).slice(0, 16)}`
  }

  async function make(name: string, fileId: string, sizeGb: number, spec: VmSpec, signal: AbortSignal): Promise<void> {
    const parts = warm.unfinished(name)
    await mkdir(compute.folders.warm, { recursive: true, mode: 0o700 })
    // The memory file has holes for what the guest does not touch, but nobody knows how much that will be.
    await requireFreeSpace(compute.folders.warm, spec.memoryMib * MIB + GIB, 'a memory snapshot')
    if ((await deps.availableMemoryMib()) < spec.memoryMib) throw new Error('the host has not enough memory for it now')
    await rm(parts.disk, { force: true })
    await files.makeOverlay(parts.disk, fileId, sizeGb)
    const [disk] = spec.disks
    const seed: VmSpec = { ...spec, name: `snapshot-${name}`, disks: disk === undefined ? [] : [{ ...disk, path: parts.disk }], forwards: [] }
    try {
      await deps.driver.snapshots?.make(parts.machine, seed, parts, { timeoutMs: MAKE_TIMEOUT_MS, signal })
      await warm.publish(name)
    } finally {
      for (const path of [parts.disk, parts.memory, parts.state]) await rm(path, { force: true })
      await rm(parts.machine, { recursive: true, force: true })
    }
    // The image went meanwhile.
    if (!files.isKept(fileId)) await warm.removeFor(fileId)
    await warm.prune(deps.warmLimitBytes, name)
  }

  async function addFailure(name: string): Promise<void> {
    const notes = await warm.notes(name)
    await warm.note(name, { ...notes, failures: notes.failures + 1 })
  }

  function startMaking(name: string, fileId: string, sizeGb: number, spec: VmSpec): Making {
    const stop = new AbortController()
    const work = async (): Promise<void> => {
      const start = performance.now()
      try {
        await compute.exclusive('warm', async () => {
          stop.signal.throwIfAborted()
          await make(name, fileId, sizeGb, spec, stop.signal)
        })
        kernel.log.info({ snapshot: name, durationMs: Math.round(performance.now() - start) }, 'a memory snapshot was made')
      } catch (error) {
        if (stop.signal.aborted) return
        kernel.log.warn({ err: error, snapshot: name }, 'a memory snapshot could not be made')
        await addFailure(name)
      } finally {
        makings.delete(name)
      }
    }
    const making: Making = { ended: work(), stop, hasEnded: false, waiters: 0 }
    void making.ended.then(() => (making.hasEnded = true))
    makings.set(name, making)
    return making
  }

  /** Waits for a snapshot as long as the instance is wanted. The last one that leaves stops the making. */
  async function join(making: Making, instanceId: string, signal: AbortSignal): Promise<void> {
    making.waiters += 1
    try {
      while (!making.hasEnded) {
        signal.throwIfAborted()
        const status = (store.byId(instanceId) as Instance | undefined)?.record.status
        if (status === undefined || status === 'STOPPING') return
        await Promise.race([making.ended, sleep(LOOK_MS)])
      }
    } finally {
      making.waiters -= 1
      if (making.waiters === 0 && !making.hasEnded) {
        making.stop.abort(new Error('nobody waits for this snapshot any more'))
        await making.ended
      }
    }
  }

  /** A machine that is made by a group will have successors, and so has one whose like booted before. */
  function isWorthIt(instance: Instance, boots: number): boolean {
    return boots > 0 || /\/instanceGroupManagers\/[^/]+$/.test(item(instance, 'created-by') ?? '')
  }

  async function find(instance: Instance, fileId: string, disk: Disk, spec: VmSpec, signal: AbortSignal): Promise<string | undefined> {
    const name = await nameFor(fileId, disk, spec)
    if (await warm.isWhole(name)) return name
    const notes = await warm.notes(name)
    if (notes.failures >= MAX_FAILURES) return undefined
    const running = makings.get(name)
    if (running === undefined && !isWorthIt(instance, notes.boots)) {
      await mkdir(compute.folders.warm, { recursive: true, mode: 0o700 })
      await warm.note(name, { ...notes, boots: notes.boots + 1 })
      return undefined
    }
    await join(running ?? startMaking(name, fileId, Number(disk.record.sizeGb), spec), instance.id, signal)
    return (await warm.isWhole(name)) ? name : undefined
  }

  function imageOf(disk: Disk): string {
    return lastSegment(linkTail(disk.record.sourceImage ?? ''))
  }

  return {
    async begin(instance, spec, mayWarm, signal) {
      const disk = bootDisk(instance)
      const fileId = pristineFile(instance)
      if (deps.driver.snapshots === undefined || disk === undefined || fileId === undefined || !(await isMarked(fileId))) return {}
      if (item(instance, OPT_OUT)?.toLowerCase() === 'never') return { note: `kiln: boots, since its metadata says ${OPT_OUT}=never` }
      if (!mayWarm) return {}
      try {
        const name = await find(instance, fileId, disk, spec, signal)
        if (name === undefined) return {}
        const from = warm.paths(name)
        const path = files.diskPath(disk.id)
        await copyFile(from.disk, `${path}.part`, constants.COPYFILE_FICLONE)
        await syncFile(`${path}.part`)
        await rename(`${path}.part`, path)
        await warm.touch(name)
        return { snapshot: { name, memory: from.memory, state: from.state }, note: `kiln: begins with a memory snapshot of the image ${imageOf(disk)}` }
      } catch (error) {
        if (signal.aborted) throw error
        kernel.log.warn({ err: error, instance: instance.name }, 'a warm start was not possible')
        return { note: `kiln: boots, since a warm start was not possible: ${describeError(error)}` }
      }
    },
    async giveUp(instance, error, name) {
      const disk = bootDisk(instance)
      const fileId = pristineFile(instance)
      kernel.log.warn({ err: error, instance: instance.name }, 'a machine could not go on from its snapshot')
      if (name !== undefined) {
        await warm.remove(name)
        await addFailure(name)
      }
      if (disk !== undefined && fileId !== undefined) {
        await files.removeDisk(disk.id)
        await files.ensureDisk(disk.id, Number(disk.record.sizeGb), fileId)
      }
      return { note: `kiln: boots, since it could not go on from its snapshot: ${describeError(error)}` }
    },
    began(instance) {
      for (const id of instance.hidden.diskIds) {
        const disk = store.byId(id) as Disk | undefined
        if (disk?.hidden.pristine !== true) continue
        const { pristine: _pristine, ...hidden } = disk.hidden
        store.update({ ...disk, hidden })
      }
    },
  }
}
