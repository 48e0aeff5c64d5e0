/** Compares what is wanted with what is there. Reads only: neither the cloud nor the inventory is changed. */
import { KilnError } from '../base/errors.ts'
import { canonicalJson, sameJson } from '../base/json.ts'
import { attributeOf, contextFor, defaultConcurrency, describeDifference, kindOf, replacementRefusal, sameIdentity } from './engine.ts'
import type { Engine, PlannedStack } from './engine.ts'
import { dependenciesOf, inOrder, refsIn, resolveRefs } from './graph.ts'
import type { FoundRef } from './graph.ts'
import type { Attributes, Identity, InventoryRow } from './inventory.ts'
import { runTasks } from './schedule.ts'
import { removalNodes } from './removals.ts'
import type { Action, Address, AnyKind, DesiredResource, Difference, PlanNode } from './types.ts'

/** What planning found out about one resource, for those that depend on it. */
interface Finding {
  readonly node: PlanNode
  readonly identity: Identity | undefined
  readonly observed: Attributes | undefined
  readonly props: unknown
  /** Its attributes may be others once it was applied. */
  readonly unsettled: boolean
  /** It, or something that it needs, does not exist yet, so that things inside it cannot be looked up. */
  readonly pending: boolean
}

/**
 * Plans a stack. Resources are observed in dependency order, several at a time.
 * A reference to something that is not made yet leaves its user "known after apply"; apply then looks again.
 * @throws KilnError E_PLAN for unknown or circular references, bad props, two resources that are the same live thing,
 *   or a replacement of something that this stack did not make; whatever a kind's `observe` throws; E_CANCELLED.
 */
export async function planStack<Clients>(engine: Engine<Clients>, desired: readonly DesiredResource[]): Promise<PlannedStack> {
  const ordered = inOrder(desired)
  const findings = new Map<Address, Finding>()
  const failFast = new AbortController()
  const tasks = ordered.map((resource) => ({ address: resource.address, after: dependenciesOf(resource), resource }))
  const outcomes = await runTasks(tasks, { concurrency: engine.concurrency ?? defaultConcurrency, signal: AbortSignal.any([engine.signal, failFast.signal]) }, async (task) => {
    try {
      findings.set(task.address, await look(engine, task.resource, findings))
    } catch (error) {
      failFast.abort()
      throw error
    }
  })
  if (engine.signal.aborted) throw new KilnError('E_CANCELLED', 'planning was cancelled; nothing was changed')
  for (const outcome of outcomes.values()) if (outcome.status === 'failed') throw outcome.error

  refuseTwins(findings)
  const identified = new Set([...findings.values()].flatMap((finding) => (finding.identity === undefined ? [] : [thingKey(finding.node.kind, finding.identity)])))
  const unidentified = [...findings.values()].filter((finding) => finding.identity === undefined).map((finding) => finding.node)
  const removals = removalNodes(engine, {
    wanted: new Set(ordered.map((resource) => resource.address)),
    stays: (row) => identified.has(thingKey(row.kind, row.identity)),
    claimants: (row) => unidentified.filter((node) => node.kind === row.kind).map((node) => node.address),
  })
  return {
    plan: { stack: engine.stack, nodes: [...ordered.flatMap((resource) => findings.get(resource.address)?.node ?? []), ...removals] },
    desired: new Map(ordered.map((resource) => [resource.address, resource])),
    observed: new Map([...findings].flatMap(([address, finding]) => (finding.observed === undefined ? [] : [[address, finding.observed] as const]))),
    props: new Map([...findings].flatMap(([address, finding]) => (finding.props === undefined ? [] : [[address, finding.props] as const]))),
  }
}

async function look<Clients>(engine: Engine<Clients>, resource: DesiredResource, findings: ReadonlyMap<Address, Finding>): Promise<Finding> {
  const kind = kindOf(engine, resource.kind, resource.address)
  const row = engine.inventory.get(resource.address)
  const targets = dependenciesOf(resource).flatMap((address) => findings.get(address) ?? [])
  const inPending = targets.some((target) => target.pending)
  const references = refsIn(resource.props)
  const unsettled = references.filter((found) => findings.get(found.ref.$ref)?.unsettled === true)
  const laterReasons = unsettled.map((found) => `${found.path}: known after ${found.ref.$ref} is applied`)

  const guess = guessProps(engine, resource, references, findings)
  if (guess === undefined) return lookBlind(engine, resource, kind, row, inPending, laterReasons)

  const props: unknown = kind.parse(guess)
  const identity: Identity = kind.identity(props)
  const observed = await observe(engine, resource.address, kind, identity, inPending)
  const settledProps = unsettled.length === 0 ? guess : undefined
  const base = { identity, props: settledProps }
  const renamed = row !== undefined && !sameIdentity(row.identity, identity) ? identityDifferences(row.identity, identity) : []

  if (observed === 'unknown') {
    return {
      ...base,
      observed: undefined,
      unsettled: true,
      pending: true,
      node: nodeOf(resource, row?.state === 'ready' ? 'update' : 'create', ['cannot be looked up before what it depends on is there', ...laterReasons]),
    }
  }
  if (observed === undefined) {
    const vanished = row?.state === 'ready' && renamed.length === 0
    const reasons = renamed.length > 0 ? renamed.map(describeDifference) : [vanished ? 'was deleted outside of Kiln' : 'does not exist', ...laterReasons]
    return { ...base, observed, unsettled: true, pending: true, node: nodeOf(resource, renamed.length > 0 ? 'replace' : 'create', reasons, renamed, vanished) }
  }
  const differences: readonly Difference[] = kind.diff(props, observed)
  const drifted = isDrift(kind, props, differences, renamed.length > 0 ? undefined : row)
  const reasons = [...renamed, ...differences].map(describeDifference).concat(laterReasons)
  if (renamed.length > 0) return { ...base, observed, unsettled: true, pending: false, node: nodeOf(resource, 'replace', reasons, [...renamed, ...differences]) }
  if (differences.some((difference) => difference.forcesReplacement === true)) {
    const refusal = replacementRefusal(kind, engine.inventory.find(resource.kind, identity), resource.address, differences)
    if (refusal !== undefined) throw refusal
    return { ...base, observed, unsettled: true, pending: false, node: nodeOf(resource, 'replace', reasons, differences, drifted) }
  }
  const action: Action = reasons.length > 0 ? 'update' : 'noop'
  return { ...base, observed, unsettled: unsettled.length > 0, pending: false, node: nodeOf(resource, action, reasons, differences, drifted) }
}

