/** The deployer of a stack, wired: the library's parts from the config, the cloud's clients, and who asks. */
import { hostname } from 'node:os'
import { KilnError, describeError } from '../../base/errors.ts'
import { sha256Hex } from '../../base/ids.ts'
import { SECOND_MS, formatDuration } from '../../base/units.ts'
import type { Clients } from '../../client/clients.ts'
import { servingOf, servingPortName } from '../../compile/serving.ts'
import type { Serving } from '../../compile/serving.ts'
import type { StackConfig } from '../../config/schema.ts'
import type { KilnHome } from '../../host/home.ts'
import { googleFleet } from '../../release/fleet.google.ts'
import type { FreezeWindow } from '../../release/freeze.ts'
import type { Shape, Strategy } from '../../release/ledger.schema.ts'
import { bucketObjects } from '../../release/objects.ts'
import { createReleases } from '../../release/releases.ts'
import type { Releases } from '../../release/releases.ts'
import type { ReleaseEvent } from '../../release/run.ts'
import { warmStartKey } from '../../release/template.ts'
import type { StackCloud } from '../stack/cloud.ts'
import { releaseProbes } from './probes.ts'

export type StrategyName = Strategy['kind']

/** How a release goes out, and for whom. What is left out is the config's. */
export interface RolloutRequest {
  readonly strategy?: StrategyName | undefined
  readonly canaryPercent?: number | undefined
  readonly bakeSeconds?: number | undefined
  /** A person, an account, a pipeline. */
  readonly who: string
  readonly why: string
  /** The commit that the release is made of. */
  readonly commit?: string | undefined
  /** Also when nothing would change. */
  readonly force?: boolean | undefined
  /** Its machines boot, and are not resumed from a memory snapshot. */
  readonly cold?: boolean | undefined
  /** The disk of one of its sick machines is kept when it fails. */
  readonly keepDisk?: boolean | undefined
}

export interface DeliveryParts {
  readonly home: KilnHome
  readonly clients: Clients
  readonly serving: Serving
  readonly signal: AbortSignal
  readonly note: (text: string) => void
  /** This machine reaches no VM by itself, as on Google: none is asked for its version. */
  readonly isRemote?: boolean
}

/** The parts on a cloud that is open. */
export function partsOf(
  { clients, target }: Pick<StackCloud, 'clients' | 'target'>,
  serving: Serving,
  { home, signal, note }: Pick<DeliveryParts, 'home' | 'signal' | 'note'>,
): DeliveryParts {
  return { home, clients, serving, signal, note, isRemote: target === 'gcp' }
}

/** @throws KilnError E_NOT_FOUND when the config has no section `server` */
export function requireServing(config: StackConfig): Serving {
  const serving = servingOf(config)
  if (serving !== undefined) return serving
  throw new KilnError('E_NOT_FOUND', 'the config has no `server` section, so there is no group to roll releases out on', {
    hint: "add server: { image: '…', size: 2 } to kiln.config.ts, then: kiln up",
  })
}

/** Looks between two changes of a rollout: often enough to be quick, seldom enough to leave the machine its time. */
const POLL_MS = 1000
/** A release that served before is looked at this long at most: it is proven, and whoever goes back is in a hurry. */
const ROLLBACK_BAKE_MS = 5 * SECOND_MS

/** The caller holds the stack's lease, which is why the ledger's lock of a dead run of this data folder is taken over at once. */
export function openReleases(parts: DeliveryParts, request: Pick<RolloutRequest, 'bakeSeconds' | 'keepDisk'> & { readonly isRollback?: boolean } = {}): Releases {
  const { home, clients, serving, signal, note } = parts
  const { name, server, image } = serving
  const bakeMs = (request.bakeSeconds ?? server.bakeSeconds) * SECOND_MS
  return createReleases({
    store: bucketObjects(clients, serving.bucket),
    fleet: googleFleet(clients, { projectId: serving.projectId, zone: serving.zone }),
    target: {
      stack: serving.stack,
      group: name,
      size: server.size,
      port: image.health.port,
      namedPorts: [{ name: servingPortName, port: image.health.port }],
      backendService: name,
      healthCheck: serving.healingCheck,
      initialDelaySec: serving.healingDelaySeconds,
    },
    timing: {
      pollMs: POLL_MS,
      stallMs: image.health.timeoutSeconds * SECOND_MS,
      bakeMs: request.isRollback === true ? Math.min(bakeMs, ROLLBACK_BAKE_MS) : bakeMs,
    },
    probes: releaseProbes(parts),
    keepDisk: request.keepDisk === true,
    freezes: server.freezes.map(freezeWindow),
    emit: (event) => note(eventText(event)),
    signal,
    lockPlace: sha256Hex(`${hostname()} ${home.root}`).slice(0, 16),
  })
}

export function strategyOf(serving: Serving, request: Pick<RolloutRequest, 'strategy' | 'canaryPercent' | 'bakeSeconds'>): Strategy {
  const { strategy, canary } = serving.server
  const kind = request.strategy ?? (request.canaryPercent === undefined ? strategy : 'canary')
  if (kind !== 'canary') return { kind }
  return { kind, percent: request.canaryPercent ?? canary.percent, bakeMs: Math.min(canary.bakeSeconds, request.bakeSeconds ?? canary.bakeSeconds) * SECOND_MS }
}

/** Machines with it boot, and are not resumed from a memory snapshot. */
export function coldMetadata(metadata: Readonly<Record<string, string>>): Record<string, string> {
  return { ...metadata, [warmStartKey]: 'never' }
}

/** The shape of the config's machines, as a release records it. */
export function shapeOf(serving: Serving, request: Pick<RolloutRequest, 'cold'> = {}): Shape {
  const { shape } = serving
  const metadata = request.cold === true ? coldMetadata(shape.metadata) : { ...shape.metadata }
  return { ...shape, tags: [...shape.tags], labels: { ...shape.labels }, metadata, scopes: [...shape.scopes] }
}

function freezeWindow(freeze: Serving['server']['freezes'][number]): FreezeWindow {
  const { days, timeZone, ...once } = freeze
  if (days === undefined) return once
  return { ...once, days, ...(timeZone === undefined ? {} : { timeZone }) }
}

/** Old releases go after a new one is live; whatever keeps them, the release stands. */
export async function pruneAfter(releases: Releases, parts: Pick<DeliveryParts, 'serving' | 'note'>, who: string): Promise<void> {
  try {
    const { templates, images, disks } = await releases.prune({ keep: parts.serving.server.keepReleases, who })
    const names = [...templates, ...images.map(({ name }) => name), ...disks.map((name) => `disk ${name}`)]
    if (names.length > 0) parts.note(`removed of old releases: ${names.join(', ')}`)
  } catch (error) {
    parts.note(`old releases could not be removed: ${describeError(error)}`)
  }
}

/** One line of progress. */
export function eventText(event: ReleaseEvent): string {
  if (event.type === 'state') return `release ${event.release} is ${event.state}`
  if (event.type === 'note') return `release ${event.release}: ${event.text}`
  const took = formatDuration(event.durationMs)
  return `release ${event.release}: gate "${event.gate}" ${event.passed ? 'passed' : 'NOT passed'} after ${took}: ${event.seen}`
}
