/** Looking at a group until it has really converged, and after that for as long as the bake takes. */
import { describeError } from '../base/errors.ts'
import { formatDuration } from '../base/units.ts'
import { ApiError } from '../client/errors.ts'
import { convergeProblems, goodMembers, hopeless, membersOn, tooManyFailed } from './gates.ts'
import type { Expectation, GroupView } from './gates.ts'
import type { Fleet } from './fleet.ts'
import type { GateName, Release } from './ledger.schema.ts'
import { GateFailure } from './run.ts'
import type { Run } from './run.ts'

const defaultFailedShare = 0.01
const mostCorrections = 5

export async function lookAt({ fleet, target }: Pick<Run, 'fleet' | 'target'>, name: string): Promise<GroupView> {
  return lookAtGroup(fleet, name, target.backendService)
}

/** One look at a group, with its health as a backend of the service. */
export async function lookAtGroup(fleet: Fleet, name: string, backendService?: string): Promise<GroupView> {
  const [group, members, errors, backend] = await Promise.all([
    fleet.group(name),
    fleet.members(name),
    fleet.groupErrors(name),
    backendService === undefined ? undefined : fleet.backendHealth(backendService, name),
  ])
  return { group, members, errors, backend }
}

export interface Wait {
  readonly gate: GateName
  readonly release: Release
  readonly group: string
  readonly expected: Expectation
  /** Makes the cloud as it should be; true when something had to be changed. Called before every look, so that what is taken away is put back. */
  readonly sync: () => Promise<boolean>
  /** Errors before this time are of something else. */
  readonly sinceMs: number
}

/** Until the group is as expected. @throws GateFailure when no instance became good for `stallMs`, or the group says that it cannot be */
export async function untilConverged(run: Run, wait: Wait): Promise<GroupView> {
  const { clock, timing } = run
  let best = -1
  let sinceMs = clock.now()
  let last = ''
  let corrections = -1
  for (;;) {
    run.signal?.throwIfAborted()
    await run.lock.keep()
    if (await synced(wait)) corrections += 1
    if (corrections > mostCorrections) throw new GateFailure(wait.gate, `something else changes the group ${wait.group} again and again`)
    const view = await lookAt(run, wait.group)
    const problems = convergeProblems(view, wait.expected)
    if (problems.length === 0) return view
    const why = hopeless(view, wait.expected.template, wait.sinceMs, timing.mostErrors)
    if (why !== undefined) throw new GateFailure(wait.gate, why)
    const good = goodMembers(view, wait.expected.template).length
    const seen = `${good} of ${wait.expected.count} good: ${problems.join('; ')}`
    if (seen !== last) run.emit({ type: 'note', release: wait.release.number, text: seen })
    last = seen
    if (good > best) {
      best = good
      sinceMs = clock.now()
    }
    if (clock.now() - sinceMs >= timing.stallMs) throw new GateFailure(wait.gate, `nothing got better for ${formatDuration(timing.stallMs)}; ${seen}`)
    await clock.sleep(timing.pollMs, run.signal)
  }
}

/** What vanished, or is just being deleted, between a look and the change after it is there or gone at the next look; `stallMs` bounds how often. */
async function synced(wait: Wait): Promise<boolean> {
  try {
    return await wait.sync()
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.reasons.includes('resourceNotReady'))) return false
    throw error
  }
}

export interface Bake extends Omit<Wait, 'sync'> {
  readonly bakeMs: number
}

/**
 * Watches for the whole time, at least once: health, answers of `/version`, and failed requests at the load balancer.
 * A killed deployer's watch begins anew, since nobody looked in between. @throws GateFailure
 */
export async function bake(run: Run, wait: Bake): Promise<GroupView> {
  const { clock, timing } = run
  const startMs = clock.now()
  const machines = new Map<string, string>()
  let bad = 0
  let isFirst = true
  for (;;) {
    run.signal?.throwIfAborted()
    await run.lock.keep()
    const view = await lookAt(run, wait.group)
    const isLast = clock.now() - startMs >= wait.bakeMs
    const problems = [...convergeProblems(view, wait.expected), ...replaced(view, wait.expected.template, machines)]
    if (problems.length === 0 && (isFirst || isLast)) problems.push(...(await versionProblems(run, view, wait)))
    bad = problems.length === 0 ? 0 : bad + 1
    if (bad > 0) run.emit({ type: 'note', release: wait.release.number, text: problems.join('; ') })
    if (bad >= timing.badPolls) throw new GateFailure(wait.gate, problems.join('; '))
    await requireFewErrors(run, wait.gate, startMs)
    if (bad === 0 && isLast) return view
    // The first look at the versions is repeated until it was good.
    if (bad === 0) isFirst = false
    // A bad look is followed by a whole pause, so that two of them are not the same moment.
    const leftMs = startMs + wait.bakeMs - clock.now()
    await clock.sleep(bad === 0 ? Math.min(timing.pollMs, Math.max(1, leftMs)) : timing.pollMs, run.signal)
  }
}

/** A machine that was made anew under its name was sick or crashed, however quickly it came back. */
function replaced(view: GroupView, template: string, machines: Map<string, string>): readonly string[] {
  return membersOn(view, template).flatMap(({ name, id }) => {
    if (id === undefined) return []
    const before = machines.get(name) ?? id
    machines.set(name, before)
    return before === id ? [] : [`${name} was made anew`]
  })
}

/** A wrong version is decisive; an instance that does not answer may do so at the next look. */
async function versionProblems(run: Run, view: GroupView, wait: Bake): Promise<readonly string[]> {
  const expected = wait.release.package?.version
  const { version } = run.probes
  if (version === undefined || expected === undefined) return []
  const problems: string[] = []
  for (const { name } of membersOn(view, wait.expected.template)) {
    let answer: string
    try {
      answer = await version({ instance: name, address: await run.fleet.address(name), port: run.target.port })
    } catch (error) {
      run.signal?.throwIfAborted()
      problems.push(`/version of ${name}: ${describeError(error)}`)
      continue
    }
    if (answer !== expected) throw new GateFailure(wait.gate, `/version of ${name} answered ${JSON.stringify(answer.slice(0, 200))}, and the release has ${expected}`)
  }
  return problems
}

async function requireFewErrors(run: Run, gate: GateName, sinceMs: number): Promise<void> {
  for (const seen of (await run.probes.errors?.(sinceMs)) ?? []) {
    if (!tooManyFailed(seen, run.probes.mostFailedShare ?? defaultFailedShare)) continue
    throw new GateFailure(gate, `${seen.failed} of ${seen.requests} ${seen.of} failed at the load balancer`)
  }
}
