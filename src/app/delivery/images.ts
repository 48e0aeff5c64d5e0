/** Which image `--image` and `--version` mean, and what is known of the package in it. */
import { KilnError } from '../../base/errors.ts'
import { call } from '../../client/errors.ts'
import { lastSegment } from '../../client/operations.ts'
import type { Release } from '../../release/ledger.schema.ts'
import { readImageFacts } from '../kinds/image-facts.ts'
import type { DeliveryParts } from './context.ts'

export interface FoundImage {
  /** Name or link. */
  readonly image: string
  readonly package?: Release['package']
  readonly commit?: string | undefined
}

interface LiveImage {
  readonly name: string
  readonly family: string
  readonly createdAt: string
  /** `NAME VERSION` */
  readonly packages: readonly string[]
  readonly isUsable: boolean
}

/** @throws KilnError E_NOT_FOUND that names the versions that there are images of */
export async function imageToRelease(
  parts: DeliveryParts,
  wanted: { readonly image?: string | undefined; readonly version?: string | undefined },
  releases: readonly Release[],
): Promise<FoundImage> {
  const images = await imagesOf(parts)
  if (wanted.image !== undefined) {
    const known = knownOf(lastSegment(wanted.image), images, releases, parts)
    if (wanted.version !== undefined && known.package !== undefined && known.package.version !== wanted.version) {
      throw new KilnError('E_RELEASE_REFUSED', `the image ${lastSegment(wanted.image)} has ${known.package.version}, not ${wanted.version}`, {
        hint: 'name the image or the version alone',
      })
    }
    return { image: wanted.image, ...known }
  }
  const has = (image: LiveImage, version: string): boolean => image.packages.some((entry) => entry.endsWith(` ${version}`))
  const usable = images.filter((image) => image.family === parts.serving.family && image.isUsable)
  const found = usable.find((image) => has(image, wanted.version ?? ''))
  if (found !== undefined) return { image: found.name, ...knownOf(found.name, images, releases, parts) }
  const versions = [...new Set(usable.flatMap((image) => image.packages.map((entry) => entry.split(' ')[1] ?? '')))]
  throw new KilnError('E_NOT_FOUND', `there is no image of ${parts.serving.family} with version ${wanted.version ?? ''} of its package`, {
    hint: versions.length === 0 ? 'kiln deploy, without a version, publishes and bakes what is in the folder' : `there are images of: ${versions.join(', ')}`,
  })
}

/** From the image itself; its wheel and its commit from a release that had it. */
function knownOf(name: string, images: readonly LiveImage[], releases: readonly Release[], { serving }: DeliveryParts): Pick<FoundImage, 'package' | 'commit'> {
  const release = releases.find((each) => each.image.name === name && each.package !== undefined)
  if (release !== undefined) return { package: release.package, commit: release.commit }
  const [first, ...more] = images.find((image) => image.name === name)?.packages ?? []
  // Of several packages none is the one that `/version` speaks of, unless the config names one.
  const entry = more.length === 0 ? first : [first, ...more].find((each) => each?.split(' ')[0] === serving.image.python[0])
  const [packageName, version] = entry?.split(' ') ?? []
  return packageName === undefined || version === undefined ? {} : { package: { name: packageName, version } }
}

/** Newest first. */
async function imagesOf({ clients, serving, signal }: DeliveryParts): Promise<readonly LiveImage[]> {
  const compute = await clients.compute()
  const images: LiveImage[] = []
  let pageToken: string | undefined
  do {
    const page = await call(compute.images.list({ project: serving.projectId, ...(pageToken === undefined ? {} : { pageToken }) }, { signal }))
    for (const image of page.items ?? []) {
      images.push({
        name: image.name ?? '',
        family: image.labels?.['kiln-family'] ?? image.family ?? '',
        createdAt: image.creationTimestamp ?? '',
        packages: readImageFacts(image).packages,
        isUsable: image.status === 'READY' && !['OBSOLETE', 'DELETED'].includes(image.deprecated?.state ?? '') && readImageFacts(image).tested,
      })
    }
    pageToken = page.nextPageToken ?? undefined
  } while (pageToken !== undefined)
  return images.toSorted((left, right) => (left.createdAt < right.createdAt ? 1 : -1))
}
