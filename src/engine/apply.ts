/**
 * Carries a plan out. Each resource is looked at again right before it is touched: observe, make sure that it is there, change what differs.
 * The inventory is right at every moment, so whatever stops this, the next run goes on from there.
 */
import { KilnError, describeError } from '../base/errors.ts'
import { canonicalJson } from '../base/json.ts'
import { attributeOf, contextFor, defaultConcurrency, kindOf, replacementRefusal, sameIdentity } from './engine.ts'
import type { Engine, PlannedStack } from './engine.ts'
import { dependenciesOf, resolveRefs } from './graph.ts'
import type { Attributes, Identity, InventoryRow } from './inventory.ts'
import { runTasks } from './schedule.ts'
import type { Outcome } from './schedule.ts'
import type { Action, Address, AnyKind, DesiredResource, Difference, PlanNode } from './types.ts'

export interface AppliedNode {
  readonly address: Address
  /** What was really done: a planned update may turn out to be a noop once references are known. */
  readonly action: Action
  readonly durationMs: number
}

export interface ApplyResult {
  /** In the order in which they ended. */
  readonly applied: readonly AppliedNode[]
  /** How many were created, updated, replaced or deleted. */
  readonly changes: number
  /** The attributes of every desired resource. */
  readonly attributes: ReadonlyMap<Address, Attributes>
}

export interface ApplyFailure {
  readonly address: Address
  readonly error: unknown
}

/** E_APPLY with what went wrong where. What was done stays done and is in the inventory. */
export class ApplyError extends KilnError {
  readonly failures: readonly ApplyFailure[]
  /** What was not tried, since it depends on a failure. */
  readonly skipped: readonly Address[]

  constructor(failures: readonly ApplyFailure[], skipped: readonly Address[], total: number) {
    const lines = failures.map((failure) => `${failure.address}: ${describeError(failure.error)}`)
    const only = failures.length === 1 ? failures[0]?.error : undefined
    const detail = [
      ...(only instanceof KilnError && only.detail !== undefined ? [only.detail] : []),
      ...(lines.length > 1 ? lines : []),
      ...(skipped.length > 0 ? [`not tried, since they depend on it: ${skipped.join(', ')}`] : []),
    ].join('\n')
    const hint = only instanceof KilnError && only.hint !== undefined ? only.hint : 'correct the cause and run the same command again; it goes on where this one stopped'
    super('E_APPLY', lines.length === 1 ? (lines[0] ?? '') : `${failures.length} of ${total} changes failed; the first: ${lines[0] ?? ''}`, {
      hint,
      ...(detail === '' ? {} : { detail }),
      cause: only ?? new AggregateError(failures.map((failure) => failure.error)),
    })
    this.failures = failures
    this.skipped = skipped
  }
}

interface Run<Clients> {
  readonly engine: Engine<Clients>
  readonly planned: PlannedStack
  /** Attributes after apply, as references see them. */
  readonly attributes: Map<Address, Attributes>
  readonly applied: AppliedNode[]
  /** Things that were replaced create-first: their new address in the inventory, and after which resource they may go. */
  readonly aside: { readonly address: Address; readonly original: Address }[]
}

/**
 * Applies a plan in dependency order. A failure skips what depends on it; the rest goes on.
 * @throws ApplyError (E_APPLY) when something failed; KilnError E_CANCELLED when the signal fired, after everything that ran has ended.
 */
export async function applyPlan<Clients>(engine: Engine<Clients>, planned: PlannedStack): Promise<ApplyResult> {
  const run: Run<Clients> = { engine, planned, attributes: new Map(), applied: [], aside: [] }
  const nodes = planned.plan.nodes
  const first = await runTasks(nodes, scheduleOptions(engine), (node) => applyNode(run, node))
  // Things replaced create-first go last, so that everything that used them has moved on.
  const usersDone = (original: Address): boolean => [...usersOf(nodes, original)].every((address) => first.get(address)?.status === 'done')
  const leftovers = run.aside.filter((entry) => usersDone(entry.original)).flatMap((entry) => engine.inventory.get(entry.address) ?? [])
  const tasks = leftovers.map((row) => ({
    address: row.address,
    kind: row.kind,
    after: [],
    action: row.made && kindOf(engine, row.kind, row.address).keepOnDestroy !== true ? ('delete' as const) : ('forget' as const),
  }))
  const second = await runTasks(tasks, scheduleOptions(engine), (task) => timed(run, task.address, task.action, () => removeRow(engine, task.address)))
  finish(engine, new Map([...first, ...second]))
  return { applied: run.applied, changes: run.applied.filter((entry) => entry.action !== 'noop' && entry.action !== 'forget').length, attributes: run.attributes }
}

