/**
 * `kiln deploy` and `kiln rollback`. Without an image or a version, what is in the folder goes out: published, baked, and rolled out by the engine's last
 * resource. With one, and for a rollback, the source is not looked at: only the ledger, the image and the group are.
 */
import { KilnError } from '../../base/errors.ts'
import { loadStack } from '../../config/load.ts'
import { applyPlan } from '../../engine/apply.ts'
import { acquireLease } from '../../engine/lease.ts'
import type { Plan } from '../../engine/types.ts'
import type { DeployResult } from '../../release/deploy.ts'
import type { Releases } from '../../release/releases.ts'
import { openCloud } from '../stack/cloud.ts'
import { planPart } from '../stack/part.ts'
import { openSession } from '../stack/session.ts'
import type { VerbOptions } from '../up.ts'
import { balancerUrl } from './balancer.ts'
import { openReleases, partsOf, pruneAfter, requireServing, shapeOf, strategyOf } from './context.ts'
import type { DeliveryParts, RolloutRequest } from './context.ts'
import { throwReleaseError } from './failures.ts'
import { imageToRelease } from './images.ts'
import { requireLoadBalancer } from './live.ts'

export interface DeployOptions extends VerbOptions, RolloutRequest {
  /** Name or link of one image, instead of what is in the folder. */
  readonly image?: string | undefined
  /** Version of the package: the newest image that has it. Beside an image: what that image must have. */
  readonly version?: string | undefined
}

export interface RollbackOptions extends VerbOptions {
  readonly who: string
  readonly why: string
  /** Which release to bring back. Default: the one before the current one that served well. */
  readonly number?: number | undefined
}

export interface DeployReport extends Record<string, unknown> {
  /** `unchanged`: it served already. `mended`: it serves again as its record says. */
  readonly outcome: DeployResult['outcome']
  readonly release: number
  readonly image: string
  readonly version: string | undefined
  readonly strategy: string
  /** The release that this one brought back. */
  readonly rollbackOf: number | undefined
  /** It was begun by another run, which had died. */
  readonly resumed: boolean
  /** Where the server answers. */
  readonly url: string | undefined
  /** From the start of the rollout until all instances of it served, without the watch after it; undefined when nothing was rolled out. */
  readonly servingMs: number | undefined
  readonly durationMs: number
}

/**
 * Rolls a release out behind health gates; a failed one goes back by itself.
 * @throws KilnError E_RELEASE_FAILED (the group is back on the release before), E_RELEASE_REFUSED, E_FROZEN, E_LOCKED, E_NOT_FOUND; of package and image
 */
export async function deploy(options: DeployOptions): Promise<DeployReport> {
  return options.image === undefined && options.version === undefined ? deployFolder(options) : deployImage(options)
}

/** A new release with image and machines of an older one. @throws KilnError as `deploy`; E_RELEASE_REFUSED names what can be brought back */
export async function rollback(options: RollbackOptions): Promise<DeployReport> {
  return withReleases(options, 'rollback', { isRollback: true }, (releases) =>
    releases.rollback({ who: options.who, why: options.why, ...(options.number === undefined ? {} : { number: options.number }) }),
  )
}

/** Publish, bake, roll out; of all else only what the server needs. */
async function deployFolder(options: DeployOptions): Promise<DeployReport> {
  const startedAt = performance.now()
  const { config } = await loadStack(options.dir)
  const serving = requireServing(config)
  const lease = await acquireLease(options.home, config.project.id, 'deploy')
  try {
    const session = await openSession({ ...options, rollout: options })
    try {
      // On Google Terraform has made the group, or nobody has.
      if (session.target === 'gcp') await requireLoadBalancer(partsOf(session, serving, options))
      const planned = await planPart(session, [`release/${serving.name}`])
      await options.onPlan?.(planned.plan)
      await applyPlan(session.engine, planned).catch(throwReleaseError)
      const result = session.rollout.last() ?? (await servingNow(session.rollout.releases()))
      return report(result, await balancerUrl(session.clients, serving), performance.now() - startedAt)
    } finally {
      session.close()
    }
  } finally {
    await lease.release()
  }
}

async function deployImage(options: DeployOptions): Promise<DeployReport> {
  return withReleases(options, 'deploy', options, async (releases, parts) => {
    const { serving } = parts
    const found = await imageToRelease(parts, options, (await releases.list()).releases)
    return releases.deploy({
      image: found.image,
      shape: shapeOf(serving, options),
      strategy: strategyOf(serving, options),
      who: options.who,
      why: options.why,
      ...(found.package === undefined ? {} : { package: found.package }),
      ...((options.commit ?? found.commit) ? { commit: options.commit ?? found.commit ?? '' } : {}),
      ...(options.force === undefined ? {} : { force: options.force }),
    })
  })
}

type DirectWork = (releases: Releases, parts: DeliveryParts) => Promise<DeployResult>

/** The way that needs neither source nor engine: an emergency must not wait for a wheel. */
async function withReleases(options: VerbOptions, verb: string, request: Parameters<typeof openReleases>[1], work: DirectWork): Promise<DeployReport> {
  const startedAt = performance.now()
  const { config } = await loadStack(options.dir)
  const serving = requireServing(config)
  const lease = await acquireLease(options.home, config.project.id, verb)
  try {
    const parts = partsOf(await openCloud(options), serving, options)
    await requireLoadBalancer(parts)
    await options.onPlan?.(emptyPlan(config.project.id, serving.name, verb))
    const releases = openReleases(parts, request)
    const result = await work(releases, parts)
    if (result.outcome === 'live') await pruneAfter(releases, parts, verb)
    return report(result, await balancerUrl(parts.clients, serving), performance.now() - startedAt)
  } finally {
    await lease.release()
  }
}

/** One node, so that whoever is asked sees what would happen. */
function emptyPlan(stack: string, name: string, verb: string): Plan {
  return { stack, nodes: [{ address: `release/${name}`, kind: 'release', action: 'update', reasons: [`kiln ${verb}`], differences: [], drifted: false, after: [] }] }
}

async function servingNow(releases: Releases): Promise<DeployResult> {
  const { current } = await releases.list()
  if (current === undefined) throw new KilnError('E_RELEASE_REFUSED', 'there is no release that serves', { hint: 'kiln deploy' })
  return { outcome: 'unchanged', release: current, resumed: false, durationMs: 0 }
}

function report(result: DeployResult, url: string | undefined, durationMs: number): DeployReport {
  const { release } = result
  const gates = release.evidence.filter((entry) => entry.passed && ['start', 'canary', 'canary-bake', 'converge', 'switch'].includes(entry.gate))
  return {
    outcome: result.outcome,
    release: release.number,
    image: release.image.name,
    version: release.package?.version,
    strategy: release.strategy.kind,
    rollbackOf: release.rollbackOf,
    resumed: result.resumed,
    url,
    servingMs: result.outcome === 'live' ? gates.reduce((sum, entry) => sum + entry.durationMs, 0) : undefined,
    durationMs: Math.round(durationMs),
  }
}
