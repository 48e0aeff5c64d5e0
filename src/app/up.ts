/** `kiln up`, `plan`, `status` and `destroy`: the whole runbook in the right order. */
import { applyPlan } from '../engine/apply.ts'
import type { ApplyResult } from '../engine/apply.ts'
import type { PlannedStack } from '../engine/engine.ts'
import { planDestroy } from '../engine/destroy.ts'
import { acquireLease } from '../engine/lease.ts'
import { openInventory } from '../engine/inventory.ts'
import { planStack } from '../engine/plan.ts'
import type { Address, EngineEvent, Plan } from '../engine/types.ts'
import { devAddresses } from '../compile/compile.ts'
import type { Serving } from '../compile/serving.ts'
import { loadStack } from '../config/load.ts'
import type { KilnHome } from '../host/home.ts'
import { resourceKinds } from '../resources/kinds.ts'
import { imageKind } from './kinds/image.ts'
import { pythonPackageKind } from './kinds/python-package.ts'
import { releaseKind } from './kinds/release.ts'
import { releaseLedgerKind } from './kinds/release-ledger.ts'
import { startCloud } from './cloud/control.ts'
import { balancerUrl, waitForBalancer } from './delivery/balancer.ts'
import { throwReleaseError } from './delivery/failures.ts'
import { pocketClients } from './stack/cloud-clients.ts'
import type { Target } from './stack/cloud.ts'
import { githubAccess } from './github-access.ts'
import type { GithubAccess } from './github-access.ts'
import { waitHealthy } from './stack/health.ts'
import { removalParts } from './stack/removal-parts.ts'
import { openSession } from './stack/session.ts'
import type { StackSession } from './stack/session.ts'
import { statusOf } from './status.ts'
import type { StatusResult } from './status.ts'

export interface VerbOptions {
  readonly home: KilnHome
  /** Default: the pocket cloud. */
  readonly target?: Target
  readonly dir: string
  readonly signal: AbortSignal
  readonly note: (text: string) => void
  /** Called with the plan before anything changes; returns when the user agreed, and says who hears of progress. */
  readonly onPlan?: (plan: Plan) => Promise<void>
  readonly onEvent?: (event: EngineEvent) => void
  readonly noCache?: boolean
  /** Resolve all Debian packages again instead of taking those of kiln.lock. */
  readonly updateLock?: boolean
  /** `kiln dev`: a VM that has to be made boots instead of going on from a memory snapshot. */
  readonly cold?: boolean
}

export interface UpResult extends Record<string, unknown> {
  /** Where the server answers: at the load balancer with a section `server`, else at the dev VM; undefined when the config has neither. */
  readonly url: string | undefined
  /** The number of the release that serves; undefined without a section `server`. */
  readonly release: number | undefined
  readonly image: string | undefined
  readonly imageDigest: string | undefined
  readonly package: string | undefined
  readonly version: string | undefined
  /** For pip, with `oauth2accesstoken` and a token as credentials. */
  readonly indexUrl: string | undefined
  /** What workflows of the repository sign in with; undefined without a section `github`. */
  readonly github: GithubAccess | undefined
  readonly changes: number
  readonly durationMs: number
}

/**
 * Brings the stack to what its config says, and waits until its server is healthy. Safe to repeat; goes on where it stopped.
 * @throws KilnError E_LOCKED when another command changes the stack; E_APPLY with every failure; E_NOT_HEALTHY; of config and package
 */
export async function up(options: VerbOptions): Promise<UpResult> {
  const startedAt = performance.now()
  const stack = await loadStack(options.dir)
  const lease = await acquireLease(options.home, stack.config.project.id, 'up')
  try {
    const session = await openSession(options)
    try {
      const planned = await planWhole(session)
      await options.onPlan?.(planned.plan)
      const result = await applyPlan(session.engine, planned).catch(throwReleaseError)
      return await finishUp(session, result, startedAt, options)
    } finally {
      session.close()
    }
  } finally {
    await lease.release()
  }
}

