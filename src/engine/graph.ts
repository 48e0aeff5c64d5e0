/** References between resources, and the order that they demand. */
import { KilnError } from '../base/errors.ts'
import type { Address, DesiredResource, Ref } from './types.ts'

/** A reference and where in the props it stands, for example `disks[0].image`. */
export interface FoundRef {
  readonly path: string
  readonly ref: Ref
}

/** Makes a reference for use in props. Example: `ref('iam.serviceAccount/reader', 'email')`. */
export function ref(address: Address, attribute: string): Ref {
  return { $ref: address, attribute }
}

/** True for a value that stands for another resource's attribute. */
export function isRef(value: unknown): value is Ref {
  return typeof value === 'object' && value !== null && '$ref' in value && typeof value.$ref === 'string' && 'attribute' in value && typeof value.attribute === 'string'
}

/** Every reference in props, at any depth. */
export function refsIn(value: unknown, path = ''): readonly FoundRef[] {
  if (isRef(value)) return [{ path, ref: value }]
  if (Array.isArray(value)) return value.flatMap((item, index) => refsIn(item, `${path}[${index}]`))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, member]) => refsIn(member, path === '' ? key : `${path}.${key}`))
}

/** The props with each reference replaced by what `lookup` gives for it. */
export function resolveRefs(value: unknown, lookup: (ref: Ref) => unknown): unknown {
  if (isRef(value)) return lookup(value)
  if (Array.isArray(value)) return value.map((item) => resolveRefs(item, lookup))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, resolveRefs(member, lookup)]))
}

/** Addresses that must be done before this resource, each once, in the order of first mention. */
export function dependenciesOf(resource: DesiredResource): readonly Address[] {
  return [...new Set([...resource.dependsOn, ...refsIn(resource.props).map((found) => found.ref.$ref)])]
}

/**
 * The resources so that each comes after those it depends on; otherwise in the given order.
 * @throws KilnError E_PLAN for an address that is there twice, an unknown reference, or a circle (named).
 */
export function inOrder(resources: readonly DesiredResource[]): readonly DesiredResource[] {
  const byAddress = new Map<Address, DesiredResource>()
  for (const resource of resources) {
    if (byAddress.has(resource.address)) throw new KilnError('E_PLAN', `two resources have the address ${resource.address}`)
    byAddress.set(resource.address, resource)
  }
  const done = new Set<Address>()
  const order: DesiredResource[] = []
  for (const resource of resources) visit(resource, byAddress, [], done, order)
  return order
}

function visit(resource: DesiredResource, all: ReadonlyMap<Address, DesiredResource>, chain: readonly Address[], done: Set<Address>, order: DesiredResource[]): void {
  if (done.has(resource.address)) return
  const start = chain.indexOf(resource.address)
  if (start >= 0) throw new KilnError('E_PLAN', `resources depend on each other in a circle: ${[...chain.slice(start), resource.address].join(' -> ')}`)
  for (const address of dependenciesOf(resource)) {
    const target = all.get(address)
    if (target === undefined) throw new KilnError('E_PLAN', `${resource.address} depends on ${address}, which is not part of the stack`)
    visit(target, all, [...chain, resource.address], done, order)
  }
  done.add(resource.address)
  order.push(resource)
}
