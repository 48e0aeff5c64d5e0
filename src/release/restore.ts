/** After a gate failed: evidence first, then the group goes back to what served before. Each step is recorded, so that a kill in between is made good by the next run. */
import { KilnError, describeError } from '../base/errors.ts'
import { timestamp } from './clock.ts'
import { writeCapsule } from './capsule.ts'
import { ensureGroup, ensureServing, ensureTemplate } from './ensure.ts'
import type { GateName, Release } from './ledger.schema.ts'
import { GateFailure, passGate, record } from './run.ts'
import type { Run } from './run.ts'
import { untilConverged } from './watch.ts'

/** Ends a release that failed, or goes on ending it. Always throws: KilnError E_RELEASE_FAILED, or what kept it from going back (E_LOCKED …). */
export async function giveUp(run: Run, release: Release, failure?: GateFailure): Promise<never> {
  let current = failure === undefined ? release : await recordFailure(run, release, failure)
  if (current.capsule === undefined) {
    const { links, disk } = await writeCapsule(run, current)
    current = await record(run, current, (before) => ({ ...before, capsule: [...links], ...(disk === undefined ? {} : { disk }) }))
  }
  current = await restore(run, current)
  throw failedError(current)
}

async function recordFailure(run: Run, release: Release, failure: GateFailure): Promise<Release> {
  const at = timestamp(run.clock)
  const reason = failure.message
  const entry = { gate: failure.gate, passed: false, at, durationMs: run.clock.now() - Date.parse(release.updatedAt), seen: reason }
  run.emit({ type: 'gate', release: release.number, gate: failure.gate, passed: false, durationMs: entry.durationMs, seen: reason })
  return record(run, release, (before) => ({
    ...before,
    state: 'failed',
    failure: { gate: failure.gate, reason, at },
    restore: 'pending',
    evidence: [...before.evidence, entry],
  }))
}

async function restore(run: Run, release: Release): Promise<Release> {
  const { before } = release
  if (before === undefined) return end(run, release, { restore: 'impossible' })
  const sinceMs = run.clock.now()
  const { size } = run.target
  const sync = async (): Promise<boolean> => {
    const old = before.number === undefined ? undefined : await run.ledger.get(before.number)
    const isMade = old === undefined ? false : await ensureTemplate(run, old)
    // Another group's requests go back before anything else: it stands there whole.
    const isSwitched = await ensureServing(run, before.group)
    const isChanged = await ensureGroup(run, { name: before.group, versions: [{ template: before.template }], size, maxSurge: Math.max(1, size) })
    return isMade || isSwitched || isChanged
  }
  try {
    await untilConverged(run, { gate: 'restore', release, group: before.group, expected: { template: before.template, count: size, isWhole: true }, sync, sinceMs })
    if (before.group !== release.group) await emptyGroup(run, release)
  } catch (error) {
    if (!isFinal(error)) throw error
    const seen = describeError(error)
    const entry = { gate: 'restore' as GateName, passed: false, at: timestamp(run.clock), durationMs: run.clock.now() - sinceMs, seen }
    return end(run, { ...release, evidence: [...release.evidence, entry] }, { restore: 'failed' })
  }
  const passed = await passGate(run, release, 'restore', sinceMs, `the group is back on ${before.template}`, { instances: size })
  return end(run, passed, { state: 'rolled-back', restore: 'done', ...(before.number === undefined ? {} : { replacedBy: before.number }) })
}

/** What blue/green made for the failed release costs money and serves nobody. */
async function emptyGroup(run: Run, release: Release): Promise<void> {
  if ((await run.fleet.group(release.group)) === undefined) return
  await ensureGroup(run, { name: release.group, versions: [{ template: release.template }], size: 0, maxSurge: 1 })
}

async function end(run: Run, release: Release, fields: Partial<Release>): Promise<Release> {
  return record(run, release, (before) => ({ ...before, evidence: release.evidence, ...fields, endedAt: timestamp(run.clock) }))
}

/** Trying again would end the same: the cloud refused, or nothing got better. A broken network is not final. */
export function isFinal(error: unknown): boolean {
  if (error instanceof GateFailure) return true
  if (!(error instanceof KilnError)) return false
  if (error.code === 'E_OPERATION' || error.code === 'E_NOT_FOUND') return true
  const status = 'status' in error ? error.status : undefined
  return error.code === 'E_API' && typeof status === 'number' && status >= 400 && status < 500 && status !== 408 && status !== 429
}

function failedError(release: Release): KilnError {
  const { number, failure, before, restore: outcome, capsule = [], disk } = release
  const evidence = disk === undefined ? capsule : [...capsule, `the disk of one of its instances: ${disk}`]
  const old = before === undefined ? '' : before.number === undefined ? `the template ${before.template}` : `release ${before.number}`
  const where: Readonly<Record<string, string>> = {
    done: `the group ${before?.group ?? ''} is back on ${old}`,
    impossible: 'there was no release before it to go back to',
    failed: `the group could not be brought back to ${old}`,
  }
  return new KilnError('E_RELEASE_FAILED', `release ${number} failed at its gate "${failure?.gate ?? 'start'}": ${failure?.reason ?? 'unknown'}; ${where[outcome ?? ''] ?? ''}`, {
    hint: outcome === 'done' ? 'the capsule tells what the instances said; mend it and deploy again' : 'deploy a release that works: it is rolled out over the sick one',
    ...(evidence.length === 0 ? {} : { detail: evidence.join('\n') }),
  })
}
