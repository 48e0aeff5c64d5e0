/** `kiln destroy` on Google Cloud, from whatever machine: Terraform's part is what its state says, Kiln's own what this machine's inventory and the cloud itself say. */
import type { Clients } from '../../client/clients.ts'
import { orNothing } from '../../client/errors.ts'
import { imageBucketName } from '../../compile/names.ts'
import { loadStack } from '../../config/load.ts'
import { applyPlan } from '../../engine/apply.ts'
import { claimRows, foundRows, planDestroy } from '../../engine/destroy.ts'
import type { Engine, PlannedStack } from '../../engine/engine.ts'
import type { Identity, InventoryRow } from '../../engine/inventory.ts'
import { acquireLease } from '../../engine/lease.ts'
import type { Plan } from '../../engine/types.ts'
import { resourceKinds } from '../../resources/kinds.ts'
import { removeImports } from '../kinds/live-images.ts'
import { removeSecondGroup } from '../kinds/release-remains.ts'
import type { VerbOptions } from '../up.ts'
import { findStack } from './found.ts'
import type { Wanted } from './found.ts'
import { isOwnedByTerraform } from './owned-kind.ts'
import { openGoogleSession } from './session.ts'
import { removeStateBucket, stateBucketExists } from './state-bucket.ts'

/** Kiln's own part of a removal. */
export interface Removal {
  readonly direct: PlannedStack
  /** What this machine's inventory did not know as the stack's; claimed before anything is removed. */
  readonly rows: readonly InventoryRow[]
  /** Addresses of what stays, since it does not say whose it is. */
  readonly unknown: readonly string[]
}

/**
 * Removes what was made for the stack: Terraform's part, its state's bucket, then images and wheels, and the project if Kiln made it.
 * @throws KilnError E_APPLY with what could not be removed; run again to go on
 */
export async function destroy(options: VerbOptions): Promise<{ readonly removed: number; readonly plan: Plan }> {
  const stack = await loadStack(options.dir)
  const lease = await acquireLease(options.home, stack.config.project.id, 'destroy')
  try {
    const session = await openGoogleSession(options)
    try {
      const { base, terraform } = session
      const module = session.module(new Map(), { isThere: false, image: undefined })
      const hasState = await stateBucketExists(session.clients, session.bucket, options.signal)
      if (hasState) await terraform.init(module)
      const infrastructure = hasState ? await terraform.plan(module, { destroy: true }) : undefined
      const removal = await planRemoval(base.engine, { projectId: base.name, zone: stack.config.location.zone, desired: base.desired })
      if (removal.unknown.length > 0) options.note(`${removal.unknown.join(', ')}: there, without the label of this stack alone, and stays`)
      const whole = { stack: base.name, nodes: [...(infrastructure?.nodes ?? []), ...shownNodes(removal)] }
      await options.onPlan?.(whole)
      await clearWay(base.engine, removal, options.note, base.serving)
      const removed = infrastructure === undefined ? 0 : (await terraform.apply(infrastructure)).changes
      // before the project, which takes the bucket with it; nothing is left that its state could tell of
      if (await removeStateBucket(session.clients, session.bucket, options.signal)) options.note(`removed the bucket of Terraform's state, gs://${session.bucket.name}`)
      const result = await applyPlan(base.engine, removal.direct)
      return { removed: removed + result.changes, plan: whole }
    } finally {
      session.close()
    }
  } finally {
    await lease.release()
  }
}

/** Reads the cloud and the inventory. Changes neither. */
export async function planRemoval(engine: Engine<Clients>, wanted: Wanted): Promise<Removal> {
  const found = await findStack(engine.clients, wanted, engine.signal)
  const rows = foundRows(engine.inventory, found.things)
  const known = new Set(engine.inventory.rows().flatMap(({ address, made }) => (made ? [address as string] : [])))
  return { direct: planDestroy(engine, rows), rows, unknown: found.unknown.filter((address) => !known.has(address)) }
}

/** The part of the plan that is Kiln's to carry out. */
export function shownNodes({ direct }: Removal): Plan['nodes'] {
  return direct.plan.nodes.filter((node) => !isOwnedByTerraform(node.kind, resourceKinds))
}

/** What must be gone before Terraform takes down what it uses or lies in, and no engine knows: the second group of blue/green, and archives of imports that were stopped. */
export async function clearWay(
  engine: Engine<Clients>,
  { direct, rows }: Removal,
  note: (text: string) => void,
  serving?: { readonly projectId: string; readonly name: string },
): Promise<void> {
  claimRows(engine.inventory, rows)
  const context = { clients: engine.clients, signal: engine.signal, progress: { note } }
  const going = direct.plan.nodes.filter(({ action }) => action === 'delete')
  const identities = (kind: string): readonly Identity[] => going.filter((node) => node.kind === kind).map(({ address }) => engine.inventory.get(address)?.identity ?? {})
  const groups = new Map(identities('release-ledger').map(({ group = '', projectId = '' }) => [group, projectId]))
  if (serving !== undefined) groups.set(serving.name, serving.projectId)
  for (const [group, projectId] of groups) await removeSecondGroup(context, projectId, group)
  for (const { family = '', projectId = '' } of identities('image')) await orNothing(removeImports(context, imageBucketName(projectId), family))
}
