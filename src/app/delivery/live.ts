/** What serves now: the release, the group's VMs and their health, the load balancer. Reads only. */
import { KilnError } from '../../base/errors.ts'
import { isAbsent } from '../../client/errors.ts'
import { googleFleet } from '../../release/fleet.google.ts'
import { memberProblem } from '../../release/gates.ts'
import { lookAtGroup } from '../../release/watch.ts'
import { answersAt, balancerUrl } from './balancer.ts'
import { openReleases } from './context.ts'
import type { DeliveryParts } from './context.ts'

export interface ServingInstance {
  readonly name: string
  /** RUNNING, STAGING …, or what the group does with it. */
  readonly state: string
  readonly isHealthy: boolean
  /** Of the current release, and not of one that comes or goes. */
  readonly isCurrent: boolean
  readonly problem: string | undefined
}

export interface ServingStatus {
  /** Where the server answers; undefined while there is no load balancer. */
  readonly url: string | undefined
  readonly healthy: boolean
  /** Number of the current release. */
  readonly release: number | undefined
  readonly image: string | undefined
  readonly version: string | undefined
  readonly group: string
  readonly size: number
  readonly wanted: number
  readonly instances: readonly ServingInstance[]
  /** Who deploys now. */
  readonly deploying: string | undefined
}

/** Undefined when nothing of it is there. */
export async function servingStatus(parts: DeliveryParts): Promise<ServingStatus | undefined> {
  const { clients, serving, signal } = parts
  try {
    const { current, lock } = await openReleases(parts).list()
    const group = current?.group ?? serving.name
    const view = await lookAtGroup(googleFleet(clients, { projectId: serving.projectId, zone: serving.zone, signal }), group, serving.name)
    const url = await balancerUrl(clients, serving)
    return {
      url,
      healthy: url !== undefined && (await answersAt(url, serving)),
      release: current?.number,
      image: current?.image.name,
      version: current?.package?.version,
      group,
      size: view.group?.size ?? 0,
      wanted: serving.server.size,
      instances: view.members.map((member) => {
        const problem = memberProblem(view, member)
        const state = member.action === 'NONE' ? (member.status ?? 'not there') : member.action
        return { name: member.name, state, isHealthy: problem === undefined, isCurrent: member.template === current?.template, problem }
      }),
      deploying: lock === undefined ? undefined : `${lock.owner}: ${lock.purpose}, since ${lock.since}`,
    }
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

/** @throws KilnError E_NOT_FOUND when the stack's load balancer is not there */
export async function requireLoadBalancer({ clients, serving, isRemote }: DeliveryParts): Promise<void> {
  const nothing = (): KilnError =>
    new KilnError('E_NOT_FOUND', `the load balancer of the stack (backend service ${serving.name}) is not there`, {
      hint: `run \`kiln up${isRemote === true ? ' --target gcp' : ''}\` first`,
    })
  try {
    if ((await googleFleet(clients, { projectId: serving.projectId, zone: serving.zone }).backends(serving.name)) === undefined) throw nothing()
  } catch (error) {
    throw isAbsent(error) ? nothing() : error
  }
}
