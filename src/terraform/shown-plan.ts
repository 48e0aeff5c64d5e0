/** `terraform show -json PLANFILE` as nodes of the engine's plan. https://developer.hashicorp.com/terraform/internals/json-format */
import { z } from 'zod'
import { sameJson } from '../base/json.ts'
import { describeDifference } from '../engine/engine.ts'
import type { Action, Address, Difference, PlanNode } from '../engine/types.ts'

const Change = z.object({
  actions: z.array(z.string()),
  before: z.unknown(),
  after: z.unknown(),
  after_unknown: z.unknown(),
  before_sensitive: z.unknown(),
  after_sensitive: z.unknown(),
  replace_paths: z.array(z.array(z.union([z.string(), z.number()]))).default([]),
  importing: z.object({ id: z.string().optional() }).optional(),
})

const ResourceChange = z.object({
  address: z.string(),
  previous_address: z.string().optional(),
  mode: z.string(),
  type: z.string(),
  change: Change,
  action_reason: z.string().optional(),
})
export type ResourceChange = z.output<typeof ResourceChange>

export const ShownPlan = z.object({
  terraform_version: z.string(),
  resource_changes: z.array(ResourceChange).default([]),
  resource_drift: z.array(ResourceChange).default([]),
  output_changes: z.record(z.string(), z.object({ actions: z.array(z.string()) })).default({}),
})
export type ShownPlan = z.output<typeof ShownPlan>

/** `storage/google_storage_bucket.media`: the module that the root calls, without its index, or else the root's name, then Terraform's own address. */
export function addressOf(root: string, terraformAddress: string): Address {
  const inModule = /^module\.([\w-]+)(?:\[[^\]]+\])?\.(.+)$/.exec(terraformAddress)
  return inModule === null ? `${root}/${terraformAddress}` : `${inModule[1] ?? root}/${inModule[2] ?? ''}`
}

/** Data sources are read, not changed: they are no nodes. */
export function planNodes(root: string, plan: ShownPlan): readonly PlanNode[] {
  const drifts = new Map(plan.resource_drift.filter((drift) => drift.change.actions.some((action) => action !== 'no-op')).map((drift) => [drift.address, drift]))
  return plan.resource_changes.filter((change) => change.mode === 'managed').map((change) => nodeOf(root, change, drifts.get(change.address)))
}

/** Terraform tells of everything that it finds otherwise than it left it, such as a status; drift is what the plan puts right. */
function isDrift(drift: ResourceChange, differences: readonly Difference[]): boolean {
  if (drift.change.actions.includes('delete')) return true
  const found = new Set(differencesOf(drift).map(({ path }) => path))
  return differences.some(({ path }) => found.has(path))
}

function nodeOf(root: string, change: ResourceChange, drift: ResourceChange | undefined): PlanNode {
  const action = actionOf(change)
  const differences = action === 'update' || action === 'replace' ? differencesOf(change) : []
  return {
    address: addressOf(root, change.address),
    kind: change.type,
    action,
    reasons: reasonsOf(change, action, differences),
    differences,
    drifted: drift !== undefined && action !== 'noop' && isDrift(drift, differences),
    after: [],
  }
}

/** A no-op that imports or moves is a change of the state, which the user should see. */
function actionOf(change: ResourceChange): Action {
  const [first, second] = change.change.actions
  if (second !== undefined) return 'replace'
  if (first === 'no-op') return change.change.importing !== undefined || change.previous_address !== undefined ? 'update' : 'noop'
  if (first === 'create' || first === 'update' || first === 'delete' || first === 'forget') return first
  return 'noop'
}

const whyReplaced: Readonly<Record<string, string>> = {
  replace_because_tainted: 'an earlier run left it half made',
  replace_by_request: 'its replacement was asked for',
  replace_by_triggers: 'something that it follows is replaced',
  delete_because_no_resource_config: 'no longer in the files',
  delete_because_wrong_repetition: 'no longer in the files',
  delete_because_count_index: 'no longer in the files',
  delete_because_each_key: 'no longer in the files',
  delete_because_no_module: 'no longer in the files',
}

function reasonsOf({ change, previous_address, action_reason }: ResourceChange, action: Action, differences: readonly Difference[]): readonly string[] {
  const reasons: string[] = []
  if (change.importing !== undefined) reasons.push(`exists already${change.importing.id === undefined ? '' : ` as ${change.importing.id}`}: taken over`)
  if (previous_address !== undefined) reasons.push(`was ${previous_address}`)
  if (action_reason !== undefined) reasons.push(...[whyReplaced[action_reason]].filter((text) => text !== undefined))
  if (action === 'create' && reasons.length === 0) reasons.push('does not exist')
  if (action === 'delete' && reasons.length === 0) reasons.push('made by this stack')
  reasons.push(...differences.map(describeDifference))
  return reasons
}

/** The leaves that differ. What Terraform learns only while it applies is said as such; secrets are not shown. */
export function differencesOf({ change }: ResourceChange): readonly Difference[] {
  const found: Difference[] = []
  const replacing = change.replace_paths.map((path) => path.join('.'))
  const isNew = change.actions.length > 1
  const forces = (path: string): boolean => replacing.some((each) => path === each || path.startsWith(`${each}.`))

  function compare(path: string, before: unknown, after: unknown, unknown: unknown, hidden: readonly unknown[]): void {
    const isHidden = hidden.includes(true)
    if (unknown === true) {
      // computed attributes are unknown in every update; only what forces something is news
      if (forces(path)) found.push({ path, from: isHidden ? '(secret)' : before, to: '(known after apply)', forcesReplacement: true })
      return
    }
    const keys = [...new Set([...keysOf(before), ...keysOf(after), ...keysOf(unknown)])]
    if (keys.length > 0 && !isHidden && isTree(before) && isTree(after ?? before)) {
      for (const key of keys)
        compare(
          path === '' ? key : `${path}.${key}`,
          member(before, key),
          member(after, key),
          member(unknown, key),
          hidden.map((each) => member(each, key)),
        )
      return
    }
    if (sameJson(before ?? null, after ?? null)) return
    // what the old one was given by the cloud, and the new one is not told
    if (isNew && (after ?? null) === null && !forces(path)) return
    const difference = isHidden ? { path, from: '(secret)', to: '(another secret)' } : { path, from: before ?? undefined, to: after ?? undefined }
    found.push(forces(path) ? { ...difference, forcesReplacement: true } : difference)
  }

  compare('', change.before, change.after, change.after_unknown, [change.before_sensitive, change.after_sensitive])
  return found
}

function isTree(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function keysOf(value: unknown): readonly string[] {
  return isTree(value) ? Object.keys(value) : []
}

function member(value: unknown, key: string): unknown {
  return isTree(value) ? (value as Readonly<Record<string, unknown>>)[key] : undefined
}
