/** What planning and applying need, and what they share. */
import { KilnError } from '../base/errors.ts'
import { sameJson } from '../base/json.ts'
import type { Attributes, Identity, Inventory, InventoryRow } from './inventory.ts'
import type { Address, AnyKind, DesiredResource, Difference, EngineEvent, KindContext, Plan, Ref } from './types.ts'

export interface Engine<Clients> {
  /** The stack's name: the key of its inventory and lease. */
  readonly stack: string
  readonly kinds: readonly AnyKind<Clients>[]
  readonly clients: Clients
  readonly inventory: Inventory
  readonly signal: AbortSignal
  readonly onEvent?: (event: EngineEvent) => void
  /** How many resources are looked at or changed at the same time. Default: 6. */
  readonly concurrency?: number
}

/** A plan with what was seen while it was made. `plan` is plain data to show; the rest is for `applyPlan`. */
export interface PlannedStack {
  readonly plan: Plan
  readonly desired: ReadonlyMap<Address, DesiredResource>
  /** The attributes of the live things that were found. */
  readonly observed: ReadonlyMap<Address, Attributes>
  /** Props with references filled in, where all were known. Apply looks again at a noop whose props come out otherwise. */
  readonly props: ReadonlyMap<Address, unknown>
}

export const defaultConcurrency = 6

/** @throws KilnError E_PLAN when nothing knows how this kind lives. */
export function kindOf<Clients>(engine: Engine<Clients>, kind: string, address: Address): AnyKind<Clients> {
  const found = engine.kinds.find((candidate) => candidate.kind === kind)
  if (found !== undefined) return found
  throw new KilnError('E_PLAN', `${address} is of the kind "${kind}", which this Kiln does not know`, { hint: 'the inventory may be from a newer Kiln; use that one' })
}

/** What a kind's methods get. Notes become events of this resource. */
export function contextFor<Clients>(engine: Engine<Clients>, address: Address): KindContext<Clients> {
  return {
    clients: engine.clients,
    signal: engine.signal,
    progress: { note: (text) => engine.onEvent?.({ type: 'note', address, text }) },
  }
}

/** The value of a reference. @throws KilnError E_PLAN when the target has no such attribute. */
export function attributeOf(attributes: Attributes, found: Ref, from: Address): unknown {
  const value = attributes[found.attribute]
  if (value !== undefined) return value
  throw new KilnError('E_PLAN', `${from} refers to the attribute "${found.attribute}" of ${found.$ref}, which has: ${Object.keys(attributes).join(', ') || 'none'}`)
}

/** Why something that is not ours, or that is kept, may not be deleted to make it anew; undefined when it may. */
export function replacementRefusal<Clients>(kind: AnyKind<Clients>, row: InventoryRow | undefined, address: Address, differences: readonly Difference[]): KilnError | undefined {
  if (row?.made === true && kind.keepOnDestroy !== true && kind.neverReplaced === undefined) return undefined
  const paths = differences.filter((difference) => difference.forcesReplacement === true).map((difference) => describeDifference(difference))
  const why = kind.neverReplaced ?? (row?.made === true ? 'Kiln never deletes a thing of this kind' : 'this stack did not make it')
  return new KilnError('E_PLAN', `${address} exists and cannot be changed in place (${paths.join('; ')}), and ${why}`, {
    hint: 'change the config to what exists, choose another name, or delete it yourself if nobody needs it',
  })
}

/** `labels.env: "dev" -> "prod"`. */
export function describeDifference(difference: Difference): string {
  return `${difference.path}: ${shown(difference.from)} -> ${shown(difference.to)}`
}

function shown(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

/** True when both name the same live thing. */
export function sameIdentity(left: Identity, right: Identity): boolean {
  return sameJson(left, right)
}
