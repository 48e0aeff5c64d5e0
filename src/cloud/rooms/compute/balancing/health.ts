/** Who is healthy: probers, one for each endpoint and check, with thresholds. Results live in memory; a new daemon finds out anew. */
import { sameJson } from '../../../../base/json.ts'
import { probe } from './probe.ts'
import type { ProbeResult } from './probe.ts'
import type { ProbePlan } from './service.checks.ts'

export type HealthState = 'HEALTHY' | 'UNHEALTHY' | 'UNKNOWN'

export interface ProbeTask {
  readonly instanceId: string
  /** Link of the health check in Google's form. */
  readonly check: string
  /** The guest's port. */
  readonly port: number
  readonly plan: ProbePlan
  /** Where this host reaches that port; or why it cannot. */
  readonly endpoint: { readonly host: string; readonly port: number } | { readonly blocked: string }
}

export interface HealthReport {
  readonly state: HealthState
  /** The last answer; undefined before the first. */
  readonly last?: ProbeResult
}

interface Tracker {
  task: ProbeTask
  state: HealthState
  successes: number
  failures: number
  last?: ProbeResult
  timer?: NodeJS.Timeout
  isGone: boolean
}

export interface Health {
  /** From now on exactly these are probed. What was known of those that stay is kept. */
  watch(tasks: readonly ProbeTask[]): void
  report(instanceId: string, check: string, port: number): HealthReport
  /** All reports on an instance by a check, whatever the port. */
  reports(instanceId: string, check: string): readonly HealthReport[]
  stop(): void
}

/** `onChange` is called whenever a state changes; `failsOnPurpose` says for which instances a fault makes every probe fail. */
export function createHealth(onChange: () => void, ask: typeof probe = probe, failsOnPurpose: (instanceId: string) => boolean = () => false): Health {
  const trackers = new Map<string, Tracker>()

  function keyOf(task: Pick<ProbeTask, 'instanceId' | 'check' | 'port'>): string {
    return `${task.instanceId} ${task.port} ${task.check}`
  }

  async function answerOf(task: ProbeTask): Promise<ProbeResult> {
    const failed = (error: string): ProbeResult => ({ isSuccess: false, atMs: Date.now(), durationMs: 0, error })
    if (failsOnPurpose(task.instanceId)) return failed('made to fail on purpose (kiln cloud fault list)')
    if ('blocked' in task.endpoint) return failed(task.endpoint.blocked)
    return ask(task.plan, task.endpoint.host, task.endpoint.port)
  }

  async function round(tracker: Tracker): Promise<void> {
    const { task } = tracker
    const result = await answerOf(task)
    if (tracker.isGone) return
    note(tracker, result)
    const passedMs = Date.now() - result.atMs
    tracker.timer = setTimeout(() => void round(tracker), Math.max(0, tracker.task.plan.checkIntervalSec * 1000 - passedMs)).unref()
  }

  function note(tracker: Tracker, result: ProbeResult): void {
    const { healthyThreshold, unhealthyThreshold } = tracker.task.plan
    const before = tracker.state
    tracker.last = result
    tracker.successes = result.isSuccess ? tracker.successes + 1 : 0
    tracker.failures = result.isSuccess ? 0 : tracker.failures + 1
    if (tracker.successes >= healthyThreshold) tracker.state = 'HEALTHY'
    else if (tracker.failures >= unhealthyThreshold) tracker.state = 'UNHEALTHY'
    if (tracker.state !== before) onChange()
  }

  function end(tracker: Tracker): void {
    tracker.isGone = true
    clearTimeout(tracker.timer)
  }

  function toReport(tracker: Tracker | undefined): HealthReport {
    if (tracker === undefined) return { state: 'UNKNOWN' }
    return { state: tracker.state, ...(tracker.last === undefined ? {} : { last: tracker.last }) }
  }

  return {
    watch(tasks) {
      const wanted = new Map(tasks.map((task) => [keyOf(task), task]))
      for (const [key, tracker] of trackers) {
        if (wanted.has(key)) continue
        end(tracker)
        trackers.delete(key)
      }
      for (const [key, task] of wanted) {
        const known = trackers.get(key)
        if (known !== undefined && sameJson(known.task, task)) continue
        if (known !== undefined) end(known)
        const fresh: Tracker = known === undefined ? { task, state: 'UNKNOWN', successes: 0, failures: 0, isGone: false } : { ...known, task, isGone: false }
        trackers.set(key, fresh)
        void round(fresh)
      }
    },
    report: (instanceId, check, port) => toReport(trackers.get(keyOf({ instanceId, check, port }))),
    reports: (instanceId, check) => [...trackers.values()].filter((tracker) => tracker.task.instanceId === instanceId && tracker.task.check === check).map(toReport),
    stop() {
      for (const tracker of trackers.values()) end(tracker)
      trackers.clear()
    },
  }
}
