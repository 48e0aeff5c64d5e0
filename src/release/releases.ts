/**
 * Releases of one stack: deploy, rollback, resume, list, prune. The only way in for the rest of Kiln.
 * @example const result = await createReleases(parts).deploy({ image: 'moshi-srv-3f2a91', shape, strategy: { kind: 'rolling' }, who: 'ann', why: 'merge of #12' })
 */
import { KilnError } from '../base/errors.ts'
import { systemClock } from './clock.ts'
import type { Clock } from './clock.ts'
import { deployRelease, mendRelease, requireUsable, resumeRelease } from './deploy.ts'
import type { DeployResult, WantedRelease } from './deploy.ts'
import type { Fleet, ImageFacts } from './fleet.ts'
import { requireThawed } from './freeze.ts'
import type { FreezeWindow } from './freeze.ts'
import { createLedger, currentRelease, previousGood } from './ledger.ts'
import type { LedgerProblem, LedgerView } from './ledger.ts'
import type { PinnedImage, Release } from './ledger.schema.ts'
import { acquireLock, lockHolder } from './lock.ts'
import type { LockNote } from './lock.ts'
import type { ObjectStore } from './objects.ts'
import { applyRetention, planRetention } from './retention.ts'
import type { RetentionPlan } from './retention.ts'
import { defaultTiming } from './run.ts'
import type { Probes, ReleaseEvent, Run, Target, Timing } from './run.ts'
import { lastingShape, templatePrefix, warmStartKey } from './template.ts'

export interface ReleaseParts {
  readonly store: ObjectStore
  readonly fleet: Fleet
  readonly target: Target
  readonly clock?: Clock
  readonly timing?: Partial<Timing>
  readonly probes?: Probes
  readonly freezes?: readonly FreezeWindow[]
  readonly emit?: (event: ReleaseEvent) => void
  readonly signal?: AbortSignal
  /** How long the lock holds without renewal, in milliseconds. */
  readonly lockTtlMs?: number
  /** The disk of a sick instance of a release that fails is kept. */
  readonly keepDisk?: boolean
  /** See `LockOptions.place`. */
  readonly lockPlace?: string
}

export type DeployRequest = Omit<WantedRelease, 'image' | 'rollbackOf' | 'template'> & {
  /** Name or link of an image; a family is refused, since it may name another image tomorrow. */
  readonly image: string
}

export interface RollbackRequest {
  /** Which release to bring back. Default: the one before the current one that served well. */
  readonly number?: number
  readonly who: string
  readonly why: string
}

export interface ReleaseList extends LedgerView {
  readonly current: Release | undefined
  /** What `rollback` without a number brings back. */
  readonly previous: Release | undefined
  /** Who deploys now. */
  readonly lock: LockNote | undefined
  readonly problems: readonly LedgerProblem[]
}

export interface PruneOptions {
  readonly keep: number
  readonly who: string
  /** All disks that were kept of failed releases go, also those whose release keeps its capsule. */
  readonly allDisks?: boolean
  readonly dryRun?: boolean
}

export interface Releases {
  /** @throws KilnError E_RELEASE_FAILED (the group is back on the last good release), E_RELEASE_REFUSED, E_FROZEN, E_LOCKED */
  deploy(request: DeployRequest): Promise<DeployResult>
  /** A new release with the image and configuration of an old one. @throws KilnError as `deploy`; E_RELEASE_REFUSED names what can be brought back */
  rollback(request: RollbackRequest): Promise<DeployResult>
  /** Brings the group back to what the current release says: template, size, requests. No new release. @throws KilnError E_RELEASE_REFUSED, E_NOT_HEALTHY, E_LOCKED */
  mend(who: string): Promise<DeployResult>
  /** Goes on with what a dead run left; undefined when there is nothing. */
  resume(who: string): Promise<DeployResult | undefined>
  list(): Promise<ReleaseList>
  /** What would go; and lets it go unless `dryRun`. */
  prune(options: PruneOptions): Promise<RetentionPlan>
}

