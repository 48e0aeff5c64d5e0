/** `kiln releases`: the ledger as it is, one release with its evidence, and what of old releases may go. */
import { KilnError } from '../../base/errors.ts'
import { isAbsent } from '../../client/errors.ts'
import { loadStack } from '../../config/load.ts'
import { acquireLease } from '../../engine/lease.ts'
import type { Release } from '../../release/ledger.schema.ts'
import { bucketObjects } from '../../release/objects.ts'
import type { ReleaseList, Releases } from '../../release/releases.ts'
import { openCloud } from '../stack/cloud.ts'
import type { VerbOptions } from '../up.ts'
import { callerOf } from './caller.ts'
import { openReleases, partsOf, requireServing } from './context.ts'
import type { DeliveryParts } from './context.ts'

export interface ReleaseRow {
  readonly number: number
  readonly state: Release['state']
  readonly isCurrent: boolean
  readonly image: string
  readonly version: string | undefined
  readonly commit: string | undefined
  readonly strategy: string
  readonly who: string
  readonly why: string
  readonly at: string
  readonly rollbackOf: number | undefined
  /** Why it failed. */
  readonly failure: string | undefined
}

export interface ReleasesReport extends Record<string, unknown> {
  readonly stack: string
  /** Newest first. */
  readonly releases: readonly ReleaseRow[]
  readonly current: number | undefined
  /** What `kiln rollback` brings back. */
  readonly previous: number | undefined
  readonly lock: ReleaseList['lock'] | undefined
  /** Records that cannot be read. */
  readonly problems: ReleaseList['problems']
}

export async function listReleases(options: VerbOptions): Promise<ReleasesReport> {
  const parts = await openParts(options)
  const view = await readLedger(openReleases(parts))
  return {
    stack: parts.serving.stack,
    releases: view?.releases.map((release) => rowOf(release, view.current)) ?? [],
    current: view?.current?.number,
    previous: view?.previous?.number,
    lock: view?.lock,
    problems: view?.problems ?? [],
  }
}

export interface ReleaseReport extends Record<string, unknown> {
  readonly release: Release
  /** The failure capsule: what the instances said before they went. `text` only when it was asked for. */
  readonly capsule: readonly { readonly object: string; readonly text?: string }[]
}

/** @throws KilnError E_NOT_FOUND that says which there are; E_DATA_BROKEN for a torn record */
export async function showRelease(options: VerbOptions & { readonly number: number; readonly withTexts: boolean }): Promise<ReleaseReport> {
  const parts = await openParts(options)
  const view = await readLedger(openReleases(parts))
  const release = view?.releases.find(({ number }) => number === options.number)
  if (release === undefined) {
    const torn = view?.problems.find(({ object }) => Number(/(\d+)\.json$/.exec(object)?.[1]) === options.number)
    if (torn !== undefined) throw new KilnError('E_DATA_BROKEN', `${torn.object} cannot be read: ${torn.problem}`)
    const numbers = view?.releases.map(({ number }) => number).join(', ') ?? ''
    throw new KilnError('E_NOT_FOUND', `there is no release ${options.number}`, { hint: numbers === '' ? 'there is none yet: kiln deploy' : `there are: ${numbers}` })
  }
  const store = bucketObjects(parts.clients, parts.serving.bucket, parts.signal)
  const objects = (release.capsule ?? []).map((link) => link.replace(`gs://${parts.serving.bucket}/`, ''))
  const capsule = await Promise.all(
    objects.map(async (object) =>
      options.withTexts ? { object, text: (await store.read(object))?.text ?? 'it is gone: kiln releases prune, or somebody, removed it\n' } : { object },
    ),
  )
  return { release, capsule }
}

export interface PruneReport extends Record<string, unknown> {
  readonly templates: readonly string[]
  readonly images: readonly string[]
  readonly capsules: readonly number[]
  /** Disks that were kept of failed releases. */
  readonly disks: readonly string[]
  readonly blocked: string | undefined
  readonly dryRun: boolean
}

/** Removes templates, images, capsules and kept disks of old releases; never what a release that is kept, a group or a VM needs. */
export async function pruneReleases(options: VerbOptions & { readonly keep?: number | undefined; readonly allDisks?: boolean; readonly dryRun: boolean }): Promise<PruneReport> {
  const { config } = await loadStack(options.dir)
  const lease = await acquireLease(options.home, config.project.id, 'releases prune')
  try {
    const parts = await openParts(options)
    const { dryRun, allDisks = false } = options
    const plan = await openReleases(parts).prune({ keep: options.keep ?? parts.serving.server.keepReleases, who: callerOf(process.env).who, allDisks, dryRun })
    const { templates, images, capsules, disks, blocked } = plan
    return { templates, images: images.map(({ name }) => name), capsules, disks, blocked, dryRun }
  } finally {
    await lease.release()
  }
}

async function openParts(options: VerbOptions): Promise<DeliveryParts> {
  const { config } = await loadStack(options.dir)
  const serving = requireServing(config)
  return partsOf(await openCloud(options), serving, options)
}

/** Undefined while there is no ledger. */
async function readLedger(releases: Releases): Promise<ReleaseList | undefined> {
  try {
    return await releases.list()
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

function rowOf(release: Release, current: Release | undefined): ReleaseRow {
  return {
    number: release.number,
    state: release.state,
    isCurrent: release.number === current?.number,
    image: release.image.name,
    version: release.package?.version,
    commit: release.commit,
    strategy: release.strategy.kind,
    who: release.who,
    why: release.why,
    at: release.createdAt,
    rollbackOf: release.rollbackOf,
    failure: release.failure?.reason,
  }
}