function scheduleOptions<Clients>(engine: Engine<Clients>) {
  return {
    concurrency: engine.concurrency ?? defaultConcurrency,
    signal: engine.signal,
    onSkip: (address: Address, because: Address) => engine.onEvent?.({ type: 'skipped', address, because }),
  }
}

/** The resource itself and all that need it, directly or through others. */
function usersOf(nodes: readonly PlanNode[], address: Address): ReadonlySet<Address> {
  const users = new Set([address])
  for (const user of users) for (const node of nodes) if (node.after.includes(user)) users.add(node.address)
  return users
}

function finish<Clients>(engine: Engine<Clients>, outcomes: ReadonlyMap<Address, Outcome>): void {
  if (engine.signal.aborted) {
    throw new KilnError('E_CANCELLED', 'the run was cancelled; what was done is kept', { hint: 'run the same command again to go on', cause: engine.signal.reason })
  }
  const failures = [...outcomes].flatMap(([address, outcome]) => (outcome.status === 'failed' ? [{ address, error: outcome.error }] : []))
  const skipped = [...outcomes].flatMap(([address, outcome]) => (outcome.status === 'skipped' || outcome.status === 'notStarted' ? [address] : []))
  if (failures.length > 0 || skipped.length > 0) throw new ApplyError(failures, skipped, outcomes.size)
}

async function applyNode<Clients>(run: Run<Clients>, node: PlanNode): Promise<void> {
  const { engine, planned } = run
  const desired = planned.desired.get(node.address)
  if (desired === undefined) {
    await timed(run, node.address, node.action, () => removeRow(engine, node.address))
    return
  }
  if (node.action === 'noop' && settleNoop(run, desired)) return
  await timed(run, node.address, node.action, () => ensure(run, desired))
}

/** Runs one piece of work with its events, and notes what it really did. */
async function timed<Clients>(run: Run<Clients>, address: Address, planned: Action, work: () => Promise<Action>): Promise<void> {
  const { onEvent } = run.engine
  const startedMs = performance.now()
  onEvent?.({ type: 'start', address, action: planned })
  try {
    const action = await work()
    const durationMs = performance.now() - startedMs
    run.applied.push({ address, action, durationMs })
    onEvent?.({ type: 'done', address, action, durationMs })
  } catch (error) {
    onEvent?.({ type: 'failed', address, action: planned, error })
    throw error
  }
}

/** A noop needs no second look, unless a resource that it refers to came out otherwise than the plan saw. */
function settleNoop<Clients>(run: Run<Clients>, desired: DesiredResource): boolean {
  const observed = run.planned.observed.get(desired.address)
  if (observed === undefined || !run.planned.props.has(desired.address)) return false
  const props = resolveProps(run, desired)
  if (canonicalJson(props) !== canonicalJson(run.planned.props.get(desired.address))) return false
  const kind = kindOf(run.engine, desired.kind, desired.address)
  keep(run, desired, kind.identity(kind.parse(props)), observed)
  run.applied.push({ address: desired.address, action: 'noop', durationMs: 0 })
  return true
}