export function createReleases(parts: ReleaseParts): Releases {
  const { store, fleet, target, clock = systemClock } = parts
  const ledger = createLedger(store, clock)

  async function locked<T>(owner: string, purpose: string, work: (run: Run) => Promise<T>): Promise<T> {
    if (!Number.isInteger(target.size) || target.size < 1)
      throw new KilnError('E_CONFIG_INVALID', `the group ${target.group} has the size ${target.size}; a release needs at least one instance to be judged by`)
    const lock = await acquireLock(store, clock, {
      owner,
      purpose,
      ...(parts.lockTtlMs === undefined ? {} : { ttlMs: parts.lockTtlMs }),
      ...(parts.lockPlace === undefined ? {} : { place: parts.lockPlace }),
    })
    const run: Run = {
      fleet,
      ledger,
      store,
      clock,
      lock,
      target,
      timing: { ...defaultTiming, ...parts.timing },
      probes: parts.probes ?? {},
      keepDisk: parts.keepDisk === true,
      emit: parts.emit ?? (() => {}),
      ...(parts.signal === undefined ? {} : { signal: parts.signal }),
    }
    let result: T
    try {
      result = await work(run)
    } catch (error) {
      // What went wrong is what the user must see, not that the lock could not be freed: it frees itself.
      await lock.release().catch(() => {})
      throw error
    }
    // The release is live; a lock that could not be freed frees itself.
    await lock.release().catch(() => {})
    return result
  }

  async function pin(link: string): Promise<PinnedImage> {
    if (link.includes('/images/family/')) {
      throw new KilnError('E_RELEASE_REFUSED', `${link} is a family: a release must name one image`, {
        hint: 'name the image itself; `gcloud compute images describe-from-family` says which it is',
      })
    }
    const image = await fleet.image(link)
    requireUsable(image, link)
    return pinned(image as ImageFacts)
  }

  /** Releases that served and whose image is still the same one. */
  async function candidates(releases: readonly Release[]): Promise<readonly Release[]> {
    const current = currentRelease(releases)
    const served = releases.filter((release) => release.liveAt !== undefined && release.number !== current?.number && release.configDigest !== current?.configDigest)
    const usable = await Promise.all(served.map(async (release) => ((await imageProblem(release)) === undefined ? [release] : [])))
    return usable.flat()
  }

  async function imageProblem(release: Release): Promise<string | undefined> {
    const image = await fleet.image(release.image.selfLink)
    if (image === undefined) return `its image ${release.image.name} is gone`
    if (image.id !== release.image.id) return `its image ${release.image.name} was replaced by another one of the same name (id ${image.id}, not ${release.image.id})`
    try {
      requireUsable(image, image.name)
    } catch {
      return `its image ${image.name} is ${image.status === 'READY' ? `revoked (${image.deprecation})` : image.status}`
    }
    return undefined
  }

  async function refuse(releases: readonly Release[], why: string): Promise<never> {
    const left = await candidates(releases)
    const names = left.map((release) => `${release.number}${release.package === undefined ? '' : ` (${release.package.version})`}`).join(', ')
    throw new KilnError('E_RELEASE_REFUSED', `${why}; ${names === '' ? 'no other release can be brought back' : `these can be brought back: ${names}`}`, {
      hint: names === '' ? 'deploy a new release' : `kiln rollback ${left[0]?.number ?? ''}`,
    })
  }

  return {
    async deploy(request) {
      requireThawed(parts.freezes ?? [], clock.now())
      if (request.strategy.kind === 'blue-green' && target.backendService === undefined) {
        throw new KilnError('E_CONFIG_INVALID', 'the strategy blue-green needs a load balancer to switch', { hint: 'use the strategy rolling or canary' })
      }
      const image = await pin(request.image)
      return locked(request.who, `deploy ${image.name}`, (run) => deployRelease(run, { ...request, image }))
    },
    async rollback(request) {
      return locked(request.who, `rollback${request.number === undefined ? '' : ` to ${request.number}`}`, async (run) => {
        const { releases } = await ledger.list()
        const current = currentRelease(releases)
        const old = request.number === undefined ? previousGood(releases) : releases.find(({ number }) => number === request.number)
        if (old === undefined) {
          return refuse(releases, request.number === undefined ? 'there is no release before the current one that served well' : `there is no release ${request.number}`)
        }
        if (old.liveAt === undefined) return refuse(releases, `release ${old.number} never served (it is ${old.state})`)
        const problem = await imageProblem(old)
        if (problem !== undefined) return refuse(releases, `release ${old.number} cannot be brought back: ${problem}`)
        // That its machines were to boot when it was new is no part of what is brought back: going back is to be quick.
        const begunCold = old.shape.metadata[warmStartKey] !== undefined
        const isSwitched = current?.strategy.kind === 'blue-green' && target.backendService !== undefined
        return deployRelease(run, {
          image: old.image,
          shape: lastingShape(old.shape),
          strategy: isSwitched ? { kind: 'blue-green' } : { kind: 'rolling' },
          who: request.who,
          why: request.why,
          rollbackOf: old.number,
          ...(begunCold ? {} : { template: old.template }),
          ...(old.package === undefined ? {} : { package: old.package }),
          ...(old.commit === undefined ? {} : { commit: old.commit }),
        })
      })
    },
    mend: (who) => locked(who, 'mend', mendRelease),
    resume: (who) => locked(who, 'resume', resumeRelease),
    async list() {
      const [view, lock] = await Promise.all([ledger.list(), lockHolder(store, clock)])
      return { ...view, current: currentRelease(view.releases), previous: previousGood(view.releases), lock }
    },
    prune: ({ keep, who, allDisks = false, dryRun }) =>
      locked(who, 'prune', async (run) => {
        const view = await ledger.list()
        const [templates, images, groups, machines, disks] = await Promise.all([
          fleet.templates(templatePrefix(target.stack)),
          fleet.images(),
          fleet.groups(),
          fleet.machines(),
          fleet.keptDisks(target.stack),
        ])
        const plan = planRetention({ ...view, stack: target.stack, templates, images, groups, machines, disks, keep, allDisks })
        return dryRun === true ? plan : applyRetention(fleet, store, plan, () => run.lock.check())
      }),
  }
}

function pinned(image: ImageFacts): PinnedImage {
  return { name: image.name, selfLink: image.selfLink, id: image.id, ...(image.digest === undefined ? {} : { digest: image.digest }) }
}
