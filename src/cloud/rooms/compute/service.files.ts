/**
 * The files behind images and disks. `images/ID.raw` never changes once it has its name; `disks/ID.qcow2` is an overlay on one of them, or stands alone.
 * A raw file stays while an image row or a disk row names it, so deleting an image never pulls the ground from under a disk.
 */
import { constants } from 'node:fs'
import { copyFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { GIB } from '../../../base/units.ts'
import { run } from '../../../host/exec.ts'
import { exists, removeAll, syncFile, syncFolder } from '../../../host/files.ts'
import type { Compute } from './service.ts'
import type { Resource } from './store.ts'
import { createWarmFiles } from './service.warm-files.ts'
import type { WarmFiles } from './service.warm-files.ts'
import { extractDisk } from './service.untar.ts'
import type { ExtractedDisk } from './service.untar.ts'

export interface ImageHidden {
  /** Names the raw file; images made from an image share it. */
  readonly fileId: string
  /** Hex SHA-256 of the raw bytes, for imported images once READY. Not for images of disks: hashing their holes would take longer than copying them. */
  readonly sha256?: string
}

export interface DiskHidden {
  /** The raw file below the overlay. */
  readonly fileId?: string
  /** The disk that this one is a copy of, while it is CREATING. */
  readonly cloneOf?: string
  /** It is an image's content, and no machine ran on it yet. */
  readonly pristine?: true
}

export interface Files {
  diskPath(diskId: string): string
  imagePath(fileId: string): string
  /** Makes the raw file of an image from an import archive. Repeatable. */
  importArchive(fileId: string, source: Readable, signal: AbortSignal, progress: (readBytes: number) => void): Promise<ExtractedDisk>
  /** Makes the raw file of an image from a disk that nobody writes; gives its size in bytes. Repeatable. */
  flatten(fileId: string, diskId: string, signal: AbortSignal): Promise<number>
  /** Makes a disk file unless it is there. */
  ensureDisk(diskId: string, sizeGb: number, fileId: string | undefined): Promise<void>
  /** Makes a disk file as a copy of another disk's, which nobody writes, unless it is there. */
  cloneDisk(diskId: string, sourceId: string, sizeGb: number): Promise<void>
  resizeDisk(diskId: string, sizeGb: number): Promise<void>
  removeDisk(diskId: string): Promise<void>
  /** Makes a disk file of any name beside `disks/`, above the raw file of an image. */
  makeOverlay(path: string, fileId: string, sizeGb: number): Promise<void>
  /** Whether new disks can be made of the raw file. */
  isSource(fileId: string): boolean
  /** `listener` is told, and waited for, before the memory snapshots of a raw file go for good. */
  onDrop(listener: (fileId: string) => Promise<void>): void
  /** Memory snapshots of machines that began with raw files. */
  readonly warm: WarmFiles
  /** Removes a raw file when no row names it any more; its memory snapshots already when no new disk can be made of it. */
  dropImage(fileId: string): Promise<void>
  /** At start: removes unfinished files and those without a row. */
  sweep(): Promise<void>
  removeAll(): Promise<void>
}

export function createFiles(compute: Compute): Files {
  const { images, disks } = compute.folders
  const warm = createWarmFiles(compute.folders.warm)
  const dropListeners: ((fileId: string) => Promise<void>)[] = []

  function imagePath(fileId: string): string {
    return join(images, `${fileId}.raw`)
  }

  function diskPath(diskId: string): string {
    return join(disks, `${diskId}.qcow2`)
  }

  function isNamed(fileId: string, collections: readonly string[]): boolean {
    return collections.some((collection) => compute.store.list(collection).some((resource: Resource<object, { fileId?: string }>) => resource.hidden.fileId === fileId))
  }

  function isSource(fileId: string): boolean {
    return isNamed(fileId, ['images', 'snapshots'])
  }

  function isKept(fileId: string): boolean {
    return isNamed(fileId, ['images', 'disks', 'snapshots'])
  }

  async function makeOverlay(path: string, fileId: string | undefined, sizeGb: number): Promise<void> {
    // A relative backing path lets the whole data folder move.
    const backing = fileId === undefined ? [] : ['-b', join('..', basename(images), `${fileId}.raw`), '-F', 'raw']
    await run({ program: 'qemu-img', args: ['create', '-q', '-f', 'qcow2', ...backing, path, String(sizeGb * GIB)] }, { what: 'making the disk' })
  }

  /** Lets `make` write a temporary file, then gives it its name for good. */
  async function publish<T>(path: string, make: (temporary: string) => Promise<T>): Promise<T> {
    await mkdir(dirname(path), { recursive: true })
    const temporary = `${path}.part`
    await rm(temporary, { force: true })
    try {
      const result = await make(temporary)
      await syncFile(temporary)
      await rename(temporary, path)
      await syncFolder(dirname(path))
      return result
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  }

  /** A public image has no bytes before somebody needs them. */
  function ensurePublic(fileId: string): Promise<void> {
    const { publicImages } = compute.deps
    if (!publicImages.images.some((image) => image.fileId === fileId)) return Promise.resolve()
    return compute.exclusive(`public image ${fileId}`, async () => {
      if (!(await exists(imagePath(fileId)))) await publish(imagePath(fileId), (temporary) => publicImages.provide(fileId, temporary))
    })
  }

  async function sweepFolder(folder: string, isWanted: (id: string) => boolean): Promise<void> {
    if (!(await exists(folder))) return
    for (const name of await readdir(folder)) {
      if (name.endsWith('.part') || !isWanted(name.slice(0, name.indexOf('.')))) await rm(join(folder, name), { force: true })
    }
  }

  return {
    diskPath,
    imagePath,
    importArchive: (fileId, source, signal, progress) => publish(imagePath(fileId), (temporary) => extractDisk(source, temporary, signal, progress)),
    flatten: (fileId, diskId, signal) =>
      publish(imagePath(fileId), async (temporary) => {
        await run({ program: 'qemu-img', args: ['convert', '-f', 'qcow2', '-O', 'raw', diskPath(diskId), temporary] }, { signal, what: 'copying the disk' })
        return (await stat(temporary)).size
      }),
    async ensureDisk(diskId, sizeGb, fileId) {
      const path = diskPath(diskId)
      if (await exists(path)) return
      if (fileId !== undefined) await ensurePublic(fileId)
      await publish(path, (temporary) => makeOverlay(temporary, fileId, sizeGb))
    },
    async cloneDisk(diskId, sourceId, sizeGb) {
      if (await exists(diskPath(diskId))) return
      await publish(diskPath(diskId), async (temporary) => {
        await copyFile(diskPath(sourceId), temporary, constants.COPYFILE_FICLONE)
        await run({ program: 'qemu-img', args: ['resize', '-q', '-f', 'qcow2', temporary, String(sizeGb * GIB)] }, { what: 'copying the disk' })
      })
    },
    async resizeDisk(diskId, sizeGb) {
      await run({ program: 'qemu-img', args: ['resize', '-q', '-f', 'qcow2', diskPath(diskId), String(sizeGb * GIB)] }, { what: 'resizing the disk' })
    },
    removeDisk: (diskId) => rm(diskPath(diskId), { force: true }),
    makeOverlay,
    isSource,
    onDrop: (listener) => void dropListeners.push(listener),
    warm,
    async dropImage(fileId) {
      if (!isSource(fileId)) {
        for (const listener of dropListeners) await listener(fileId)
        await warm.removeFor(fileId)
      }
      if (!isKept(fileId)) await rm(imagePath(fileId), { force: true })
    },
    async sweep() {
      await sweepFolder(images, isKept)
      await sweepFolder(disks, (id) => compute.store.byId(id) !== undefined)
      await warm.sweep(isSource)
    },
    async removeAll() {
      await removeAll(images)
      await removeAll(disks)
      await warm.removeAll()
    },
  }
}
