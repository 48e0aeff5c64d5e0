/** Instance groups: those that a manager fills, and those that users fill by hand. https://cloud.google.com/compute/docs/reference/rest/v1/instanceGroups */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { ApiError, invalidArgument } from '../../../kernel/api-error.ts'
import type { Operation } from '../../../kernel/operations.ts'
import { fingerprintMismatch } from '../errors.ts'
import { linkTo, parseLink, resourcePath, selfLink } from '../links.ts'
import { requireName, requireZone } from '../service.ts'
import type { Caller, Compute } from '../service.ts'
import type { Instance } from '../service.instances.ts'
import { fingerprint, head, sameFingerprint } from '../shapes.ts'
import type { Key, Resource } from '../store.ts'
import { sameLink } from './members.ts'
import type { InstanceGroup, Members } from './members.ts'
import type { GroupBody, NamedPortsBody } from './schema.ts'

export interface Groups {
  /** An unmanaged group. @throws ApiError 400, 404, 409 */
  insert(caller: Caller, projectId: string, zone: string, body: GroupBody): Operation
  get(projectId: string, zone: string, name: string): InstanceGroup
  /** @throws ApiError 400 for a managed group, or while a backend service uses it */
  remove(caller: Caller, group: InstanceGroup): Operation
  setNamedPorts(caller: Caller, group: InstanceGroup, body: NamedPortsBody): Operation
  addInstances(caller: Caller, group: InstanceGroup, links: readonly string[]): Operation
  removeInstances(caller: Caller, group: InstanceGroup, links: readonly string[]): Operation
  /** As the API shows it, with its size. */
  present(group: InstanceGroup): compute_v1.Schema$InstanceGroup
  /** `state`: `ALL` or `RUNNING`. Sorted by link. */
  listInstances(group: InstanceGroup, state: string | null | undefined): readonly compute_v1.Schema$InstanceWithNamedPorts[]
  /** Inside a transaction: the row of a new group. @throws ApiError 409 */
  createRow(key: Key, fields: GroupBody, managerId?: string): InstanceGroup
  /** Inside a transaction: forgets the group. */
  removeRow(group: InstanceGroup): void
  /** @throws ApiError 400 while a backend service uses it. */
  requireUnused(group: InstanceGroup): void
}

