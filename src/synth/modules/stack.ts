/**
 * From desired resources to Terraform blocks: each kind's own mapping, with references in place of what other resources are called,
 * and variables in place of what all of them repeat. Pure.
 */
import { sameJson } from '../../base/json.ts'
import { KilnError } from '../../base/errors.ts'
import type { StackConfig } from '../../config/schema.ts'
import { imageBucketName } from '../../compile/names.ts'
import type { Address, DesiredResource } from '../../engine/types.ts'
import { resourceKinds } from '../../resources/kinds.ts'
import { terraformName } from '../../resources/terraform.ts'
import { outside, places } from './places.ts'
import type { ComponentName, Handle, Place } from './places.ts'

/** Stands in a body for an attribute of another resource. */
export interface Reference {
  readonly to: Address
  /** As Terraform calls it. */
  readonly attribute: string
}

/** What bodies consist of before it is known which component reads them. */
export type Part = string | { readonly reference: Reference } | { readonly variable: VariableName } | { readonly image: string }

/** Variables that components share. */
export type VariableName = 'project' | 'region' | 'zone' | 'labels' | 'description'

export type Tree =
  | { readonly is: 'plain'; readonly value: string | number | boolean | null }
  /** One part, or several that form a string. */
  | { readonly is: 'text'; readonly parts: readonly Part[] }
  | { readonly is: 'upper'; readonly of: Tree }
  | { readonly is: 'merge'; readonly variable: VariableName; readonly more: Readonly<Record<string, string>> }
  | { readonly is: 'file'; readonly path: string }
  | { readonly is: 'list'; readonly items: readonly Tree[] }
  | { readonly is: 'map'; readonly entries: readonly (readonly [string, Tree])[] }

/** One `resource` block. */
export interface ResourceBlock {
  readonly type: string
  readonly label: string
  readonly component: ComponentName
  /** Desired resources that it stands for: one, or all of a `for_each`. */
  readonly members: readonly { readonly resource: DesiredResource; readonly key: string | undefined }[]
  readonly forEach: string | undefined
  readonly body: readonly (readonly [string, Tree])[]
  readonly place: Place
}

export interface Mapped {
  readonly blocks: readonly ResourceBlock[]
  /** What has no block, and why. */
  readonly left: readonly { readonly address: Address; readonly why: string }[]
}

/** Everything that stands for itself in bodies, and is said once instead. */
export interface Shared {
  readonly config: StackConfig
  readonly labels: Readonly<Record<string, string>>
  readonly description: string
}

/** @throws KilnError E_PLAN for a kind without a row in `places` */
export function mapResources(desired: readonly DesiredResource[], shared: Shared): Mapped {
  const blocks: ResourceBlock[] = []
  const left: { readonly address: Address; readonly why: string }[] = []
  const handles = desired.flatMap((owner) => (places[owner.kind]?.handles?.(owner.props) ?? []).map((handle) => ({ ...handle, owner })))
  for (const resource of desired) {
    const entry = resourceKinds.get(resource.kind)
    // what bakes and publishes is no infrastructure
    if (entry === undefined) continue
    const why = outside[resource.kind]
    if (why !== undefined) {
      left.push({ address: resource.address, why })
      continue
    }
    const place = places[resource.kind]
    if (place === undefined) throw new KilnError('E_PLAN', `the kind ${resource.kind} has no component in Terraform`, { hint: 'add a row to src/synth/modules/places.ts' })
    const label = terraformLabel(place.forEach?.label(resource) ?? place.label?.(resource) ?? resource.address.slice(resource.kind.length + 1))
    const made = entry.terraform(label, withTokens(resource.props, desired))
    if ('noEquivalent' in made) {
      left.push({ address: resource.address, why: made.noEquivalent })
      continue
    }
    const tree = new Reader(resource, handles, shared).body(made.body)
    const component = typeof place.component === 'string' ? place.component : place.component(resource, desired)
    const key = place.forEach === undefined ? undefined : String(made.body[place.forEach.key])
    const same = blocks.find((block) => key !== undefined && block.type === made.type && block.label === label && block.component === component)
    if (same !== undefined) {
      if (!sameJson(withoutKey(same.body, place), withoutKey(tree, place)))
        throw new KilnError('E_PLAN', `${resource.address} cannot share a block with ${same.members[0]?.resource.address ?? label}`)
      blocks[blocks.indexOf(same)] = { ...same, members: [...same.members, { resource, key }] }
      continue
    }
    blocks.push({ type: made.type, label, component, members: [{ resource, key }], forEach: place.forEach?.key, body: tree, place })
  }
  return { blocks, left }
}

/** Terraform's own style has no dashes in names. */
export function terraformLabel(text: string): string {
  return terraformName(text).replaceAll('-', '_').toLowerCase()
}

function withoutKey(body: ResourceBlock['body'], place: Place): ResourceBlock['body'] {
  return body.filter(([name]) => name !== place.forEach?.key)
}

