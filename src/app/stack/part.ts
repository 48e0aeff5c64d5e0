/**
 * One part of a stack and what it stands on. On the pocket cloud the direct engine makes both. On Google Terraform owns what a part stands on:
 * there only Kiln's own work is planned, and the few things that it goes into are looked at first. So a machine that publishes, bakes and deploys
 * needs neither Terraform nor rights over the infrastructure.
 */
import { KilnError } from '../../base/errors.ts'
import { dependenciesOf } from '../../engine/graph.ts'
import type { PlannedStack } from '../../engine/engine.ts'
import { planStack } from '../../engine/plan.ts'
import { withoutRemovals } from '../../engine/removals.ts'
import type { Address, DesiredResource, PlanNode } from '../../engine/types.ts'
import type { StackSession } from './session.ts'

/** What the verbs over a part make on Google. The ledger's bucket is Kiln's own too, but `up` makes it. */
const ownWork: ReadonlySet<string> = new Set(['python-package', 'image', 'release'])
/** What wheels are uploaded into, and disks imported through. */
const places: ReadonlySet<string> = new Set(['artifact-repository', 'bucket'])

/** The named resources and everything that they depend on, in the given order. */
export function closureOf(desired: readonly DesiredResource[], addresses: readonly Address[]): readonly DesiredResource[] {
  const byAddress = new Map(desired.map((resource) => [resource.address, resource]))
  const wanted = new Set<Address>()
  const visit = (address: Address): void => {
    const resource = byAddress.get(address)
    if (resource === undefined || wanted.has(address)) return
    wanted.add(address)
    for (const dependency of dependenciesOf(resource)) visit(dependency)
  }
  for (const address of addresses) visit(address)
  return desired.filter((resource) => wanted.has(resource.address))
}

/** Of the same, Kiln's own work and the places that it goes into. */
export function ownWorkOf(desired: readonly DesiredResource[], addresses: readonly Address[]): readonly DesiredResource[] {
  const closure = closureOf(desired, addresses)
  const direct = new Set(closure.filter((resource) => resource.kind === 'python-package' || resource.kind === 'image').flatMap((resource) => resource.dependsOn))
  const kept = closure.filter((resource) => ownWork.has(resource.kind) || (places.has(resource.kind) && direct.has(resource.address)))
  const addressesKept = new Set(kept.map((resource) => resource.address))
  // what a place stands on is Terraform's to know
  return kept.map((resource) => ({ ...resource, dependsOn: places.has(resource.kind) ? [] : resource.dependsOn.filter((address) => addressesKept.has(address)) }))
}

/**
 * Plans a part with what it stands on, and removes nothing.
 * @throws KilnError E_NOT_FOUND on Google, when a place that it goes into is not there
 */
export async function planPart(
  { engine, desired, target }: Pick<StackSession, 'engine' | 'desired' | 'target'>,
  addresses: readonly Address[],
  change: (resource: DesiredResource) => DesiredResource = (resource) => resource,
): Promise<PlannedStack> {
  const part = (target === 'gcp' ? ownWorkOf : closureOf)(desired, addresses).map(change)
  const planned = withoutRemovals(await planStack(engine, part))
  if (target === 'gcp') requirePlaces(planned.plan.nodes)
  return planned
}

function requirePlaces(nodes: readonly PlanNode[]): void {
  const absent = nodes.filter((node) => places.has(node.kind) && node.action === 'create')
  if (absent.length === 0) return
  throw new KilnError('E_NOT_FOUND', `${absent.map((node) => node.address).join(' and ')} ${absent.length === 1 ? 'is' : 'are'} not there yet`, {
    hint: 'Terraform makes what the stack stands on: kiln up --target gcp',
  })
}
