/** Instance templates of releases: their names and bodies. Pure. */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { sha256Hex } from '../base/ids.ts'
import { canonicalJson } from '../base/json.ts'
import type { NewTemplate } from './fleet.ts'
import type { PinnedImage, Release, Shape } from './ledger.schema.ts'

const mostStackCharacters = 40

/** Every template of a stack's releases begins with it; nothing else does. */
export function templatePrefix(stack: string): string {
  const base = stack
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, mostStackCharacters)
    .replace(/-+$/, '')
  return `${base === '' ? 'stack' : base}-r`
}

/**
 * A template's name says which release and which image it is of, so that making it again is making the same. Names have at most 63 characters.
 * @example templateName('moshi', 7, image) // 'moshi-r000007-3f2a91bc'
 */
export function templateName(stack: string, number: number, image: PinnedImage): string {
  return `${templatePrefix(stack)}${String(number).padStart(6, '0')}-${sha256Hex(`${image.id} ${image.digest ?? ''}`).slice(0, 8)}`
}

/** Metadata that says how a machine begins, not what it is. `never`: it boots, and is not resumed from the memory of another one of its image. */
export const warmStartKey = 'kiln-warm-start'

/** The shape without how its machines begin. */
export function lastingShape(shape: Shape): Shape {
  const { [warmStartKey]: _start, ...metadata } = shape.metadata
  return { ...shape, metadata }
}

/** Equal for two releases between which nothing differs: the same image by id, and the same machines, however these begin. */
export function configDigest(image: PinnedImage, shape: Shape): string {
  return `sha256:${sha256Hex(canonicalJson({ image: image.id, digest: image.digest, shape: lastingShape(shape) }))}`
}

/** What has to be there for this release; made again from the ledger when somebody deleted it. */
export function templateOf(release: Release): NewTemplate {
  return { name: release.template, description: `release ${release.number} of ${release.stack}`, image: release.image.selfLink, shape: release.shape }
}

/** The body of instanceTemplates.insert. The image is named by its own link, never by its family. */
export function templateBody(template: NewTemplate, place: { readonly projectId: string; readonly zone: string }): compute_v1.Schema$InstanceTemplate {
  const { shape } = template
  return {
    name: template.name,
    description: template.description,
    properties: {
      machineType: shape.machineType,
      labels: { ...shape.labels },
      tags: { items: [...shape.tags] },
      metadata: { items: Object.entries(shape.metadata).map(([key, value]) => ({ key, value })) },
      disks: [
        {
          boot: true,
          autoDelete: true,
          mode: 'READ_WRITE',
          type: 'PERSISTENT',
          initializeParams: { sourceImage: template.image, ...(shape.diskSizeGb === undefined ? {} : { diskSizeGb: String(shape.diskSizeGb) }) },
        },
      ],
      networkInterfaces: [
        {
          network: shape.network.includes('/') ? shape.network : `projects/${place.projectId}/global/networks/${shape.network}`,
          ...(shape.externalAddress ? { accessConfigs: [{ name: 'External NAT', type: 'ONE_TO_ONE_NAT' }] } : {}),
        },
      ],
      ...(shape.serviceAccount === undefined ? {} : { serviceAccounts: [{ email: shape.serviceAccount, scopes: [...shape.scopes] }] }),
    },
  }
}
