/** Takes a stack down: what the inventory says that it made, and nothing else. Needs no config. */
import { applyPlan } from './apply.ts'
import type { ApplyResult } from './apply.ts'
import type { Engine, PlannedStack } from './engine.ts'
import { nothingWanted, removalNodes } from './removals.ts'

/**
 * Plans the removal of everything in the inventory, dependents first. Things that were there before, and things of kinds that are kept, are forgotten, not deleted.
 * @throws KilnError E_PLAN for a kind that this Kiln does not know.
 */
export function planDestroy<Clients>(engine: Engine<Clients>): PlannedStack {
  const nodes = removalNodes(engine, nothingWanted).map((node) => (node.action === 'delete' ? { ...node, reasons: ['made by this stack'] } : node))
  return { plan: { stack: engine.stack, nodes }, desired: new Map(), observed: new Map(), props: new Map() }
}

/**
 * Plans and applies the removal. What cannot be deleted blocks what it depends on; the rest goes. Run again to go on.
 * @throws ApplyError (E_APPLY) that names what failed and what was blocked by it; KilnError E_CANCELLED.
 */
export async function destroyStack<Clients>(engine: Engine<Clients>): Promise<ApplyResult> {
  return applyPlan(engine, planDestroy(engine))
}
