/** What every step of a rollout works with: the cloud, the ledger, the lock, time, and where news go. */
import type { Clock } from './clock.ts'
import { timestamp } from './clock.ts'
import type { Fleet, MemberAddress } from './fleet.ts'
import type { Ledger } from './ledger.ts'
import type { GateName, Release, ReleaseState } from './ledger.schema.ts'
import type { DeployLock } from './lock.ts'
import type { ObjectStore } from './objects.ts'

/** The group that serves a stack, and what is around it. None of it changes with a release. */
export interface Target {
  readonly stack: string
  /** Name of the managed group; blue/green uses a second one, named `GROUP-green`. */
  readonly group: string
  readonly size: number
  /** The port that the server listens on. */
  readonly port: number
  readonly namedPorts: readonly { readonly name: string; readonly port: number }[]
  /** Name of the global backend service that the group stands behind; without one, nothing balances. */
  readonly backendService?: string
  /** Name of the health check by which the group heals itself. */
  readonly healthCheck?: string
  /** How long a new instance may be unhealthy before the group makes it anew: from the measured boot time. Default: 300. */
  readonly initialDelaySec?: number
}

export interface Timing {
  /** Between two looks. */
  readonly pollMs: number
  /** A rollout fails when for so long no further instance became good. */
  readonly stallMs: number
  /** How long the whole new version is watched before it is live. */
  readonly bakeMs: number
  /** So many looks in a row must be bad for the watch to fail: one lost probe is no failure. */
  readonly badPolls: number
  /** So many errors of the group on the new template end the wait early. */
  readonly mostErrors: number
  /** The failure capsule takes no longer than this, since the rollback waits for it. */
  readonly capsuleMs: number
}

export const defaultTiming: Timing = { pollMs: 2000, stallMs: 600_000, bakeMs: 60_000, badPolls: 2, mostErrors: 3, capsuleMs: 20_000 }

/** One instance, and where it is asked. */
export interface ProbedInstance {
  readonly instance: string
  readonly address: MemberAddress
  readonly port: number
}

export interface RequestCount {
  /** As it is told: `requests`, `requests of Kiln’s own`. */
  readonly of: string
  readonly requests: number
  readonly failed: number
}

export interface Probes {
  /** The answer of `/version` of one instance. Left out: not asked. */
  readonly version?: (where: ProbedInstance) => Promise<string>
  /** What one instance answers at its health path, status and headers and body, as text for the failure capsule. Left out: not asked. */
  readonly health?: (where: ProbedInstance) => Promise<string>
  /** Requests and failed requests (5xx) at the load balancer since then, each count with whose they are. Left out: not judged. */
  readonly errors?: (sinceMs: number) => Promise<readonly RequestCount[]>
  /** The largest share of failed requests that passes, in each count. Default: 0.01. */
  readonly mostFailedShare?: number
}

/** News of a rollout, for whoever renders them. */
export type ReleaseEvent =
  | { readonly type: 'state'; readonly release: number; readonly state: ReleaseState }
  | { readonly type: 'gate'; readonly release: number; readonly gate: GateName; readonly passed: boolean; readonly durationMs: number; readonly seen: string }
  | { readonly type: 'note'; readonly release: number; readonly text: string }

export interface Run {
  readonly fleet: Fleet
  readonly ledger: Ledger
  readonly store: ObjectStore
  readonly clock: Clock
  readonly lock: DeployLock
  readonly target: Target
  readonly timing: Timing
  readonly probes: Probes
  /** The disk of a sick instance stays when the release fails. */
  readonly keepDisk: boolean
  readonly signal?: AbortSignal
  readonly emit: (event: ReleaseEvent) => void
}

/** A gate that was not passed: the release failed, and the group goes back. */
export class GateFailure extends Error {
  readonly gate: GateName

  constructor(gate: GateName, reason: string) {
    super(reason)
    this.name = 'GateFailure'
    this.gate = gate
  }
}

/** Every change goes through here: a deployer that lost its lock makes none. @throws KilnError E_LOCKED */
export async function change<T>(run: Run, work: () => Promise<T>): Promise<T> {
  run.signal?.throwIfAborted()
  await run.lock.check()
  return work()
}

/** Writes what became of a release. @throws KilnError E_LOCKED when the lock was lost */
export async function record(run: Run, release: Release, edit: (before: Release) => Release): Promise<Release> {
  const after = await change(run, () => run.ledger.update(release.number, edit))
  if (after.state !== release.state) run.emit({ type: 'state', release: after.number, state: after.state })
  return after
}

/** Records that a gate was passed. */
export async function passGate(run: Run, release: Release, gate: GateName, sinceMs: number, seen: string, counts?: Readonly<Record<string, number>>): Promise<Release> {
  const durationMs = run.clock.now() - sinceMs
  const entry = { gate, passed: true, at: timestamp(run.clock), durationMs, seen, ...(counts === undefined ? {} : { counts: { ...counts } }) }
  const after = await record(run, release, (before) => ({ ...before, evidence: [...before.evidence, entry] }))
  run.emit({ type: 'gate', release: release.number, gate, passed: true, durationMs, seen })
  return after
}

export function hasPassed(release: Release, gate: GateName): boolean {
  return release.evidence.some((entry) => entry.gate === gate && entry.passed)
}

/** The group that blue/green uses beside the target's own. */
export function otherGroup(target: Target, group: string): string {
  return group === target.group ? `${target.group}-green` : target.group
}
