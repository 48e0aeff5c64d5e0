/** Images baked here: the disk is imported, and exactly those bytes are booted on this machine meanwhile. */
import { KilnError } from '../../base/errors.ts'
import type { Progress } from '../../base/progress.ts'
import type { Clients } from '../../client/clients.ts'
import { call, isConflict } from '../../client/errors.ts'
import { waitForCompute } from '../../client/operations.ts'
import type { LockedWheel } from '../../image/types.ts'
import { describeImage, imageLabels, readImageFacts } from './image-facts.ts'
import { packagesOf } from './image-maker.ts'
import type { ImageKindProps, ImageMaker } from './image-maker.ts'
import { deleteImage, settledImage } from './live-images.ts'
import type { Context } from './live-images.ts'

export interface BakedDisk {
  readonly key: string
  readonly digest: string
  readonly diskPath: string
}

/** What the maker needs of baker, packer and boot test. */
export interface ImageParts extends Pick<ImageMaker, 'keyOf' | 'explain'> {
  readonly bake: (family: string, wheels: readonly LockedWheel[], progress: Progress, signal: AbortSignal) => Promise<BakedDisk>
  /** Packs the disk as Compute Engine imports it and gives the archive's path to `use`; the archive is gone afterwards. */
  readonly withArchive: <T>(disk: BakedDisk, signal: AbortSignal, use: (path: string) => Promise<T>) => Promise<T>
  /** Uploads a file to the import bucket. Returns the URL for `rawDisk.source`. */
  readonly upload: (clients: Clients, bucket: string, name: string, path: string, signal: AbortSignal) => Promise<string>
  /** @throws KilnError E_BOOT_TEST */
  readonly bootTest: (family: string, disk: BakedDisk, progress: Progress, signal: AbortSignal) => Promise<void>
}

/** Makes the maker for one stack. */
export function offlineMaker(parts: ImageParts): ImageMaker {
  return {
    keyOf: parts.keyOf,
    explain: parts.explain,
    async prepare(context, props) {
      const disk = await parts.bake(props.family, props.wheels, context.progress, context.signal)
      return { key: disk.key, makeAndTest: (name) => importAndTest(parts, context, props, disk, name) }
    },
  }
}

async function importAndTest(parts: ImageParts, context: Context, props: ImageKindProps, disk: BakedDisk, name: string): Promise<void> {
  const stopBoth = new AbortController()
  const both = { ...context, signal: AbortSignal.any([context.signal, stopBoth.signal]) }
  await settleBoth(stopBoth, importImage(parts, both, props, disk, name), parts.bootTest(props.family, disk, context.progress, both.signal))
}

/** Waits for both; the first failure stops the other, and is the one that is thrown. */
async function settleBoth(stop: AbortController, first: Promise<unknown>, second: Promise<unknown>): Promise<void> {
  const failures: unknown[] = []
  const watch = async (work: Promise<unknown>): Promise<void> => {
    try {
      await work
    } catch (error) {
      failures.push(error)
      stop.abort(error)
    }
  }
  await Promise.all([watch(first), watch(second)])
  if (failures.length > 0) throw failures[0]
}

async function importImage(parts: ImageParts, context: Context, props: ImageKindProps, disk: BakedDisk, name: string): Promise<void> {
  const { projectId, family } = props
  const existing = await settledImage(context, projectId, name)
  if (existing?.status === 'READY' && readImageFacts(existing).digest === disk.digest) return
  // The same inputs gave other bytes, or an import failed: the new bytes are the ones that are tested now.
  if (existing !== undefined) await deleteImage(context, projectId, name)
  const object = `${name}.tar.gz`
  const source = await parts.withArchive(disk, context.signal, (path) => {
    context.progress.note(`uploading ${object}`)
    return parts.upload(context.clients, props.bucket, object, path, context.signal)
  })
  context.signal.throwIfAborted()
  context.progress.note(`importing ${name}`)
  const compute = await context.clients.compute()
  const requestBody = {
    name,
    description: describeImage({ family, key: disk.key, digest: disk.digest, packages: packagesOf(props), tested: false }),
    labels: { ...props.labels, ...imageLabels(family, disk.key) },
    rawDisk: { source },
    storageLocations: [props.location],
    guestOsFeatures: [{ type: 'UEFI_COMPATIBLE' }, { type: 'VIRTIO_SCSI_MULTIQUEUE' }, { type: 'GVNIC' }],
  }
  try {
    await waitForCompute(context.clients, projectId, await call(compute.images.insert({ project: projectId, requestBody })), { signal: context.signal, what: `import ${name}` })
  } catch (error) {
    // A second try after a lost answer meets the first one, which goes on.
    if (!isConflict(error)) throw error
    const made = await settledImage(context, projectId, name)
    if (made?.status !== 'READY') throw new KilnError('E_BAKE', `the import of ${name} failed`, { hint: 'run the same command again', cause: error })
  }
}
