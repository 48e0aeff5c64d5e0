/** Golden images by family. What is in an image is not in Google's API, so that a person has to say it. */
import { imageTag } from '../../compile/names.ts'
import type { StackInput } from '../../config/schema.ts'
import { all, isMadeByKiln, lastPart } from './reading.ts'
import type { Foreign, Part, Reader } from './reading.ts'

type Images = StackInput['images']

interface Image {
  readonly name?: string
  readonly family?: string
  readonly description?: string
  readonly labels?: Readonly<Record<string, string>>
}

interface Firewall {
  readonly name?: string
  readonly allowed?: readonly { readonly ports?: readonly string[] }[]
}

interface HealthCheck {
  readonly name?: string
  readonly httpHealthCheck?: { readonly port?: number; readonly requestPath?: string }
}

/** Families that machines run, and those with a rule for their port, have a server in them; the others are what they are made from. */
export const readImages: Reader = async (reading, { dev, server }): Promise<Part> => {
  const base = `https://compute.googleapis.com/compute/v1/projects/${reading.projectId}/global`
  const live = await all<Image>(reading, `${base}/images`, 'items')
  const rules = await all<Firewall>(reading, `${base}/firewalls`, 'items')
  const checks = await all<HealthCheck>(reading, `${base}/healthChecks`, 'items')
  const foreign: Foreign[] = live
    .filter((image) => !isMadeByKiln(image) && image.labels?.['kiln-family'] === undefined)
    .map((image) => ({ what: `compute images ${image.name ?? ''}`, why: 'it was not baked by Kiln' }))
  const families = [...new Set([...live.flatMap((image) => image.labels?.['kiln-family'] ?? []), ...[dev?.image, server?.image].filter((name) => name !== undefined)])].toSorted()
  const ruleOf = (family: string): Firewall | undefined => rules.find((rule) => rule.name === imageTag(family))
  const isServer = (family: string): boolean => family === dev?.image || family === server?.image || ruleOf(family) !== undefined
  const bases = families.filter((family) => !isServer(family))
  const from = bases[0] ?? 'base'
  const images: Images = {}
  for (const name of bases.length === 0 ? [from] : bases) images[name] = { debian: 'bookworm' }
  for (const name of families.filter(isServer)) {
    const port = Number(ruleOf(name)?.allowed?.[0]?.ports?.[0] ?? checks[0]?.httpHealthCheck?.port ?? 8080)
    const path = name === server?.image ? checks.find((check) => !(check.name ?? '').endsWith('-healing'))?.httpHealthCheck?.requestPath : undefined
    images[name] = { from, entrypoint: `/opt/${name}/entrypoint.sh`, health: { path: path ?? '/healthz', port } }
  }
  const unknown = 'what is in the image is not in the cloud: write its suite, packages, Python packages and files'
  return { section: { images }, foreign, comments: Object.fromEntries(Object.keys(images).map((name) => [`images.${name}`, unknown])) }
}

/** The family of an image by its link, from what is there now. */
export function familyOf(images: readonly Image[], link: string | undefined): string | undefined {
  const found = images.find((image) => image.name === lastPart(link))
  return found?.labels?.['kiln-family'] ?? found?.family
}
