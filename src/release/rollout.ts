/**
 * The strategies: from a release that has its number to one that passed all gates. Every step is decided from the ledger's evidence and what is there now,
 * so that each may be the first one after a kill.
 */
import { formatDuration } from '../base/units.ts'
import { ensureGroup, ensureProbed, ensureServing, ensureTemplate } from './ensure.ts'
import type { Expectation } from './gates.ts'
import type { GateName, Release } from './ledger.schema.ts'
import { hasPassed, passGate, record } from './run.ts'
import type { Run } from './run.ts'
import { bake, untilConverged } from './watch.ts'

/** Runs the release's strategy to the end of its bake. Gives the release as it was recorded last. @throws GateFailure; KilnError E_LOCKED */
export async function rollOut(run: Run, release: Release): Promise<Release> {
  let current = release
  if (current.state === 'pending') {
    const sinceMs = run.clock.now()
    await ensureTemplate(run, current)
    current = await passGate(run, current, 'start', sinceMs, `template ${current.template}, image ${current.image.name} (${current.image.id})`)
    current = await record(run, current, (before) => ({ ...before, state: 'rolling' }))
  }
  if (current.strategy.kind === 'blue-green') return blueGreen(run, current)
  if (current.strategy.kind === 'canary') current = await canary(run, current)
  return rolling(run, current)
}

/** All instances of the group, surge first. A release that brings an older one back replaces all at once: it is proven. */
async function rolling(run: Run, release: Release): Promise<Release> {
  const { size } = run.target
  const wanted = { name: release.group, versions: [{ template: release.template }], size, maxSurge: surgeOf(run, release) }
  const sync = async (): Promise<boolean> => {
    const changes = [await ensureTemplate(run, release), await ensureGroup(run, wanted), await ensureServing(run, release.group)]
    return changes.includes(true)
  }
  const expected: Expectation = { template: release.template, count: size, isWhole: true }
  const converged = await gateConverge(run, release, 'converge', expected, sync)
  return gateBake(run, converged, 'bake', expected, run.timing.bakeMs)
}

/** A part of the group first; needs an older version beside it that the group has. */
async function canary(run: Run, release: Release): Promise<Release> {
  const { strategy, before } = release
  const { size } = run.target
  const there = await run.fleet.group(release.group)
  if (strategy.kind !== 'canary' || hasPassed(release, 'canary-bake')) return release
  if (before === undefined || before.group !== release.group || there === undefined || before.template === release.template || size < 2) {
    run.emit({ type: 'note', release: release.number, text: 'there is nothing to compare a canary with: the whole group gets the new version' })
    return release
  }
  const asked = strategy.count ?? Math.ceil(((strategy.percent ?? 10) * size) / 100)
  const count = Math.min(size - 1, Math.max(1, asked))
  const wanted = { name: release.group, versions: [{ template: before.template }, { template: release.template, count }], size, maxSurge: 1 }
  const sync = async (): Promise<boolean> => {
    const changes = [await ensureTemplate(run, release), await ensureGroup(run, wanted), await ensureServing(run, release.group)]
    return changes.includes(true)
  }
  const expected: Expectation = { template: release.template, count, isWhole: false }
  const converged = await gateConverge(run, release, 'canary', expected, sync)
  const proven = await gateBake(run, converged, 'canary-bake', expected, strategy.bakeMs)
  return record(run, proven, (now) => ({ ...now, state: 'rolling' }))
}

/** The other group, whole and healthy before it gets a request; then one change moves all new requests. */
async function blueGreen(run: Run, release: Release): Promise<Release> {
  const { size } = run.target
  const wanted = { name: release.group, versions: [{ template: release.template }], size, maxSurge: size }
  const sync = async (): Promise<boolean> => {
    const changes = [await ensureTemplate(run, release), await ensureGroup(run, wanted), await ensureProbed(run, release.group)]
    return changes.includes(true)
  }
  const expected: Expectation = { template: release.template, count: size, isWhole: true }
  let current = await gateConverge(run, release, 'converge', expected, sync)
  const sinceMs = run.clock.now()
  await ensureServing(run, release.group)
  if (!hasPassed(current, 'switch')) current = await passGate(run, current, 'switch', sinceMs, `new requests go to ${release.group}`)
  return gateBake(run, current, 'bake', expected, run.timing.bakeMs)
}

/** Always looked at anew, also by a run that goes on after a kill; recorded once. */
async function gateConverge(run: Run, release: Release, gate: GateName, expected: Expectation, sync: () => Promise<boolean>): Promise<Release> {
  const sinceMs = run.clock.now()
  await untilConverged(run, { gate, release, group: release.group, expected, sync, sinceMs: Date.parse(release.createdAt) })
  if (hasPassed(release, gate)) return release
  return passGate(run, release, gate, sinceMs, `${expected.count} instances have the template, run and are healthy`, { instances: expected.count })
}

async function gateBake(run: Run, release: Release, gate: GateName, expected: Expectation, bakeMs: number): Promise<Release> {
  const baking = release.state === 'baking' ? release : await record(run, release, (before) => ({ ...before, state: 'baking' }))
  const sinceMs = run.clock.now()
  await bake(run, { gate, release: baking, group: release.group, expected, bakeMs, sinceMs })
  return passGate(run, baking, gate, sinceMs, `stayed good for ${formatDuration(run.clock.now() - sinceMs)}`, { instances: expected.count })
}

function surgeOf(run: Run, release: Release): number {
  return release.rollbackOf === undefined ? 1 : Math.max(1, run.target.size)
}
