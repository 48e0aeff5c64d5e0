/** Images of one family as they are in Compute Engine, and the archives in the bucket that they are imported from. */
import { waitFor } from '../../base/wait.ts'
import type { Clients } from '../../client/clients.ts'
import { call, isAbsent, isNotFound, orNothing } from '../../client/errors.ts'
import { waitForCompute } from '../../client/operations.ts'
import type { KindContext } from '../../engine/types.ts'

export type Context = KindContext<Clients>

/** The fields of an image that are read here. */
export interface LiveImage {
  readonly name?: string | null
  readonly id?: string | null
  readonly selfLink?: string | null
  readonly family?: string | null
  readonly status?: string | null
  readonly description?: string | null
  readonly labels?: Readonly<Record<string, string>> | null
  readonly deprecated?: { readonly state?: string | null } | null
}

/** True when its family does not show the image. */
export function isDeprecated(image: LiveImage): boolean {
  const state = image.deprecated?.state
  return state !== undefined && state !== null && state !== 'ACTIVE'
}

/** What the family points to, or undefined. */
export async function newestOfFamily(context: Context, projectId: string, family: string): Promise<LiveImage | undefined> {
  const compute = await context.clients.compute()
  return orNothing(call(compute.images.getFromFamily({ project: projectId, family })))
}

/** The image of this name, in whatever state, or undefined. */
export async function findImage(context: Context, projectId: string, name: string): Promise<LiveImage | undefined> {
  const compute = await context.clients.compute()
  return orNothing(call(compute.images.get({ project: projectId, image: name })))
}

/** An import of gigabytes on a busy machine takes minutes. */
const IMPORT_TIMEOUT_MS = 10 * 60_000

/** The image, or undefined, when no import or deletion of it goes on any more: one that a killed run began ends by itself. */
export async function settledImage(context: Context, projectId: string, name: string): Promise<LiveImage | undefined> {
  return waitFor<LiveImage | undefined>({ what: `the import of ${name} has ended`, timeoutMs: IMPORT_TIMEOUT_MS, signal: context.signal }, async () => {
    const image = await findImage(context, projectId, name)
    return image?.status === 'PENDING' || image?.status === 'DELETING' ? { done: false, status: image.status } : { done: true, value: image }
  })
}

/** All images that were made for a family, those that it does not show (yet, or any more) included. */
export async function imagesOfFamily(context: Context, projectId: string, family: string): Promise<readonly LiveImage[]> {
  return (await madeImages(context, projectId)).filter((image) => image.labels?.['kiln-family'] === family)
}

/** All images of the project that were made for some family. */
export async function madeImages(context: Context, projectId: string): Promise<readonly LiveImage[]> {
  const compute = await context.clients.compute()
  const images: LiveImage[] = []
  let pageToken: string | undefined
  do {
    const page: { readonly items?: LiveImage[]; readonly nextPageToken?: string | null } = await call(
      compute.images.list({ project: projectId, ...(pageToken === undefined ? {} : { pageToken }) }),
    )
    images.push(...(page.items ?? []).filter((image) => image.labels?.['kiln-family'] !== undefined))
    pageToken = page.nextPageToken ?? undefined
  } while (pageToken !== undefined)
  return images
}

/** Deletes every image that was made for the family. */
export async function removeFamily(context: Context, projectId: string, family: string): Promise<void> {
  try {
    for (const image of await imagesOfFamily(context, projectId, family)) await deleteImage(context, projectId, image.name ?? '')
  } catch (error) {
    if (!isAbsent(error)) throw error
  }
}

/** Deletes one image; gone is success. An import that goes on is awaited, since Compute Engine refuses to delete before its end. */
export async function deleteImage(context: Context, projectId: string, name: string): Promise<void> {
  const compute = await context.clients.compute()
  try {
    if ((await settledImage(context, projectId, name)) === undefined) return
    await waitForCompute(context.clients, projectId, await call(compute.images.delete({ project: projectId, image: name })), { signal: context.signal, what: `delete ${name}` })
  } catch (error) {
    if (!isAbsent(error)) throw error
  }
}

/** How an image of a family is named: the family, cut so that all fits into 63 characters, and 16 digits of the key. */
export function imagePrefix(family: string): string {
  return `${family.slice(0, 63 - 17)}-`
}

/** Deletes the archives that images of the family were imported from, those of stopped runs included. */
export async function removeImports(context: Context, bucket: string, family: string): Promise<void> {
  const prefix = imagePrefix(family)
  const storage = await context.clients.storage()
  let pageToken: string | undefined
  do {
    const page: { readonly items?: readonly { readonly name?: string | null }[]; readonly nextPageToken?: string | null } = await call(
      storage.objects.list({ bucket, prefix, ...(pageToken === undefined ? {} : { pageToken }) }, { signal: context.signal }),
    )
    for (const object of (page.items ?? []).map((item) => item.name ?? '')) {
      // Another family may begin with this one's name.
      if (!/^[0-9a-f]{16}\.tar\.gz$/.test(object.slice(prefix.length))) continue
      await call(storage.objects.delete({ bucket, object })).catch((error: unknown) => {
        if (!isNotFound(error)) throw error
      })
    }
    pageToken = page.nextPageToken ?? undefined
  } while (pageToken !== undefined)
}
