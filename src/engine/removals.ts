/** Which inventory rows go away, and in which order: whatever depends on a thing comes first. */
import { kindOf } from './engine.ts'
import type { Engine, PlannedStack } from './engine.ts'
import { originalAddress } from './inventory.ts'
import type { InventoryRow } from './inventory.ts'
import type { Address, PlanNode } from './types.ts'

export interface Wanted {
  /** Addresses that stay. */
  readonly wanted: ReadonlySet<Address>
  /** True when the row's thing is wanted under another address. */
  readonly stays: (row: InventoryRow) => boolean
  /** Wanted addresses of which only apply will know whether they mean this row's thing. */
  readonly claimants: (row: InventoryRow) => readonly Address[]
}

export const nothingWanted: Wanted = { wanted: new Set(), stays: () => false, claimants: () => [] }

/** True when the plan lets go of the thing: deletes it, or forgets it. */
export function isRemoval({ action }: Pick<PlanNode, 'action'>): boolean {
  return action === 'delete' || action === 'forget'
}

/** The plan of a verb over a part: what the part does not need is not its verb's to remove. */
export function withoutRemovals(planned: PlannedStack): PlannedStack {
  return { ...planned, plan: { ...planned.plan, nodes: planned.plan.nodes.filter((node) => !isRemoval(node)) } }
}

/**
 * A delete (or, for what this stack did not make and for kept kinds, a forget) for each row that is not wanted.
 * Rows whose thing was replaced are never wanted.
 */
export function removalNodes<Clients>(engine: Engine<Clients>, { wanted, stays, claimants }: Wanted, rows: readonly InventoryRow[] = engine.inventory.rows()): readonly PlanNode[] {
  const leaving = rows.filter((row) => !wanted.has(row.address))
  const order = removalOrder(leaving)
  return leaving.map((row): PlanNode => {
    const replacement = originalAddress(row.address)
    const replaced = replacement !== row.address && wanted.has(replacement)
    const dependents = dependentsOf(row, rows).filter((address) => wanted.has(address) || isBefore(order, address, row.address))
    const after = [...new Set([...dependents, ...claimants(row), ...(replaced ? [replacement] : [])])]
    const node = { address: row.address, kind: row.kind, differences: [], drifted: false, after }
    if (stays(row)) return { ...node, action: 'forget', reasons: ['has another address in the config now'] }
    if (!row.made) return { ...node, action: 'forget', reasons: ['was not made by this stack'] }
    if (kindOf(engine, row.kind, row.address).keepOnDestroy === true) return { ...node, action: 'forget', reasons: ['things of this kind are kept'] }
    return { ...node, action: 'delete', reasons: [replaced ? `was replaced; ${replacement} is in its place` : 'no longer in the config'] }
  })
}

/** Rows that were applied with a dependency on this one. */
function dependentsOf(row: InventoryRow, rows: readonly InventoryRow[]): Address[] {
  const address = originalAddress(row.address)
  return rows.filter((other) => other.address !== row.address && originalAddress(other.address) !== address && other.dependsOn.includes(address)).map((other) => other.address)
}

/** Dependents first. Rows of several configs may form a circle, which no order can satisfy; it is cut at the row that was visited first. */
function removalOrder(leaving: readonly InventoryRow[]): readonly Address[] {
  const order = new Set<Address>()
  const entered = new Set<Address>()
  function visit(row: InventoryRow): void {
    if (entered.has(row.address)) return
    entered.add(row.address)
    const dependents = new Set(dependentsOf(row, leaving))
    for (const other of leaving) if (dependents.has(other.address)) visit(other)
    order.add(row.address)
  }
  for (const row of leaving) visit(row)
  return [...order]
}

function isBefore(order: readonly Address[], first: Address, second: Address): boolean {
  const index = order.indexOf(first)
  return index >= 0 && index < order.indexOf(second)
}