export function createGroupRows(compute: Compute, members: Members): Groups {
  const { store, kernel } = compute

  function findInstances(group: InstanceGroup, links: readonly string[]): readonly Instance[] {
    return links.map((link) => {
      const reference = parseLink(link, { projectId: group.projectId, scope: group.scope, collection: 'instances' })
      const instance = compute.get<Instance>({ ...reference, projectId: kernel.projects.find(reference.projectId)?.projectId ?? reference.projectId })
      if (instance.scope !== group.scope || instance.projectId !== group.projectId)
        throw invalidArgument(`Invalid value for field 'instances': '${link}'. The instance must be in the zone of the group.`)
      return instance
    })
  }

  function requireUnmanaged(group: InstanceGroup): void {
    if (group.hidden.managerId !== undefined)
      throw invalidArgument(`Invalid usage of the resource '${resourcePath(group)}': the membership of a managed instance group is changed through its manager.`)
  }

  function change(caller: Caller, type: string, group: InstanceGroup, edit: (current: InstanceGroup) => InstanceGroup): Operation {
    return compute.begin(caller, { type: `instanceGroups.${type}`, key: group, targetId: group.id }, () => {
      const current = compute.get<InstanceGroup>(group)
      store.update(edit(current))
    })
  }

  for (const verb of ['insert', 'delete', 'setNamedPorts', 'addInstances', 'removeInstances']) compute.handle(`instanceGroups.${verb}`)

  function createRow(key: Key, fields: GroupBody, managerId?: string): InstanceGroup {
    const namedPorts = requireNamedPorts(fields.namedPorts)
    const made = compute.insert<InstanceGroup>({ ...key, record: {}, hidden: { instanceIds: [], ...(managerId === undefined ? {} : { managerId }) } })
    const network = fields.network ? selfLink(parseLink(fields.network, { projectId: key.projectId, scope: 'global', collection: 'networks' })) : undefined
    const complete: InstanceGroup = {
      ...made,
      record: {
        ...head('instanceGroup', key, made.id),
        description: fields.description ?? '',
        zone: linkTo(`projects/${key.projectId}/${key.scope}`),
        ...(network === undefined ? {} : { network }),
        ...(namedPorts.length === 0 ? {} : { namedPorts }),
        fingerprint: fingerprint(namedPorts),
      },
    }
    store.update(complete)
    return complete
  }

  function removeRow(group: InstanceGroup): void {
    store.remove(group.id)
    kernel.policies.remove(resourcePath(group))
  }

  function requireUnused(group: InstanceGroup): void {
    const link = selfLink(group)
    const user = store
      .list('backendServices', group.projectId)
      .find((service) => ((service.record as compute_v1.Schema$BackendService).backends ?? []).some((backend) => sameLink(backend.group ?? '', link)))
    if (user !== undefined)
      throw new ApiError('INVALID_ARGUMENT', `The instance_group resource '${resourcePath(group)}' is already being used by '${resourcePath(user)}'`, {
        reason: 'resourceInUseByAnotherResource',
      })
  }

  return {
    insert(caller, projectId, zone, body) {
      const key: Key = { projectId, scope: `zones/${requireZone(projectId, zone)}`, collection: 'instanceGroups', name: requireName(body.name) }
      return compute.begin(caller, { type: 'instanceGroups.insert', key }, () => createRow(key, body).id)
    },
    get: (projectId, zone, name) => compute.get<InstanceGroup>({ projectId, scope: `zones/${requireZone(projectId, zone)}`, collection: 'instanceGroups', name }),
    remove(caller, group) {
      requireUnmanaged(group)
      return compute.begin(caller, { type: 'instanceGroups.delete', key: group, targetId: group.id }, () => {
        requireUnused(group)
        removeRow(group)
      })
    },
    setNamedPorts(caller, group, body) {
      const namedPorts = requireNamedPorts(body.namedPorts)
      if (body.fingerprint && !sameFingerprint(body.fingerprint, group.record.fingerprint)) throw fingerprintMismatch('Instance group')
      return change(caller, 'setNamedPorts', group, (current) => {
        const { namedPorts: _before, ...record } = current.record
        const ports = namedPorts.length === 0 ? {} : { namedPorts }
        const manager = current.hidden.managerId === undefined ? undefined : (store.byId(current.hidden.managerId) as Resource<compute_v1.Schema$InstanceGroupManager> | undefined)
        if (manager !== undefined) {
          const { namedPorts: _own, ...rest } = manager.record
          store.update({ ...manager, record: { ...rest, ...ports } })
        }
        return { ...current, record: { ...record, ...ports, fingerprint: fingerprint(namedPorts) } }
      })
    },
    addInstances(caller, group, links) {
      requireUnmanaged(group)
      const instances = findInstances(group, links)
      for (const instance of instances) {
        caller.require('compute.instances.use', { projectId: instance.projectId, resource: resourcePath(instance) })
        if (group.hidden.instanceIds.includes(instance.id))
          throw new ApiError('INVALID_ARGUMENT', `Instance '${resourcePath(instance)}' is already a member of '${resourcePath(group)}'.`, { reason: 'memberAlreadyExists' })
      }
      const network = group.record.network ?? instances[0]?.record.networkInterfaces?.[0]?.network
      const stranger = instances.find((instance) => instance.record.networkInterfaces?.[0]?.network !== network)
      if (stranger !== undefined) throw invalidArgument(`Invalid value for field 'instances': '${stranger.name}'. All instances of a group must be in the same network.`)
      return change(caller, 'addInstances', group, (current) => ({
        ...current,
        record: { ...current.record, ...(network ? { network } : {}) },
        hidden: { ...current.hidden, instanceIds: [...new Set([...current.hidden.instanceIds, ...instances.map((each) => each.id)])] },
      }))
    },
    removeInstances(caller, group, links) {
      requireUnmanaged(group)
      const ids = findInstances(group, links).map((instance) => {
        if (!group.hidden.instanceIds.includes(instance.id))
          throw new ApiError('INVALID_ARGUMENT', `Instance '${resourcePath(instance)}' is not a member of '${resourcePath(group)}'.`, { reason: 'memberNotFound' })
        return instance.id
      })
      return change(caller, 'removeInstances', group, (current) => ({
        ...current,
        hidden: { ...current.hidden, instanceIds: current.hidden.instanceIds.filter((id) => !ids.includes(id)) },
      }))
    },
    present: (group) => ({ ...group.record, size: members.members(selfLink(group)).length }),
    listInstances: (group, state) =>
      members
        .members(selfLink(group))
        .filter((member) => state !== 'RUNNING' || member.instance.record.status === 'RUNNING')
        .map((member) => ({
          instance: member.link,
          status: member.instance.record.status ?? '',
          ...(group.record.namedPorts === undefined ? {} : { namedPorts: group.record.namedPorts }),
        }))
        .toSorted((left, right) => (left.instance < right.instance ? -1 : 1)),
    createRow,
    removeRow,
    requireUnused,
  }
}

/** @throws ApiError 400 */
function requireNamedPorts(ports: GroupBody['namedPorts']): compute_v1.Schema$NamedPort[] {
  return (ports ?? []).map(({ name, port }) => {
    requireName(name, 'namedPorts.name')
    if (port < 1 || port > 65_535) throw invalidArgument(`Invalid value for field 'namedPorts.port': '${port}'. Must be between 1 and 65535.`)
    return { name, port }
  })
}
