/** Settings of an instance: access configs, scheduling, what happens to its disks, and the update of everything at once. */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { ApiError, invalidArgument } from '../../kernel/api-error.ts'
import type { Operation } from '../../kernel/operations.ts'
import { fingerprintMismatch, resourceNotReady } from './errors.ts'
import { resourcePath, selfLink } from './links.ts'
import type { InstanceBody, SchedulingBody, ShieldedBody } from './schema.ts'
import { requireLabels } from './service.ts'
import type { Caller, Compute } from './service.ts'
import type { Addresses } from './service.addresses.ts'
import type { Instance } from './service.instances.ts'
import { requireTags, toScheduling, toShielded } from './service.instance-parts.ts'
import type { Machines } from './service.machines.ts'
import type { MetadataSources } from './service.metadata.ts'
import { metadataItems } from './service.projects.ts'
import { fingerprint, sameFingerprint } from './shapes.ts'

type Record = compute_v1.Schema$Instance

export interface InstanceSettings {
  /** PUT of the whole instance as it was read: description, labels, metadata, tags, scheduling, deletionProtection, canIpForward. */
  update(caller: Caller, instance: Instance, body: InstanceBody): Operation
  setScheduling(caller: Caller, instance: Instance, body: SchedulingBody): Operation
  setDiskAutoDelete(caller: Caller, instance: Instance, deviceName: string, isAutoDelete: boolean): Operation
  setMinCpuPlatform(caller: Caller, instance: Instance, platform: string): Operation
  updateShieldedInstanceConfig(caller: Caller, instance: Instance, body: ShieldedBody): Operation
  updateDisplayDevice(caller: Caller, instance: Instance, isEnabled: boolean): Operation
  /** Gives the interface an external address: the reserved one of the body, or a new one. The way out of a running machine opens at its next start. */
  addAccessConfig(caller: Caller, instance: Instance, nicName: string, body: { name?: string | null; natIP?: string | null; networkTier?: string | null }): Operation
  deleteAccessConfig(caller: Caller, instance: Instance, nicName: string, configName: string): Operation
}

export interface SettingsParts {
  readonly addresses: Addresses
  readonly machines: Machines
  readonly sources: MetadataSources
}