const opening = '${kiln-ref '
const token = /\$\{kiln-ref (\S+) (\w+)\}/g

/** Refs become tokens, which the kinds' mappings take for interpolations; a user's own `${…}` is none. */
function withTokens(value: unknown, desired: readonly DesiredResource[]): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => withTokens(item, desired))
  if (typeof value !== 'object' || value === null) return value
  if ('$ref' in value && 'attribute' in value) return `${opening}${String(value.$ref)} ${String(value.attribute)}}`
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withTokens(member, desired)]))
}

type OwnedHandle = Handle & { readonly owner: DesiredResource }

/** Reads one resource's body. */
class Reader {
  readonly #resource: DesiredResource
  readonly #handles: readonly OwnedHandle[]
  readonly #shared: Shared

  constructor(resource: DesiredResource, handles: readonly OwnedHandle[], shared: Shared) {
    this.#resource = resource
    this.#handles = handles
    this.#shared = shared
  }

  body(body: Readonly<Record<string, unknown>>): readonly (readonly [string, Tree])[] {
    return Object.entries(body).flatMap(([key, value]) => (value === undefined ? [] : [[key, this.#value(key, value)] as const]))
  }

  #value(key: string, value: unknown): Tree {
    if (typeof value === 'string') return this.#text(key, value)
    if (typeof value === 'number' || typeof value === 'boolean' || value === null) return { is: 'plain', value }
    if (Array.isArray(value)) return { is: 'list', items: value.map((item: unknown) => this.#value(key, item)) }
    if (typeof value !== 'object') throw new KilnError('E_PLAN', `${this.#resource.address} has a ${typeof value} at ${key}`)
    if (key === 'labels') return this.#labels(value)
    return { is: 'map', entries: this.body(value as Readonly<Record<string, unknown>>) }
  }

  #labels(value: object): Tree {
    const labels = Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]))
    const more = Object.fromEntries(Object.entries(labels).filter(([name, text]) => this.#shared.labels[name] !== text))
    const hasAll = Object.entries(this.#shared.labels).every(([name, text]) => labels[name] === text)
    if (!hasAll) return { is: 'map', entries: Object.entries(labels).map(([name, text]) => [name, { is: 'plain', value: text }] as const) }
    return Object.keys(more).length === 0 ? variable('labels') : { is: 'merge', variable: 'labels', more }
  }

  #text(key: string, value: string): Tree {
    const { config, description } = this.#shared
    const { region, zone } = config.location
    if (value.includes(opening)) return { is: 'text', parts: this.#parts(value) }
    if (key === 'project' && value === config.project.id) return variable('project')
    if (key === 'zone' && value === zone) return variable('zone')
    if ((key === 'region' || key === 'location' || key === 'location_id') && value === region) return variable('region')
    if (key === 'location' && value === region.toUpperCase()) return { is: 'upper', of: variable('region') }
    if (key === 'description' && value === description) return variable('description')
    if (key === 'source' && this.#resource.kind === 'bucket-object') return { is: 'file', path: value }
    const meant = this.#handles.find((handle) => handle.literal === value && handle.owner !== this.#resource && (handle.keys === undefined || handle.keys.includes(key)))
    if (meant !== undefined) return { is: 'text', parts: [{ reference: { to: meant.owner.address, attribute: meant.attribute } }] }
    return this.#ownName(value) ? { is: 'text', parts: [{ variable: 'project' }, value.slice(config.project.id.length)] } : { is: 'plain', value }
  }

  /** True for names that are made of the project's id, and would be others in another project. */
  #ownName(value: string): boolean {
    const { id } = this.#shared.config.project
    return value.startsWith(id) && [imageBucketName(id), `${id}.firebaseapp.com`, `${id}.web.app`].includes(value)
  }

  /** Text between tokens; the project in a resource's name is the variable. */
  #words(text: string): readonly Part[] {
    const prefix = `projects/${this.#shared.config.project.id}/`
    return text.startsWith(prefix) ? ['projects/', { variable: 'project' }, text.slice(prefix.length - 1)] : [text]
  }

  #parts(value: string): readonly Part[] {
    const parts: Part[] = []
    let end = 0
    for (const match of value.matchAll(token)) {
      if (match.index > end) parts.push(...this.#words(value.slice(end, match.index)))
      parts.push(part(match[1] as Address, match[2] ?? ''))
      end = match.index + match[0].length
    }
    if (end < value.length) parts.push(...this.#words(value.slice(end)))
    return parts
  }
}

function variable(name: VariableName): Tree {
  return { is: 'text', parts: [{ variable: name }] }
}

function part(to: Address, attribute: string): Part {
  const kind = to.slice(0, to.indexOf('/'))
  // Images are baked, not made by Terraform: whoever runs it says which one, or takes the newest of the family.
  if (kind === 'image') return { image: to.slice(kind.length + 1) }
  const named = places[kind]?.attributes?.[attribute] ?? attribute.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  return { reference: { to, attribute: named } }
}
