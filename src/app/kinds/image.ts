/**
 * A golden image as a resource. Its live form is the newest image of its family; its identity of content is the key, kept with the
 * image. Making it: bake, import without family, boot-test exactly those bytes, then point the family to it, then deprecate the one before.
 */
import { z } from 'zod'
import { KilnError, describeError } from '../../base/errors.ts'
import type { Progress } from '../../base/progress.ts'
import { MINUTE_MS } from '../../base/units.ts'
import type { Clients } from '../../client/clients.ts'
import { call, isConflict } from '../../client/errors.ts'
import { waitForCompute } from '../../client/operations.ts'
import type { Difference, ResourceKind } from '../../engine/types.ts'
import { parseProps } from '../../resources/resource.ts'
import type { LockedWheel } from '../../image/types.ts'
import { describeImage, imageLabels, readImageFacts } from './image-facts.ts'
import { deleteImage, findImage, imagePrefix, imagesOfFamily, isDeprecated, newestOfFamily, removeFamily, removeImports, settledImage } from './live-images.ts'
import type { Context, LiveImage } from './live-images.ts'

const Wheel = z.object({ name: z.string(), version: z.string(), fileName: z.string(), sha256: z.string() })

const ImageKindProps = z.looseObject({
  family: z.string(),
  projectId: z.string(),
  location: z.string(),
  bucket: z.string(),
  labels: z.record(z.string(), z.string()),
  /** Wheels of the stack's own repository, as published. */
  wheels: z.array(Wheel).default([]),
})
export type ImageKindProps = z.output<typeof ImageKindProps>

export type ImageAttributes = {
  readonly name: string
  readonly id: string
  readonly selfLink: string
  readonly family: string
  /** The key of all inputs, hex. */
  readonly key: string
  /** `sha256:HEX` of the raw disk. */
  readonly digest: string
  /** Images that a stopped run left: older ones of the family that are not deprecated yet, and ones that were never tested. Inventories of older versions lack it. */
  readonly unfinished?: readonly string[]
}

export interface BakedDisk {
  readonly key: string
  readonly digest: string
  readonly diskPath: string
}

export interface ImageParts {
  /** The key that these props would have now, and why it is not the one of the last bake; pure and quick. */
  readonly keyOf: (family: string, wheels: readonly LockedWheel[]) => { readonly key: string; readonly resolved: boolean }
  /** Why the key is another than the live image's. */
  readonly explain: (family: string, wheels: readonly LockedWheel[]) => readonly string[]
  readonly bake: (family: string, wheels: readonly LockedWheel[], progress: Progress, signal: AbortSignal) => Promise<BakedDisk>
  /** Packs the disk as Compute Engine imports it and gives the archive's path to `use`; the archive is gone afterwards. */
  readonly withArchive: <T>(disk: BakedDisk, signal: AbortSignal, use: (path: string) => Promise<T>) => Promise<T>
  /** Uploads a file to the import bucket. Returns the URL for `rawDisk.source`. */
  readonly upload: (clients: Clients, bucket: string, name: string, path: string, signal: AbortSignal) => Promise<string>
  /** @throws KilnError E_BOOT_TEST */
  readonly bootTest: (family: string, disk: BakedDisk, progress: Progress, signal: AbortSignal) => Promise<void>
}

/** Makes the kind for one stack. */
export function imageKind(parts: ImageParts): ResourceKind<ImageKindProps, ImageAttributes, Clients> {
  return {
    kind: 'image',
    parse: (props) => parseProps('image', ImageKindProps, props),
    identity: ({ projectId, family }) => ({ projectId, family }),
    observe: (context, identity) => observeFamily(context, String(identity['projectId']), String(identity['family'])),

    diff(props, observed) {
      const { key, resolved } = parts.keyOf(props.family, props.wheels)
      if (key === observed.key) {
        const { unfinished = [] } = observed
        return unfinished.length === 0 ? [] : [{ path: 'older images', from: unfinished.join(', '), to: 'deprecated or removed: a run that was stopped left them' }]
      }
      const why = parts.explain(props.family, props.wheels)
      const to = resolved ? key.slice(0, 12) : 'known when the Debian packages are resolved'
      const difference: Difference = {
        path: why.length === 0 ? 'key' : `key (${why.slice(0, 4).join('; ')}${why.length > 4 ? `; and ${why.length - 4} more` : ''})`,
        from: observed.key.slice(0, 12),
        to,
      }
      return [difference]
    },

    create: (context, props) => release(parts, context, props),
    update: (context, props) => release(parts, context, props),
    remove: (context, identity) => removeFamily(context, String(identity['projectId']), String(identity['family'])),
  }
}

