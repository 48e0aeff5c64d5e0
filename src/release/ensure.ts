/** Making the cloud as a release wants it: observe, ensure, sync. Each may be called again at any time, and says whether it changed something. */
import { KilnError } from '../base/errors.ts'
import { sameJson } from '../base/json.ts'
import type { GroupVersion } from './fleet.ts'
import type { Before, Release } from './ledger.schema.ts'
import { change, otherGroup } from './run.ts'
import type { Run } from './run.ts'
import { templateOf } from './template.ts'

export interface WantedGroup {
  readonly name: string
  readonly versions: readonly GroupVersion[]
  readonly size: number
  readonly maxSurge: number
}

const defaultInitialDelaySec = 300

export async function ensureTemplate(run: Run, release: Release): Promise<boolean> {
  if ((await run.fleet.template(release.template)) !== undefined) return false
  await change(run, () => run.fleet.createTemplate(templateOf(release)))
  return true
}

/** Also puts back a group that somebody deleted. */
export async function ensureGroup(run: Run, wanted: WantedGroup): Promise<boolean> {
  const { fleet, target } = run
  const there = await fleet.group(wanted.name)
  if (there === undefined) {
    await change(run, () =>
      fleet.createGroup({
        ...wanted,
        baseInstanceName: wanted.name,
        namedPorts: target.namedPorts,
        initialDelaySec: target.initialDelaySec ?? defaultInitialDelaySec,
        ...(target.healthCheck === undefined ? {} : { healthCheck: target.healthCheck }),
      }),
    )
    return true
  }
  const isRight = sameJson(there.versions, wanted.versions) && there.size === wanted.size && there.isProactive && there.maxSurge === wanted.maxSurge && there.maxUnavailable === 0
  if (isRight) return false
  await change(run, () => fleet.updateGroup(wanted.name, wanted))
  return true
}

/** New requests go to this group, and not to the other one of blue/green. */
export async function ensureServing(run: Run, group: string): Promise<boolean> {
  const other = otherGroup(run.target, group)
  const backends = await ourBackends(run)
  if (backends === undefined) return false
  const isRight = backends.get(group) === 1 && (backends.get(other) ?? 0) === 0
  if (isRight) return false
  const wished = [{ group, capacity: 1 }, ...(backends.has(other) ? [{ group: other, capacity: 0 }] : [])]
  await change(run, () => run.fleet.setBackends(run.target.backendService ?? '', wished))
  return true
}

/** The group is probed and gets no new requests, unless it is the one that serves already. */
export async function ensureProbed(run: Run, group: string): Promise<boolean> {
  const backends = await ourBackends(run)
  if (backends === undefined) return false
  const isServing = backends.get(group) === 1 && (backends.get(otherGroup(run.target, group)) ?? 0) === 0
  if (isServing || backends.get(group) === 0) return false
  await change(run, () => run.fleet.setBackends(run.target.backendService ?? '', [{ group, capacity: 0 }]))
  return true
}

/** Capacities by group; undefined when nothing balances. @throws KilnError E_NOT_FOUND when the backend service of the stack is gone */
async function ourBackends(run: Run): Promise<ReadonlyMap<string, number> | undefined> {
  const { backendService } = run.target
  if (backendService === undefined) return undefined
  const backends = await run.fleet.backends(backendService)
  if (backends === undefined) throw new KilnError('E_NOT_FOUND', `the backend service ${backendService} is not there`, { hint: 'run: kiln up' })
  return new Map(backends.map(({ group, capacity }) => [group, capacity]))
}

/** Where the group would go back to: the live release, or what an adopted group has. */
export async function observeBefore(run: Run, current: Release | undefined): Promise<Before | undefined> {
  if (current !== undefined) return { template: current.template, group: current.group, number: current.number }
  const there = await run.fleet.group(run.target.group)
  const rest = there?.versions.find(({ count }) => count === undefined)
  return rest === undefined || there?.size === 0 ? undefined : { template: rest.template, group: run.target.group }
}
