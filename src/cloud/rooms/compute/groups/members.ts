/**
 * What instance groups and load balancing know of each other, as two small interfaces: groups tell who their members are and what has to be probed;
 * the balancing part tells how members are and drains one before it goes. Neither imports the other's services.
 */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { firstBindablePort } from '../../../../host/ports.ts'
import { linkTail, parseLink, selfLink } from '../links.ts'
import type { Compute } from '../service.ts'
import { PRIVILEGED_SHIFT } from '../service.forwards.ts'
import type { Instance } from '../service.instances.ts'
import type { Resource } from '../store.ts'
import type { GroupStore } from './store.ts'

export type Health = 'HEALTHY' | 'UNHEALTHY' | 'UNKNOWN'

export interface GroupHidden {
  /** Members of an unmanaged group, by instance id. A managed group's are in their own table. */
  readonly instanceIds: readonly string[]
  /** Id of the manager's row, for a managed group. */
  readonly managerId?: string
}

export type InstanceGroup = Resource<compute_v1.Schema$InstanceGroup, GroupHidden>

export interface GroupMember {
  readonly instance: Instance
  /** `https://www.googleapis.com/compute/v1/projects/P/zones/Z/instances/NAME` */
  readonly link: string
  /** Its address in its network, which getHealth shows. */
  readonly ipAddress: string
  /** False while the group takes it away (draining, being deleted or restarted): no new requests. */
  readonly isStaying: boolean
}

export interface ProbeTarget {
  /** Link of a health check, in Google's form, that an auto-healing policy names. */
  readonly healthCheck: string
  readonly group: string
  readonly member: GroupMember
}

/** Provided by groups/, for load balancing. Cheap: reads rows. */
export interface Members {
  /** Members whose machine exists, of a group named by a link of any form; none when the group is gone. */
  members(groupLink: string): readonly GroupMember[]
  /** Port numbers of a named port of the group; empty when it has no such name. */
  namedPorts(groupLink: string, name: string): readonly number[]
  /** Where this host reaches a port of the instance; undefined while it has no address that this host reaches. */
  endpoint(instance: Instance, guestPort: number): Promise<{ readonly host: string; readonly port: number } | undefined>
  /** What auto-healing wants to be probed now, over all groups. */
  probeTargets(): readonly ProbeTarget[]
}

/** Provided by balancing/, for groups. */
export interface Balancing {
  /** State by the named health check (a link), as last probed; UNKNOWN before the first verdict. */
  healthByCheck(instance: Instance, healthCheck: string): Health
  /** Worst state over the backend services that the instance's group serves; undefined: it serves none. */
  healthAsBackend(instance: Instance, groupLink: string): Health | undefined
  /** No new requests from now on; resolves when those under way ended or the draining timeout passed. Repeatable. */
  drain(instance: Instance): Promise<void>
}

export function createMembers(compute: Compute, groupStore: GroupStore): Members {
  const { store } = compute

  function find(groupLink: string): InstanceGroup | undefined {
    const reference = parseLink(groupLink, { projectId: '', scope: '', collection: 'instanceGroups' })
    const projectId = compute.kernel.projects.find(reference.projectId)?.projectId ?? reference.projectId
    return store.get({ ...reference, projectId }) as InstanceGroup | undefined
  }

  function toMember(instanceId: string | undefined, isStaying: boolean): readonly GroupMember[] {
    const instance = instanceId === undefined ? undefined : (store.byId(instanceId) as Instance | undefined)
    if (instance === undefined) return []
    return [{ instance, link: selfLink(instance), ipAddress: instance.record.networkInterfaces?.[0]?.networkIP ?? '', isStaying }]
  }

  function membersOf(group: InstanceGroup): readonly GroupMember[] {
    if (group.hidden.managerId === undefined) return group.hidden.instanceIds.flatMap((id) => toMember(id, true))
    return groupStore
      .listManaged(group.hidden.managerId)
      .flatMap((managed) => toMember(managed.instanceId, !['drain', 'delete', 'deleting', 'restart', 'stopping'].includes(managed.step)))
  }

  return {
    members(groupLink) {
      const group = find(groupLink)
      return group === undefined ? [] : membersOf(group)
    },
    namedPorts: (groupLink, name) => (find(groupLink)?.record.namedPorts ?? []).filter((port) => port.name === name).map((port) => port.port ?? 0),
    async endpoint(instance, guestPort) {
      const host = instance.hidden.externalAddress
      if (host === undefined) return undefined
      return { host, port: guestPort < (await firstBindablePort()) ? guestPort + PRIVILEGED_SHIFT : guestPort }
    },
    probeTargets: () =>
      (store.list('instanceGroups') as readonly InstanceGroup[]).flatMap((group) => {
        const manager = group.hidden.managerId === undefined ? undefined : (store.byId(group.hidden.managerId)?.record as compute_v1.Schema$InstanceGroupManager | undefined)
        const checks = (manager?.autoHealingPolicies ?? []).flatMap((policy) => (policy.healthCheck ? [policy.healthCheck] : []))
        return checks.length === 0 ? [] : membersOf(group).flatMap((member) => checks.map((healthCheck) => ({ healthCheck, group: selfLink(group), member })))
      }),
  }
}

/** True when two links, of any host and form with `projects/`, name the same thing. */
export function sameLink(left: string, right: string): boolean {
  return linkTail(left) === linkTail(right)
}