/** The props depend on something that nobody has ever seen. Only the inventory can tell whether the thing is there. */
async function lookBlind<Clients>(
  engine: Engine<Clients>,
  resource: DesiredResource,
  kind: AnyKind<Clients>,
  row: InventoryRow | undefined,
  inPending: boolean,
  reasons: readonly string[],
): Promise<Finding> {
  const observed = row === undefined ? undefined : await observe(engine, resource.address, kind, row.identity, inPending)
  const live = observed === 'unknown' ? undefined : observed
  const vanished = observed === undefined && row?.state === 'ready'
  const node = nodeOf(resource, live === undefined ? 'create' : 'update', vanished ? ['was deleted outside of Kiln', ...reasons] : reasons, [], vanished)
  return { node, identity: undefined, observed: live, props: undefined, unsettled: true, pending: live === undefined }
}

/** Fills references from what was observed, else from the inventory; undefined when one is known from neither. */
function guessProps<Clients>(engine: Engine<Clients>, resource: DesiredResource, references: readonly FoundRef[], findings: ReadonlyMap<Address, Finding>): unknown {
  const known = new Map<Address, Attributes>()
  for (const { ref } of references) {
    const finding = findings.get(ref.$ref)
    const attributes = finding?.observed ?? engine.inventory.get(ref.$ref)?.attributes
    if (attributes === undefined || (finding?.unsettled === true && attributes[ref.attribute] === undefined)) return undefined
    known.set(ref.$ref, attributes)
  }
  return resolveRefs(resource.props, (ref) => attributeOf(known.get(ref.$ref) ?? {}, ref, resource.address))
}

/** Observes; "unknown" when that fails inside something that does not exist yet (a project, an API that is not enabled). */
async function observe<Clients>(
  engine: Engine<Clients>,
  address: Address,
  kind: AnyKind<Clients>,
  identity: Identity,
  inPending: boolean,
): Promise<Attributes | undefined | 'unknown'> {
  try {
    return (await kind.observe(contextFor(engine, address), identity)) as Attributes | undefined
  } catch (error) {
    if (inPending && !engine.signal.aborted) return 'unknown'
    throw error
  }
}

/** Drift is a difference that the last applied attributes did not have: the config alone does not explain it. */
function isDrift<Clients>(kind: AnyKind<Clients>, props: unknown, differences: readonly Difference[], row: InventoryRow | undefined): boolean {
  if (row?.attributes === undefined || row.state !== 'ready' || differences.length === 0) return false
  const explained = kind.diff(props, row.attributes)
  return differences.some((difference) => !explained.some((other) => other.path === difference.path && sameJson([other.from], [difference.from])))
}

function identityDifferences(before: Identity, now: Identity): readonly Difference[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])]
  return keys.filter((key) => before[key] !== now[key]).map((key) => ({ path: key, from: before[key], to: now[key], forcesReplacement: true }))
}

function nodeOf(resource: DesiredResource, action: Action, reasons: readonly string[], differences: readonly Difference[] = [], drifted = false): PlanNode {
  return { address: resource.address, kind: resource.kind, action, reasons, differences, drifted, after: dependenciesOf(resource) }
}

function thingKey(kind: string, identity: Identity): string {
  return canonicalJson([kind, identity])
}

function refuseTwins(findings: ReadonlyMap<Address, Finding>): void {
  const seen = new Map<string, Address>()
  for (const [address, finding] of findings) {
    if (finding.identity === undefined) continue
    const key = thingKey(finding.node.kind, finding.identity)
    const other = seen.get(key)
    if (other !== undefined) throw new KilnError('E_PLAN', `${other} and ${address} are the same thing: ${canonicalJson(finding.identity)}`)
    seen.set(key, address)
  }
}
