/** One deploy: the image is pinned, a number is taken or an interrupted release is gone on with, the strategy runs, and exactly one release is live at the end. */
import { KilnError } from '../base/errors.ts'
import { timestamp } from './clock.ts'
import { ensureGroup, ensureServing, ensureTemplate, observeBefore } from './ensure.ts'
import { convergeProblems } from './gates.ts'
import { currentRelease, unfinishedRelease } from './ledger.ts'
import type { LedgerView } from './ledger.ts'
import type { PinnedImage, Release, Shape, Strategy } from './ledger.schema.ts'
import { giveUp, isFinal } from './restore.ts'
import { rollOut } from './rollout.ts'
import { GateFailure, otherGroup, record } from './run.ts'
import type { Run } from './run.ts'
import { configDigest, templateName } from './template.ts'
import { lookAt, untilConverged } from './watch.ts'

/** A release as it is wanted, with everything pinned. */
export interface WantedRelease {
  readonly image: PinnedImage
  readonly shape: Shape
  readonly strategy: Strategy
  readonly package?: Release['package']
  readonly commit?: string
  readonly who: string
  readonly why: string
  readonly rollbackOf?: number
  /** The template of the release that is brought back, if it is as wanted. */
  readonly template?: string
  /** Also when nothing would change. */
  readonly force?: boolean
}

export interface DeployResult {
  /** `unchanged`: this very release serves already, and is well. `mended`: it serves again as its record says, without a new release. */
  readonly outcome: 'live' | 'unchanged' | 'mended'
  readonly release: Release
  /** The release was begun by another run, which had died. */
  readonly resumed: boolean
  readonly durationMs: number
}

/** Brings the wanted release to live. @throws KilnError E_RELEASE_FAILED after the group went back; E_LOCKED; errors of the network, after which the next run goes on */
export async function deployRelease(run: Run, wanted: WantedRelease): Promise<DeployResult> {
  const startMs = run.clock.now()
  const view = await settle(run, await run.ledger.list())
  const digest = configDigest(wanted.image, wanted.shape)
  const unfinished = unfinishedRelease(view.releases)
  if (unfinished !== undefined && isSame(unfinished, wanted, digest)) {
    return { outcome: 'live', release: await finish(run, unfinished), resumed: true, durationMs: run.clock.now() - startMs }
  }
  const current = currentRelease(view.releases)
  if (unfinished === undefined && current?.configDigest === digest && wanted.force !== true && (await isWell(run, current))) {
    return { outcome: 'unchanged', release: current, resumed: false, durationMs: run.clock.now() - startMs }
  }
  if (unfinished !== undefined) await drop(run, unfinished, current)
  const release = await begin(run, wanted, digest, current)
  return { outcome: 'live', release: await finish(run, release), resumed: false, durationMs: run.clock.now() - startMs }
}

/** Goes on with a release that a dead run left, if there is one. */
export async function resumeRelease(run: Run): Promise<DeployResult | undefined> {
  const startMs = run.clock.now()
  const view = await settle(run, await run.ledger.list())
  const unfinished = unfinishedRelease(view.releases)
  if (unfinished === undefined) return undefined
  return { outcome: 'live', release: await finish(run, unfinished), resumed: true, durationMs: run.clock.now() - startMs }
}

/** The group as the current release says: somebody deleted or changed it, or its size is to be another. @throws KilnError E_RELEASE_REFUSED, E_NOT_HEALTHY */
export async function mendRelease(run: Run): Promise<DeployResult> {
  const startMs = run.clock.now()
  const view = await settle(run, await run.ledger.list())
  const current = currentRelease(view.releases)
  if (current === undefined) throw new KilnError('E_RELEASE_REFUSED', 'there is no release that serves', { hint: 'kiln deploy' })
  const wanted = { name: current.group, versions: [{ template: current.template }], size: run.target.size, maxSurge: 1 }
  const sync = async (): Promise<boolean> => {
    const changes = [await ensureTemplate(run, current), await ensureGroup(run, wanted), await ensureServing(run, current.group)]
    return changes.includes(true)
  }
  try {
    const expected = { template: current.template, count: run.target.size, isWhole: true }
    await untilConverged(run, { gate: 'converge', release: current, group: current.group, expected, sync, sinceMs: startMs })
  } catch (error) {
    if (!(error instanceof GateFailure)) throw error
    throw new KilnError('E_NOT_HEALTHY', `release ${current.number} could not be brought back to what it was: ${error.message}`, {
      hint: 'deploy a release that works, or bring an older one back: kiln rollback',
      cause: error,
    })
  }
  return { outcome: 'mended', release: current, resumed: false, durationMs: run.clock.now() - startMs }
}

