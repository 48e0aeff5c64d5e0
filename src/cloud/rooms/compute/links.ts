/**
 * Links to compute resources. Google's clients write them in many forms (full URL with three host names, path, `projects/…`, `zones/…`, a bare
 * name, and Packer's URL without `projects/`); here they become one reference, and references become the one form that Google answers.
 */
import { invalidArgument } from '../../kernel/api-error.ts'

export interface Reference {
  /** Id or number, as the link had it. */
  readonly projectId: string
  /** `global`, `zones/us-central1-c` or `regions/us-central1`. */
  readonly scope: string
  readonly collection: string
  readonly name: string
  /** True for `global/images/family/NAME` and `zones/ZONE/imageFamilyViews/NAME`: `name` is the family. */
  readonly isFamily: boolean
}

export interface LinkDefaults {
  readonly projectId: string
  /** For links that are bare names. */
  readonly scope: string
  readonly collection: string
}

const API_PREFIX = /^(?:https?:\/\/[^/]+\/(?:[^/]*\.googleapis\.com\/)?)?\/?(?:compute\/(?:v1|beta|alpha)\/)/

/**
 * Parses a link of any form.
 * @throws ApiError 400 when it has another shape, or names another collection than the one expected.
 */
export function parseLink(link: string, defaults: LinkDefaults): Reference {
  const segments = link
    .replace(API_PREFIX, '')
    .split('/')
    .filter((segment) => segment !== '')
  let projectId = defaults.projectId
  if (segments[0] === 'projects') {
    projectId = segments[1] ?? ''
    segments.splice(0, 2)
  } else if (segments.length > 2 && !isScopeWord(segments[0]) && isScopeWord(segments[1])) {
    projectId = segments[0] ?? ''
    segments.splice(0, 1)
  }
  let scope = defaults.scope
  if (segments[0] === 'global') {
    scope = 'global'
    segments.splice(0, 1)
  } else if (segments[0] === 'zones' || segments[0] === 'regions') {
    // The link of a zone or region itself has nothing after its name.
    if (segments.length === 2 && defaults.collection === segments[0]) return { projectId, scope: 'global', collection: segments[0], name: segments[1] ?? '', isFamily: false }
    scope = `${segments[0]}/${segments[1] ?? ''}`
    segments.splice(0, 2)
  }
  // A zone's view of a family, in which gcloud asks for Google's public images, names an image as the family does. `-` is any zone.
  if (defaults.collection === 'images' && segments[0] === 'imageFamilyViews' && segments.length === 2 && scope.startsWith('zones/')) {
    scope = 'global'
    segments.splice(0, 1, 'images', 'family')
  }
  const isFamily = segments.at(-2) === 'family'
  if (isFamily) segments.splice(-2, 1)
  const name = segments.at(-1) ?? ''
  const collection = segments.length > 1 ? (segments[0] ?? '') : defaults.collection
  if (segments.length === 0 || segments.length > 2 || collection !== defaults.collection || projectId === '' || link.includes('\n')) {
    throw invalidArgument(`Invalid value for field: '${link}'. The URL is malformed: it does not name one of ${defaults.collection}.`, { reason: 'invalid' })
  }
  return { projectId, scope, collection, name: decodeURIComponent(name), isFamily }
}

function isScopeWord(segment: string | undefined): boolean {
  return segment === 'zones' || segment === 'regions' || segment === 'global'
}

/** `projects/P/zones/Z/disks/D`: how resources are named in messages and policies. */
export function resourcePath(reference: Pick<Reference, 'projectId' | 'scope' | 'collection' | 'name'>): string {
  return `projects/${reference.projectId}/${reference.scope}/${reference.collection}/${reference.name}`
}

/** The absolute link in the form that Google answers, whatever host was asked. */
export function selfLink(reference: Pick<Reference, 'projectId' | 'scope' | 'collection' | 'name'>): string {
  return linkTo(resourcePath(reference))
}

/** An absolute link to a path such as `projects/P/zones/Z`. */
export function linkTo(path: string): string {
  return `https://www.googleapis.com/compute/v1/${path}`
}

/** The part of a link from `projects/` on: two links are the same thing when this is equal. */
export function linkTail(link: string): string {
  const start = link.indexOf('projects/')
  return start === -1 ? link : link.slice(start)
}

/** The name at the end of a link. */
export function lastSegment(link: string): string {
  return link.slice(link.lastIndexOf('/') + 1)
}

/** Where a bucket object lies, from `gs://B/O`, `https://storage.googleapis.com/B/O` or the JSON API's URL with plain or escaped slashes. Undefined for anything else. */
export function parseObjectUrl(url: string): { readonly bucket: string; readonly object: string } | undefined {
  const patterns = [
    /^gs:\/\/([^/]+)\/(.+)$/,
    /^https?:\/\/(?:[^/]+\/)?(?:storage|www)\.googleapis\.com\/(?:download\/)?storage\/v1\/b\/([^/]+)\/o\/([^?]+)/,
    /^https?:\/\/(?:[^/]+\/)?storage\.googleapis\.com\/([^/]+)\/([^?]+)/,
    /^https?:\/\/([^/.]+)\.storage\.googleapis\.com\/([^?]+)/,
    /^https?:\/\/storage\.cloud\.google\.com\/([^/]+)\/([^?]+)/,
  ]
  for (const pattern of patterns) {
    const match = pattern.exec(url)
    if (match !== null) return { bucket: decodeURIComponent(match[1] ?? ''), object: decodeURIComponent(match[2] ?? '') }
  }
  return undefined
}
