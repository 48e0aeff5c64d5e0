/**
 * A golden image as a resource. Its live form is the newest image of its family; its identity of content is the key, kept with the
 * image. Making it: an image without family, which is tested, then point the family to it, then deprecate the one before. Who makes it (`ImageMaker`)
 * is the baker here, or Packer on Google.
 */
import { KilnError, describeError } from '../../base/errors.ts'
import { MINUTE_MS } from '../../base/units.ts'
import type { Clients } from '../../client/clients.ts'
import { call } from '../../client/errors.ts'
import { waitForCompute } from '../../client/operations.ts'
import type { Difference, ResourceKind } from '../../engine/types.ts'
import { parseProps } from '../../resources/resource.ts'
import { describeImage, readImageFacts } from './image-facts.ts'
import { ImageKindProps } from './image-maker.ts'
import type { ImageMaker } from './image-maker.ts'
import { deleteImage, findImage, imagePrefix, imagesOfFamily, isDeprecated, newestOfFamily, removeFamily, removeImports, settledImage } from './live-images.ts'
import type { Context, LiveImage } from './live-images.ts'

export type ImageAttributes = {
  readonly name: string
  readonly id: string
  readonly selfLink: string
  readonly family: string
  /** The key of all inputs, hex. */
  readonly key: string
  /** `sha256:HEX` of the raw disk; empty for an image that Packer made: nobody here has seen its bytes. */
  readonly digest: string
  /** Images that a stopped run left: older ones of the family that are not deprecated yet, and ones that were never tested. Inventories of older versions lack it. */
  readonly unfinished?: readonly string[]
}

/** Makes the kind for one stack; `makerOf` says who makes the images of a family. */
export function imageKind(makerOf: (family: string) => ImageMaker): ResourceKind<ImageKindProps, ImageAttributes, Clients> {
  return {
    kind: 'image',
    parse: (props) => parseProps('image', ImageKindProps, props),
    identity: ({ projectId, family }) => ({ projectId, family }),
    observe: (context, identity) => observeFamily(context, String(identity['projectId']), String(identity['family'])),

    diff(props, observed) {
      const maker = makerOf(props.family)
      const { key, resolved } = maker.keyOf(props.family, props.wheels)
      if (key === observed.key) {
        const { unfinished = [] } = observed
        return unfinished.length === 0 ? [] : [{ path: 'older images', from: unfinished.join(', '), to: 'deprecated or removed: a run that was stopped left them' }]
      }
      const why = maker.explain(props.family, props.wheels)
      const to = resolved ? key.slice(0, 12) : 'known when the Debian packages are resolved'
      const difference: Difference = {
        path: why.length === 0 ? 'key' : `key (${why.slice(0, 4).join('; ')}${why.length > 4 ? `; and ${why.length - 4} more` : ''})`,
        from: observed.key.slice(0, 12),
        to,
      }
      return [difference]
    },

    create: (context, props) => release(makerOf(props.family), context, props),
    update: (context, props) => release(makerOf(props.family), context, props),
    async remove(context, identity) {
      const family = String(identity['family'])
      await makerOf(family).cleanUp?.(context, family)
      await removeFamily(context, String(identity['projectId']), family)
    },
  }
}

/** Make, test, promote. Each part looks first, so that a repetition after a kill goes on from there. */
async function release(maker: ImageMaker, context: Context, props: ImageKindProps): Promise<ImageAttributes> {
  const { family, projectId, bucket } = props
  const prepared = await maker.prepare(context, props)
  const name = imageName(family, prepared.key)
  const existing = await settledImage(context, projectId, name)
  // The key stands for the content: an image of this key that passed its test is the one that is wanted, also where the family left it long ago.
  if (existing?.status !== 'READY' || !readImageFacts(existing).tested) {
    try {
      await prepared.makeAndTest(name)
    } catch (error) {
      // An image that failed its test is not left lying about: nothing may start from it by accident.
      if (error instanceof KilnError && error.code === 'E_BOOT_TEST') await discard({ ...context, signal: AbortSignal.timeout(5 * MINUTE_MS) }, props, name)
      throw error
    }
  }
  for (const image of await imagesOfFamily(context, projectId, family)) {
    if (image.name !== name && isLeftover(image)) await deleteImage(context, projectId, image.name ?? '')
  }
  await removeImports(context, bucket, family)
  context.progress.note(`${name} is tested; the family ${family} gets it`)
  return promote(context, projectId, family, name)
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
