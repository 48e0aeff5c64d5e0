/** Takes a stack down: what the inventory says that it made, and nothing else. Needs no config. */
import { applyPlan } from './apply.ts'
import type { ApplyResult } from './apply.ts'
import type { Engine, PlannedStack } from './engine.ts'
import type { Inventory, InventoryRow } from './inventory.ts'
import { nothingWanted, removalNodes } from './removals.ts'

/** A live thing that says itself that it is this stack's: another machine made it, or this one's inventory was lost. */
export type FoundThing = Pick<InventoryRow, 'address' | 'kind' | 'identity' | 'dependsOn'>

/**
 * Plans the removal of everything in the inventory, dependents first. Things that were there before, and things of kinds that are kept, are forgotten, not deleted.
 * @param found rows of `foundRows`; claim them before the plan is applied
 * @throws KilnError E_PLAN for a kind that this Kiln does not know.
 */
export function planDestroy<Clients>(engine: Engine<Clients>, found: readonly InventoryRow[] = []): PlannedStack {
  const rows = [...engine.inventory.rows().filter((row) => !found.some(({ address }) => address === row.address)), ...found]
  const nodes = removalNodes(engine, nothingWanted, rows).map((node) => (node.action === 'delete' ? { ...node, reasons: ['made by this stack'] } : node))
  return { plan: { stack: engine.stack, nodes }, desired: new Map(), observed: new Map(), props: new Map() }
}

/**
 * Rows for what was found and the inventory does not have as made by this stack. On a machine that only came later it has them as things that were there
 * before, or not at all; these keep what it knows of them. Writes nothing.
 */
export function foundRows(inventory: Inventory, found: readonly FoundThing[]): readonly InventoryRow[] {
  return found.flatMap((thing): InventoryRow[] => {
    const row = inventory.find(thing.kind, thing.identity)
    if (row?.made === true) return []
    // the address is another thing's here, which the inventory knows better
    if (row === undefined && inventory.get(thing.address) !== undefined) return []
    const dependsOn = [...new Set([...(row?.dependsOn ?? []), ...thing.dependsOn])]
    return [{ ...thing, address: row?.address ?? thing.address, dependsOn, attributes: row?.attributes, made: true, state: 'ready' }]
  })
}

/** Writes the rows down as made by this stack, so that a removal that is stopped goes on at its next run. */
export function claimRows(inventory: Inventory, rows: readonly InventoryRow[]): void {
  for (const row of rows) inventory.record(row)
}

/**
 * Plans and applies the removal. What cannot be deleted blocks what it depends on; the rest goes. Run again to go on.
 * @throws ApplyError (E_APPLY) that names what failed and what was blocked by it; KilnError E_CANCELLED.
 */
export async function destroyStack<Clients>(engine: Engine<Clients>): Promise<ApplyResult> {
  return applyPlan(engine, planDestroy(engine))
}