/** Bake, import, test, promote. Each part looks first, so that a repetition after a kill goes on from there. */
async function release(parts: ImageParts, context: Context, props: ImageKindProps): Promise<ImageAttributes> {
  const { family, projectId, bucket } = props
  const disk = await parts.bake(family, props.wheels, context.progress, context.signal)
  const name = imageName(family, disk.key)
  const existing = await settledImage(context, projectId, name)
  // The key stands for the content: an image of this key that passed its test is the one that is wanted, also where the family left it long ago.
  if (existing === undefined || existing.status !== 'READY' || !readImageFacts(existing).tested) await importAndTest(parts, context, props, disk, name)
  for (const image of await imagesOfFamily(context, projectId, family)) {
    if (image.name !== name && isLeftover(image)) await deleteImage(context, projectId, image.name ?? '')
  }
  await removeImports(context, bucket, family)
  context.progress.note(`${name} is tested; the family ${family} gets it`)
  return promote(context, projectId, family, name)
}

async function importAndTest(parts: ImageParts, context: Context, props: ImageKindProps, disk: BakedDisk, name: string): Promise<void> {
  const stopBoth = new AbortController()
  const both = { ...context, signal: AbortSignal.any([context.signal, stopBoth.signal]) }
  try {
    await settleBoth(stopBoth, importImage(parts, both, props, disk, name), parts.bootTest(props.family, disk, context.progress, both.signal))
  } catch (error) {
    // An image that failed its test is not left lying about: nothing may start from it by accident.
    if (error instanceof KilnError && error.code === 'E_BOOT_TEST') await discard({ ...context, signal: AbortSignal.timeout(5 * MINUTE_MS) }, props, name)
    throw error
  }
}

/** Why the image failed matters more than that it could not be removed: the next run removes what is left. */
async function discard(context: Context, props: ImageKindProps, name: string): Promise<void> {
  try {
    await deleteImage(context, props.projectId, name)
    await removeImports(context, props.bucket, props.family)
  } catch (error) {
    context.progress.note(`${name}, which failed its test, could not be removed yet: ${describeError(error)}`)
  }
}

/** Made by Kiln, never tested, in no family. */
function isLeftover(image: LiveImage): boolean {
  return !readImageFacts(image).tested && (image.family ?? '') === ''
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

function packagesOf(props: ImageKindProps): readonly string[] {
  return props.wheels.map((wheel) => `${wheel.name} ${wheel.version}`)
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

/** New image into the family first, then the older ones are deprecated: no reader of the family ever finds none, or an untested one. */
async function promote(context: Context, projectId: string, family: string, name: string): Promise<ImageAttributes> {
  const { clients, signal } = context
  const compute = await clients.compute()
  const image = await findImage(context, projectId, name)
  if (image === undefined) throw new KilnError('E_BAKE', `the image ${name} disappeared while it was tested`, { hint: 'run the same command again' })
  const facts = readImageFacts(image)
  if (image.family !== family || !facts.tested) {
    const patch = { family, description: describeImage({ ...facts, tested: true }) }
    await waitForCompute(clients, projectId, await call(compute.images.patch({ project: projectId, image: name, requestBody: patch })), {
      signal,
      what: `point the family ${family} to ${name}`,
    })
  }
  if (image.deprecated?.state !== undefined && image.deprecated.state !== null && image.deprecated.state !== 'ACTIVE') {
    await waitForCompute(clients, projectId, await call(compute.images.deprecate({ project: projectId, image: name, requestBody: { state: 'ACTIVE' } })), {
      signal,
      what: `take back the deprecation of ${name}`,
    })
  }
  for (const older of await imagesOfFamily(context, projectId, family)) {
    if (older.name === name || older.name === undefined || older.name === null || older.family !== family || isDeprecated(older)) continue
    await waitForCompute(
      clients,
      projectId,
      await call(compute.images.deprecate({ project: projectId, image: older.name, requestBody: { state: 'DEPRECATED', replacement: image.selfLink ?? undefined } })),
      {
        signal,
        what: `deprecate ${older.name}`,
      },
    )
  }
  const promoted = await observeFamily(context, projectId, family)
  if (promoted?.name !== name)
    throw new KilnError('E_BAKE', `the family ${family} points to ${promoted?.name ?? 'nothing'} instead of ${name}`, {
      hint: 'somebody else changed its images; run the same command again',
    })
  return promoted
}

/** The newest image of the family, as every reader of the family sees it, and what a stopped run left beside it. */
async function observeFamily(context: Context, projectId: string, family: string): Promise<ImageAttributes | undefined> {
  const image = await newestOfFamily(context, projectId, family)
  if (image === undefined) return undefined
  const facts = readImageFacts(image)
  const others = (await imagesOfFamily(context, projectId, family)).filter((each) => each.name !== image.name)
  const unfinished = others.filter((each) => isLeftover(each) || (each.family === family && !isDeprecated(each))).map((each) => each.name ?? '')
  return { name: image.name ?? '', id: String(image.id), selfLink: image.selfLink ?? '', family, key: facts.key, digest: facts.digest, unfinished: unfinished.toSorted() }
}

/** The name has the key in it: two bakes of other inputs never collide, and the same inputs meet their own image. Names have at most 63 characters. */
export function imageName(family: string, key: string): string {
  return `${imagePrefix(family)}${key.slice(0, 16)}`
}