async function ensure<Clients>(run: Run<Clients>, desired: DesiredResource): Promise<Action> {
  const { engine } = run
  const kind = kindOf(engine, desired.kind, desired.address)
  const context = contextFor(engine, desired.address)
  const props: unknown = kind.parse(resolveProps(run, desired))
  const identity: Identity = kind.identity(props)
  const row = engine.inventory.get(desired.address)
  const renamed = row !== undefined && !sameIdentity(row.identity, identity)
  if (renamed) await makeRoom(run, kind, row)

  const observed: Attributes | undefined = await kind.observe(context, identity)
  if (observed === undefined) {
    await make(run, desired, kind, props, identity)
    return renamed ? 'replace' : 'create'
  }
  const differences: readonly Difference[] = kind.diff(props, observed)
  if (differences.length === 0) {
    keep(run, desired, identity, observed)
    return renamed ? 'replace' : 'noop'
  }
  if (differences.some((difference) => difference.forcesReplacement === true)) {
    const owner = rowOfThing(run, desired, identity)
    const refusal = replacementRefusal(kind, owner, desired.address, differences)
    if (refusal !== undefined) throw refusal
    engine.inventory.intendDelete(owner?.address ?? desired.address)
    await kind.remove(context, identity)
    await make(run, desired, kind, props, identity)
    return 'replace'
  }
  keep(run, desired, identity, observed)
  keep(run, desired, identity, (await kind.update(context, props, observed, differences)) as Attributes)
  return renamed ? 'replace' : 'update'
}

/** The old thing goes first, or is set aside to go last when the new one has to be there before. */
async function makeRoom<Clients>(run: Run<Clients>, kind: AnyKind<Clients>, row: InventoryRow): Promise<void> {
  if (kind.createBeforeDelete === true) {
    run.aside.push({ address: run.engine.inventory.setAside(row.address), original: row.address })
    return
  }
  await removeRow(run.engine, row.address)
}

async function make<Clients>(run: Run<Clients>, desired: DesiredResource, kind: AnyKind<Clients>, props: unknown, identity: Identity): Promise<void> {
  const { engine } = run
  takeOver(run, desired, identity)
  engine.inventory.intend({ address: desired.address, kind: desired.kind, identity, dependsOn: dependenciesOf(desired) })
  keep(run, desired, identity, (await kind.create(contextFor(engine, desired.address), props)) as Attributes)
}

/** Writes down how the thing is now. A thing that had no row was there before us: it is looked after, and never deleted. */
function keep<Clients>(run: Run<Clients>, desired: DesiredResource, identity: Identity, attributes: Attributes): void {
  const { inventory } = run.engine
  const owner = takeOver(run, desired, identity)
  inventory.record({ address: desired.address, kind: desired.kind, identity, attributes, dependsOn: dependenciesOf(desired), made: owner?.made ?? false })
  run.attributes.set(desired.address, attributes)
}

/** Brings the row of the live thing, if there is one, under the address that the thing has now. */
function takeOver<Clients>(run: Run<Clients>, desired: DesiredResource, identity: Identity): InventoryRow | undefined {
  const owner = rowOfThing(run, desired, identity)
  if (owner !== undefined && owner.address !== desired.address) run.engine.inventory.move(owner.address, desired.address)
  return owner
}

/**
 * The inventory row of the live thing: under its address, or under the one that it had before the config called it otherwise.
 * @throws KilnError E_PLAN when another resource of this run is the same thing.
 */
function rowOfThing<Clients>(run: Run<Clients>, desired: DesiredResource, identity: Identity): InventoryRow | undefined {
  const row = run.engine.inventory.find(desired.kind, identity)
  if (row === undefined || row.address === desired.address || !run.attributes.has(row.address)) return row
  throw new KilnError('E_PLAN', `${row.address} and ${desired.address} are the same thing: ${canonicalJson(identity)}`)
}

function resolveProps<Clients>(run: Run<Clients>, desired: DesiredResource): unknown {
  return resolveRefs(desired.props, (found) => {
    const attributes = run.attributes.get(found.$ref)
    if (attributes === undefined) throw new KilnError('E_PLAN', `${desired.address} refers to ${found.$ref}, which was not applied`)
    return attributeOf(attributes, found, desired.address)
  })
}

/** Deletes a row's thing if this stack made it and its kind may be deleted; then, or else, forgets the row. */
async function removeRow<Clients>(engine: Engine<Clients>, address: Address): Promise<Action> {
  const row = engine.inventory.get(address)
  if (row === undefined) return 'forget'
  const kind = kindOf(engine, row.kind, address)
  const ours = row.made && kind.keepOnDestroy !== true
  if (ours) {
    engine.inventory.intendDelete(address)
    await kind.remove(contextFor(engine, address), row.identity)
  }
  engine.inventory.forget(address)
  return ours ? 'delete' : 'forget'
}