export function createInstanceSettings(compute: Compute, { addresses, machines, sources }: SettingsParts): InstanceSettings {
  const { store } = compute

  function change(caller: Caller, type: string, instance: Instance, edit: (current: Instance) => Instance): Operation {
    const operation = compute.begin(caller, { type, key: instance, targetId: instance.id, args: { projectId: instance.projectId } }, () => {
      store.update(edit(compute.get<Instance>(instance)))
    })
    sources.notify(instance.id)
    return operation
  }

  function changeRecord(caller: Caller, type: string, instance: Instance, edit: (record: Record) => Record): Operation {
    return change(caller, type, instance, (current) => ({ ...current, record: edit(current.record) }))
  }

  function requireStopped(instance: Instance, what: string): void {
    if (instance.record.status !== 'TERMINATED')
      throw new ApiError('FAILED_PRECONDITION', `The instance '${resourcePath(instance)}' must be TERMINATED to ${what}; it is ${instance.record.status}.`, {
        reason: 'resourceNotReady',
      })
  }

  function nicOf(instance: Instance, name: string): compute_v1.Schema$NetworkInterface {
    const nic = instance.record.networkInterfaces?.find((each) => each.name === name)
    if (nic === undefined) throw invalidArgument(`Invalid value for field 'networkInterface': '${name}'. The instance has no network interface of this name.`)
    return nic
  }

  for (const type of ['setScheduling', 'setDiskAutoDelete', 'setMinCpuPlatform', 'updateShieldedInstanceConfig', 'updateDisplayDevice']) compute.handle(`instances.${type}`)
  // Rules aim at tags, and forwards need an address.
  for (const type of ['update', 'addAccessConfig', 'deleteAccessConfig']) {
    compute.handle<{ projectId: string }>(`instances.${type}`, (args) => machines.refreshForwards(args.projectId))
  }

  return {
    update(caller, instance, body) {
      const { record } = instance
      if (body.fingerprint && !sameFingerprint(body.fingerprint, record.fingerprint)) throw fingerprintMismatch('Instance')
      const labels = body.labels === undefined ? undefined : requireLabels(body.labels)
      const items = body.metadata === undefined ? undefined : metadataItems(body.metadata)
      const tags = body.tags === undefined ? undefined : requireTags(body.tags?.items)
      if (body.machineType && body.machineType.split('/').at(-1) !== record.machineType?.split('/').at(-1))
        throw invalidArgument("Invalid value for field 'resource.machineType': use setMachineType, while the instance is stopped.")
      return changeRecord(caller, 'instances.update', instance, (current) => {
        const next: Record = {
          ...current,
          ...(body.description === undefined ? {} : { description: body.description ?? '' }),
          ...(body.canIpForward === undefined ? {} : { canIpForward: body.canIpForward === true }),
          ...(body.deletionProtection === undefined ? {} : { deletionProtection: body.deletionProtection === true }),
          ...(labels === undefined ? {} : { labels, labelFingerprint: fingerprint(labels) }),
          ...(items === undefined ? {} : { metadata: { kind: 'compute#metadata', fingerprint: fingerprint(items), ...(items.length === 0 ? {} : { items }) } }),
          ...(tags === undefined ? {} : { tags: { fingerprint: fingerprint(tags), ...(tags.length === 0 ? {} : { items: tags }) } }),
          ...(body.scheduling ? { scheduling: toScheduling(body.scheduling) } : {}),
        }
        return { ...next, fingerprint: fingerprint({ ...next, fingerprint: current.fingerprint }) }
      })
    },
    setScheduling: (caller, instance, body) =>
      changeRecord(caller, 'instances.setScheduling', instance, (record) => {
        const scheduling = toScheduling({ ...record.scheduling, ...body })
        if (scheduling.preemptible !== record.scheduling?.preemptible) requireStopped(instance, 'change whether it is preemptible')
        return { ...record, scheduling }
      }),
    setDiskAutoDelete(caller, instance, deviceName, isAutoDelete) {
      if (!instance.record.disks?.some((disk) => disk.deviceName === deviceName))
        throw invalidArgument(`Invalid value for field 'deviceName': '${deviceName}'. The instance has no disk with this device name.`)
      return changeRecord(caller, 'instances.setDiskAutoDelete', instance, (record) => ({
        ...record,
        disks: (record.disks ?? []).map((disk) => (disk.deviceName === deviceName ? { ...disk, autoDelete: isAutoDelete } : disk)),
      }))
    },
    setMinCpuPlatform(caller, instance, platform) {
      requireStopped(instance, 'change its minimum CPU platform')
      return changeRecord(caller, 'instances.setMinCpuPlatform', instance, (record) => ({ ...record, minCpuPlatform: platform === '' ? undefined : platform }))
    },
    updateShieldedInstanceConfig(caller, instance, body) {
      requireStopped(instance, 'change its shielded options')
      return changeRecord(caller, 'instances.updateShieldedInstanceConfig', instance, (record) => ({
        ...record,
        shieldedInstanceConfig: toShielded({ ...record.shieldedInstanceConfig, ...body }),
      }))
    },
    updateDisplayDevice(caller, instance, isEnabled) {
      requireStopped(instance, 'change its display')
      return changeRecord(caller, 'instances.updateDisplayDevice', instance, (record) => ({ ...record, displayDevice: { enableDisplay: isEnabled } }))
    },
    addAccessConfig(caller, instance, nicName, body) {
      const nic = nicOf(instance, nicName)
      if (nic.accessConfigs?.length)
        throw invalidArgument(`At most one access config currently supported on the network interface '${nicName}' of '${resourcePath(instance)}'.`, { reason: 'invalid' })
      if (instance.hidden.externalAddress !== undefined) throw resourceNotReady(instance, 'it has an external address')
      if (body.natIP) addresses.requireReserved(instance.projectId, body.natIP)
      return change(caller, 'instances.addAccessConfig', instance, (current) => {
        const natIP = body.natIP ?? addresses.chooseExternal()
        addresses.setUser(instance.projectId, natIP, selfLink(instance))
        const config = { kind: 'compute#accessConfig', type: 'ONE_TO_ONE_NAT', name: body.name ?? 'external-nat', natIP, networkTier: body.networkTier ?? 'PREMIUM' }
        return { ...withConfigs(current, nicName, [config]), hidden: { ...current.hidden, externalAddress: natIP } }
      })
    },
    deleteAccessConfig(caller, instance, nicName, configName) {
      const config = nicOf(instance, nicName).accessConfigs?.find((each) => each.name === configName)
      if (config === undefined) throw invalidArgument(`Invalid value for field 'accessConfig': '${configName}'. The network interface has no access config of this name.`)
      return change(caller, 'instances.deleteAccessConfig', instance, (current) => {
        if (config.natIP) addresses.setUser(instance.projectId, config.natIP, undefined)
        const { externalAddress: _gone, ...hidden } = current.hidden
        return { ...withConfigs(current, nicName, undefined), hidden }
      })
    },
  }
}

function withConfigs(instance: Instance, nicName: string, accessConfigs: compute_v1.Schema$AccessConfig[] | undefined): Instance {
  const networkInterfaces = (instance.record.networkInterfaces ?? []).map((nic) =>
    nic.name === nicName ? { ...nic, accessConfigs, fingerprint: fingerprint([nic.networkIP, accessConfigs?.[0]?.natIP]) } : nic,
  )
  return { ...instance, record: { ...instance.record, networkInterfaces } }
}
