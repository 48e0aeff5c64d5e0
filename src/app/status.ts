/** `kiln status`: the rows of a plan, and how the server is now. */
import { call, isAbsent } from '../client/errors.ts'
import { servingOf } from '../compile/serving.ts'
import { loadStack } from '../config/load.ts'
import type { StackConfig } from '../config/schema.ts'
import type { Clients } from '../client/clients.ts'
import type { PlannedStack } from '../engine/engine.ts'
import { isRemoval } from '../engine/removals.ts'
import type { Plan } from '../engine/types.ts'
import { partsOf } from './delivery/context.ts'
import { servingStatus } from './delivery/live.ts'
import type { ServingStatus } from './delivery/live.ts'
import { githubAccess } from './github-access.ts'
import type { GithubAccess } from './github-access.ts'
import { openCloud } from './stack/cloud.ts'
import type { StackCloud } from './stack/cloud.ts'
import type { StackSession } from './stack/session.ts'
import type { VerbOptions } from './up.ts'

export interface StatusRow {
  readonly address: string
  readonly state: 'ok' | 'missing' | 'differs' | 'drifted' | 'extra'
  readonly reasons: readonly string[]
}

export interface StatusResult extends Record<string, unknown> {
  readonly stack: string
  readonly cloud: string
  /** Undefined when only the server was looked at. */
  readonly resources: readonly StatusRow[] | undefined
  readonly url: string | undefined
  readonly healthy: boolean | undefined
  /** The group behind the load balancer; undefined without a section `server`, or while nothing of it is there. */
  readonly server: ServingStatus | undefined
  /** What workflows of the repository sign in with; undefined without a section `github`, before it is there, and when only the server was looked at. */
  readonly github: GithubAccess | undefined
}

/** The rows of a plan, and how the server is now. */
export async function statusOf(session: StackSession, nodes: Plan['nodes'], observed: PlannedStack['observed'], options: VerbOptions): Promise<StatusResult> {
  const resources = nodes.map((node): StatusRow => ({ address: node.address, state: stateOf(node), reasons: node.action === 'noop' ? [] : node.reasons }))
  const { config } = session.stack
  return { ...(await serverNow(session, config, options)), resources, github: githubAccess(config, observed) }
}

/**
 * Only how the server is: neither the source nor the infrastructure is looked at. So a machine that delivers can ask it, and it is soon answered.
 * @throws KilnError of the config or the cloud
 */
export async function serverStatus(options: VerbOptions): Promise<StatusResult> {
  const { config } = await loadStack(options.dir)
  return serverNow(await openCloud(options), config, options)
}

async function serverNow(cloud: Pick<StackCloud, 'clients' | 'target' | 'url'>, config: StackConfig, options: VerbOptions): Promise<StatusResult> {
  const serving = servingOf(config)
  const server = serving === undefined ? undefined : await servingStatus(partsOf(cloud, serving, options))
  const health = serving === undefined ? await devHealth(cloud.clients, config) : server
  return { stack: config.project.id, cloud: cloud.url, resources: undefined, url: health?.url, healthy: health?.healthy, server, github: undefined }
}

function stateOf(node: Plan['nodes'][number]): StatusRow['state'] {
  if (node.drifted) return 'drifted'
  if (node.action === 'noop') return 'ok'
  if (node.action === 'create') return 'missing'
  return isRemoval(node) ? 'extra' : 'differs'
}

interface Health {
  readonly url: string
  readonly healthy: boolean
}

async function devHealth(clients: Clients, { project, location, dev, images }: StackConfig): Promise<Health | undefined> {
  const image = dev === undefined ? undefined : images[dev.image]
  if (dev === undefined || image === undefined || !('health' in image)) return undefined
  const address = await externalAddress(clients, project.id, location.zone, dev.name)
  if (address === undefined) return undefined
  const url = `http://${address}:${image.health.port}`
  try {
    const response = await fetch(`${url}${image.health.path}`, { signal: AbortSignal.timeout(5000) })
    await response.body?.cancel()
    return { url, healthy: response.ok }
  } catch {
    return { url, healthy: false }
  }
}

async function externalAddress(clients: Clients, project: string, zone: string, instance: string): Promise<string | undefined> {
  const compute = await clients.compute()
  try {
    const found = await call(compute.instances.get({ project, zone, instance }))
    return found.networkInterfaces?.[0]?.accessConfigs?.[0]?.natIP ?? undefined
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}
