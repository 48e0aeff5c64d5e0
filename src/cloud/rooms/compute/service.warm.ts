/**
 * Warm starts: a new instance goes on from a memory snapshot of its image instead of booting. A snapshot is made of a machine that nobody uses, of exactly one image file,
 * disk size, machine size and set of programs; anything else boots. It is made early: when an image is there whose family machines of the project run, so that it is ready, or
 * nearly so, when they are replaced. A machine that finds none boots at once, and one is made for those that come after it. Whatever goes wrong, the instance boots.
 */
import { constants } from 'node:fs'
import { copyFile, rename } from 'node:fs/promises'
import { describeError } from '../../../base/errors.ts'
import { syncFile } from '../../../host/files.ts'
import type { SnapshotFiles, VmSpec } from '../../../vm/driver.ts'
import { warmPartition } from '../../../vm/warm-protocol.ts'
import { lastSegment, linkTail } from './links.ts'
import type { Compute } from './service.ts'
import type { Disk } from './service.disks.ts'
import type { Files } from './service.files.ts'
import type { Image } from './service.images.ts'
import type { Instance } from './service.instances.ts'
import { partitionNames } from './service.warm-files.ts'
import type { Wish } from './service.warm-files.ts'
import { createMakings } from './service.warm-makings.ts'
import { createWarmUsers } from './service.warm-users.ts'

/** How the machine of an instance is to begin. */
export interface Beginning {
  /** Absent: it boots. */
  readonly snapshot?: SnapshotFiles & { readonly name: string }
  /** For the serial log. */
  readonly note?: string
}

export interface WarmStarts {
  /**
   * Decides how the machine of an instance begins, and prepares its disk for that; may wait for a snapshot that is nearly there. In the instance's turn, while no machine runs.
   * `mayWarm` false: it boots, as a slow boot that was asked for.
   */
  begin(instance: Instance, spec: VmSpec, mayWarm: boolean, signal: AbortSignal): Promise<Beginning>
  /** The machine did not get there from its snapshot: forgets the snapshot, if it is known, and gives the instance a new disk, to boot from. */
  giveUp(instance: Instance, error: unknown, name?: string): Promise<Beginning>
  /** The machine runs: from now on its disk has a past. */
  began(instance: Instance): void
  /** An image is there, or got its family: prepares the snapshots that machines of its family will begin with. Returns at once. */
  prepare(imageId: string): void
  /** Frees the memory that machines of unfinished snapshots take. */
  giveWay(): Promise<void>
  /** At daemon start: goes on with the snapshots that were wanted when the one before ended. */
  resume(): Promise<void>
  /** At daemon stop: ends the making of snapshots. */
  stop(): Promise<void>
}

/** Metadata item of an instance that is to boot. */
const OPT_OUT = 'kiln-warm-start'
export function createWarmStarts(compute: Compute, files: Files): WarmStarts {
  const { store, deps, kernel } = compute
  const { warm } = files
  const users = createWarmUsers(compute)
  const makings = createMakings(compute, files, users)
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

  function wishOf(fileId: string, disk: Disk, spec: VmSpec): Wish {
    return { fileId, sizeGb: Number(disk.record.sizeGb), deviceName: spec.disks[0]?.deviceName ?? '', cpus: spec.cpus, memoryMib: spec.memoryMib }
  }

  /** A group's machines have others after them, soon: when the next is made, one is healed, or a release goes back to their image. */
  function isOfGroup(instance: Instance): boolean {
    return /\/instanceGroupManagers\/[^/]+$/.test(item(instance, 'created-by') ?? '')
  }

  /** The name of a snapshot that is there, or will be soon. Without one, it will be there for the next. */
  async function find(instance: Instance, wish: Wish, signal: AbortSignal): Promise<string | undefined> {
    const name = await makings.nameOf(wish)
    if (await warm.isWhole(name)) return name
    await makings.want(wish, 'start', isOfGroup(instance))
    const isWanted = (): boolean => {
      const status = (store.byId(instance.id) as Instance | undefined)?.record.status
      return status !== undefined && status !== 'STOPPING'
    }
    await makings.join(name, isWanted, signal)
    return (await warm.isWhole(name)) ? name : undefined
  }

  async function prepareNow(imageId: string): Promise<void> {
    const image = store.byId(imageId) as Image | undefined
    if (image === undefined || deps.driver.snapshots === undefined) return
    if (users.shapesFor(image).length === 0 || !(await isMarked(image.hidden.fileId))) return
    const postponed = await makings.supersede(users.olderFiles(image))
    // Not those of before: the next image may be there by now.
    for (const shape of users.shapesFor(image)) await makings.want({ fileId: image.hidden.fileId, ...shape }, 'family')
    // What is replaced is what somebody may have to go back to.
    for (const wish of postponed) await makings.want(wish, 'start', true)
  }

  function imageOf(disk: Disk): string {
    return lastSegment(linkTail(disk.record.sourceImage ?? ''))
  }

  return {
    async begin(instance, spec, mayWarm, signal) {
      const disk = bootDisk(instance)
      const fileId = pristineFile(instance)
      if (deps.driver.snapshots === undefined || disk === undefined || fileId === undefined || !(await isMarked(fileId))) return {}
      if (!mayWarm) return {}
      try {
        if (item(instance, OPT_OUT)?.toLowerCase() === 'never') {
          // Its successors may be of another mind, and whoever rolls back to its image is.
          await makings.want(wishOf(fileId, disk, spec), 'start', isOfGroup(instance))
          return { note: `kiln: boots, since its metadata says ${OPT_OUT}=never` }
        }
        const name = await find(instance, wishOf(fileId, disk, spec), signal)
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
        await makings.addFailure(name)
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
    prepare(imageId) {
      prepareNow(imageId).catch((error: unknown) => kernel.log.warn({ err: error, imageId }, 'no memory snapshot is prepared for an image'))
    },
    giveWay: makings.giveWay,
    resume: makings.resume,
    stop: makings.stop,
  }
}