/** Waits until the server is well, and says where everything is. */
export async function finishUp(session: StackSession, result: Pick<ApplyResult, 'attributes' | 'changes'>, startedAt: number, options: VerbOptions): Promise<UpResult> {
  const url = session.serving === undefined ? await devUrl(session, result.attributes, options) : await servingUrl(session, session.serving, options)
  const family = session.stack.config.server?.image ?? session.stack.config.dev?.image
  const image = result.attributes.get(`image/${family ?? ''}`)
  const release = result.attributes.get(`release/${session.serving?.name ?? ''}`)
  const wheel = session.packageName === undefined ? undefined : result.attributes.get(`python-package/${session.packageName}`)
  return {
    url,
    release: typeof release?.['number'] === 'number' ? release['number'] : undefined,
    image: text(image?.['name']),
    imageDigest: text(image?.['digest']),
    package: session.packageName,
    version: text(wheel?.['version']),
    indexUrl: text(wheel?.['indexUrl']),
    github: githubAccess(session.stack.config, result.attributes),
    changes: result.changes,
    durationMs: Math.round(performance.now() - startedAt),
  }
}

/**
 * The plan of all but the dev VM, when there is a group: then that VM is only of `kiln dev`, which makes it and brings it up to date.
 */
async function planWhole(session: StackSession): Promise<PlannedStack> {
  const { dev } = session.stack.config
  if (session.serving === undefined || dev === undefined) return planStack(session.engine, session.desired)
  const ofDev = devAddresses(dev)
  const planned = await planStack(
    session.engine,
    session.desired.filter((resource) => !ofDev.includes(resource.address)),
  )
  return { ...planned, plan: { ...planned.plan, nodes: planned.plan.nodes.filter((node) => !ofDev.includes(node.address)) } }
}

async function devUrl(session: StackSession, attributes: ReadonlyMap<Address, Readonly<Record<string, unknown>>>, options: VerbOptions): Promise<string | undefined> {
  const { dev } = session.stack.config
  return dev === undefined ? undefined : waitHealthy(session, dev, String(attributes.get(`instance/${dev.name}`)?.['externalIp'] ?? ''), options.note)
}

async function servingUrl(session: StackSession, serving: Serving, options: VerbOptions): Promise<string | undefined> {
  const url = await balancerUrl(session.clients, serving)
  if (url !== undefined) await waitForBalancer(url, serving, options)
  return url
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** What `up` would do. Changes nothing but starting the pocket cloud. */
export async function plan(options: VerbOptions): Promise<Plan> {
  const session = await openSession(options)
  try {
    return (await planWhole(session)).plan
  } finally {
    session.close()
  }
}

/** What is there, compared with the config; drift is told apart from changes of the config. */
export async function status(options: VerbOptions): Promise<StatusResult> {
  const session = await openSession(options)
  try {
    const planned = await planWhole(session)
    return await statusOf(session, planned.plan.nodes, planned.observed, options)
  } finally {
    session.close()
  }
}

/**
 * Removes everything that Kiln made for the stack and nothing else. Needs the config only for the stack's name.
 * @throws KilnError E_APPLY with what could not be removed; run again to go on
 */
export async function destroy(options: VerbOptions): Promise<{ readonly removed: number; readonly plan: Plan }> {
  const stack = await loadStack(options.dir)
  const name = stack.config.project.id
  const lease = await acquireLease(options.home, name, 'destroy')
  try {
    const { daemon } = await startCloud({ home: options.home })
    const clients = pocketClients(options.home, daemon.url)
    const inventory = openInventory(options.home, name)
    try {
      const engine = {
        stack: name,
        kinds: [
          ...[...resourceKinds.values()].map((entry) => entry.kind),
          pythonPackageKind(removalParts.package),
          imageKind(() => removalParts.image),
          releaseLedgerKind,
          releaseKind(removalParts.release),
        ],
        clients,
        inventory,
        signal: options.signal,
        ...(options.onEvent === undefined ? {} : { onEvent: options.onEvent }),
      }
      const planned = planDestroy(engine)
      await options.onPlan?.(planned.plan)
      const result = await applyPlan(engine, planned)
      return { removed: result.changes, plan: planned.plan }
    } finally {
      inventory.close()
    }
  } finally {
    await lease.release()
  }
}