async function begin(run: Run, wanted: WantedRelease, digest: string, current: Release | undefined): Promise<Release> {
  const before = await observeBefore(run, current)
  const { target } = run
  const isSecondGroup = wanted.strategy.kind === 'blue-green' && before !== undefined
  run.signal?.throwIfAborted()
  await run.lock.check()
  const release = await run.ledger.create({
    stack: target.stack,
    image: wanted.image,
    shape: wanted.shape,
    configDigest: digest,
    strategy: wanted.strategy,
    group: isSecondGroup ? otherGroup(target, before.group) : (before?.group ?? target.group),
    who: wanted.who,
    why: wanted.why,
    template: (number) => wanted.template ?? templateName(target.stack, number, wanted.image),
    ...(before === undefined ? {} : { before }),
    ...(wanted.package === undefined ? {} : { package: wanted.package }),
    ...(wanted.commit === undefined ? {} : { commit: wanted.commit }),
    ...(wanted.rollbackOf === undefined ? {} : { rollbackOf: wanted.rollbackOf }),
  })
  run.emit({ type: 'state', release: release.number, state: release.state })
  return release
}

/** From wherever the release stands to live, or to the end of its failure. */
async function finish(run: Run, release: Release): Promise<Release> {
  if (release.state === 'failed') return giveUp(run, release)
  try {
    return await goLive(run, await rollOut(run, release))
  } catch (error) {
    if (!isFinal(error)) throw error
    const failure = error instanceof GateFailure ? error : new GateFailure('start', error instanceof Error ? error.message : String(error))
    // Its record is read anew: the gates that it passed were written meanwhile.
    return giveUp(run, (await run.ledger.get(release.number)) ?? release, failure)
  }
}

/** From here on it serves; then the one before is told so. Between the two writes both say live, and the newer counts. */
async function goLive(run: Run, release: Release): Promise<Release> {
  const live = await record(run, release, (before) => ({ ...before, state: 'live', liveAt: before.liveAt ?? timestamp(run.clock) }))
  await settle(run, await run.ledger.list())
  return live
}

/** Makes good what a run that died between two writes left: only the newest live release is live, and only the newest release can be unfinished. */
async function settle(run: Run, view: LedgerView): Promise<LedgerView> {
  const current = currentRelease(view.releases)
  const newest = view.releases[0]
  const releases: Release[] = []
  for (const release of view.releases) {
    const isUnfinished = unfinishedRelease([release]) !== undefined
    if (release.state === 'live' && current !== undefined && release !== current) {
      const state = current.rollbackOf === undefined ? 'superseded' : 'rolled-back'
      releases.push(await record(run, release, (before) => ({ ...before, state, replacedBy: current.number, endedAt: timestamp(run.clock) })))
    } else if (isUnfinished && newest !== undefined && release !== newest) releases.push(await markDropped(run, release, newest.number))
    else releases.push(release)
  }
  return { ...view, releases }
}

/** Another release is wanted than the one that was begun: requests go to what is known to be good, and the one that was begun ends. */
async function drop(run: Run, unfinished: Release, current: Release | undefined): Promise<void> {
  const served = current?.group ?? unfinished.before?.group
  if (served !== undefined && (await run.fleet.group(served)) !== undefined) await ensureServing(run, served)
  await markDropped(run, unfinished)
}

async function markDropped(run: Run, release: Release, replacedBy?: number): Promise<Release> {
  const at = timestamp(run.clock)
  return record(run, release, (before) => ({
    ...before,
    state: 'failed',
    restore: 'dropped',
    failure: before.failure ?? { gate: 'start', reason: 'it was interrupted, and another release was wanted', at },
    endedAt: at,
    ...(replacedBy === undefined ? {} : { replacedBy }),
  }))
}

function isSame(release: Release, wanted: WantedRelease, digest: string): boolean {
  return release.configDigest === digest && release.strategy.kind === wanted.strategy.kind && release.rollbackOf === wanted.rollbackOf
}

/** True when the group is exactly as the release left it. */
async function isWell(run: Run, release: Release): Promise<boolean> {
  const view = await lookAt(run, release.group)
  return convergeProblems(view, { template: release.template, count: run.target.size, isWhole: true }).length === 0
}

/** An image that may be rolled out, by its id. @throws KilnError E_RELEASE_REFUSED */
export function requireUsable(image: { readonly name: string; readonly status: string; readonly deprecation: string } | undefined, link: string): void {
  const refuse = (why: string): never => {
    throw new KilnError('E_RELEASE_REFUSED', `the image ${link} cannot be released: ${why}`, { hint: 'bake it again (kiln bake), or name another image' })
  }
  if (image === undefined) refuse('it is not there')
  else if (image.status !== 'READY') refuse(`it is ${image.status}`)
  else if (image.deprecation === 'OBSOLETE' || image.deprecation === 'DELETED') refuse(`it was revoked (${image.deprecation})`)
}
