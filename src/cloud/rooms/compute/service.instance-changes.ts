/** Changes of an instance that need no new machine, and those that wait for its next start. */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { ApiError, invalidArgument } from '../../kernel/api-error.ts'
import type { Operation } from '../../kernel/operations.ts'
import { fingerprintMismatch, resourceInUse, resourceNotReady } from './errors.ts'
import { linkTail, parseLink, resourcePath, selfLink } from './links.ts'
import type { AttachedDiskBody, InstanceBody, LabelsBody, MetadataBody } from './schema.ts'
import { requireLabels } from './service.ts'
import type { Caller, Compute } from './service.ts'
import type { Disk, Disks } from './service.disks.ts'
import { requireTags } from './service.instance-parts.ts'
import type { InstancePlans } from './service.instance-plan.ts'
import type { Instance } from './service.instances.ts'
import type { Machines } from './service.machines.ts'
import type { MetadataSources } from './service.metadata.ts'
import { metadataItems } from './service.projects.ts'
import { fingerprint, sameFingerprint } from './shapes.ts'

export interface InstanceChanges {
  setMetadata(caller: Caller, instance: Instance, body: MetadataBody): Operation
  setLabels(caller: Caller, instance: Instance, body: LabelsBody): Operation
  setTags(caller: Caller, instance: Instance, body: { items?: string[] | null; fingerprint?: string | null }): Operation
  setServiceAccount(caller: Caller, instance: Instance, account: NonNullable<InstanceBody['serviceAccounts']>[number]): Operation
  setMachineType(caller: Caller, instance: Instance, machineType: string): Operation
  setDeletionProtection(caller: Caller, instance: Instance, isProtected: boolean): Operation
  attachDisk(caller: Caller, instance: Instance, body: AttachedDiskBody): Operation
  detachDisk(caller: Caller, instance: Instance, deviceName: string): Operation
}

export interface ChangeParts {
  readonly disks: Disks
  readonly machines: Machines
  readonly plans: InstancePlans
  readonly sources: MetadataSources
}

export function createInstanceChanges(compute: Compute, { disks, machines, plans, sources }: ChangeParts): InstanceChanges {
  const { store } = compute

  function change(caller: Caller, type: string, instance: Instance, edit: (record: compute_v1.Schema$Instance) => compute_v1.Schema$Instance): Operation {
    const operation = compute.begin(caller, { type, key: instance, targetId: instance.id, args: { projectId: instance.projectId } }, () => {
      const current = compute.get<Instance>(instance)
      store.update({ ...current, record: edit(current.record) })
    })
    sources.notify(instance.id)
    return operation
  }

  function requireStopped(instance: Instance, what: string): void {
    if (instance.record.status !== 'TERMINATED')
      throw new ApiError('FAILED_PRECONDITION', `The instance '${resourcePath(instance)}' must be TERMINATED to ${what}; it is ${instance.record.status}.`, {
        reason: 'resourceNotReady',
      })
  }

  for (const type of [
    'instances.setMetadata',
    'instances.setLabels',
    'instances.setMachineType',
    'instances.setDeletionProtection',
    'instances.attachDisk',
    'instances.detachDisk',
  ])
    compute.handle(type)
  // Rules may aim at tags and accounts.
  for (const type of ['instances.setTags', 'instances.setServiceAccount']) compute.handle<{ projectId: string }>(type, (args) => machines.refreshForwards(args.projectId))

  return {
    setMetadata(caller, instance, body) {
      const items = metadataItems(body)
      if (!sameFingerprint(body.fingerprint, instance.record.metadata?.fingerprint)) throw fingerprintMismatch('Metadata')
      return change(caller, 'instances.setMetadata', instance, (record) => ({
        ...record,
        metadata: { kind: 'compute#metadata', fingerprint: fingerprint(items), ...(items.length === 0 ? {} : { items }) },
      }))
    },
    setLabels(caller, instance, body) {
      const labels = requireLabels(body.labels)
      if (!sameFingerprint(body.labelFingerprint, instance.record.labelFingerprint)) throw fingerprintMismatch('Labels')
      return change(caller, 'instances.setLabels', instance, (record) => ({ ...record, labels, labelFingerprint: fingerprint(labels) }))
    },
    setTags(caller, instance, body) {
      const tags = requireTags(body.items)
      if (!sameFingerprint(body.fingerprint, instance.record.tags?.fingerprint)) throw fingerprintMismatch('Tags')
      return change(caller, 'instances.setTags', instance, (record) => ({ ...record, tags: { fingerprint: fingerprint(tags), ...(tags.length === 0 ? {} : { items: tags }) } }))
    },
    setServiceAccount(caller, instance, account) {
      requireStopped(instance, 'change its service account')
      const accounts = account.email ? plans.serviceAccounts(caller, instance.projectId, [account]) : []
      return change(caller, 'instances.setServiceAccount', instance, (record) => ({ ...record, serviceAccounts: accounts.length === 0 ? undefined : accounts }))
    },
    setMachineType(caller, instance, machineType) {
      requireStopped(instance, 'change its machine type')
      const link = plans.machineType({ ...instance, collection: 'instances' }, machineType)
      return change(caller, 'instances.setMachineType', instance, (record) => ({ ...record, machineType: link }))
    },
    setDeletionProtection: (caller, instance, isProtected) =>
      change(caller, 'instances.setDeletionProtection', instance, (record) => ({ ...record, deletionProtection: isProtected })),
    attachDisk(caller, instance, body) {
      requireStopped(instance, 'attach a disk (the pocket cloud has no hot plug)')
      const disk = compute.get<Disk>(parseLink(body.source ?? '', { ...instance, collection: 'disks' }))
      caller.require('compute.disks.use', { projectId: disk.projectId, resource: resourcePath(disk) })
      const user = disk.record.users?.[0]
      if (user !== undefined) throw resourceInUse(disk, linkTail(user))
      const index = instance.hidden.diskIds.length
      const deviceName = body.deviceName || `persistent-disk-${index}`
      if (instance.record.disks?.some((each) => each.deviceName === deviceName))
        throw invalidArgument(`Invalid value for field 'deviceName': '${deviceName}'. The instance has a disk with this device name.`)
      return compute.begin(caller, { type: 'instances.attachDisk', key: instance, targetId: instance.id }, () => {
        disks.setUser(disk.id, selfLink(instance))
        const record: compute_v1.Schema$AttachedDisk = {
          kind: 'compute#attachedDisk',
          type: 'PERSISTENT',
          mode: body.mode ?? 'READ_WRITE',
          source: selfLink(disk),
          deviceName,
          index,
          boot: body.boot === true,
          autoDelete: body.autoDelete === true,
          interface: 'SCSI',
          diskSizeGb: disk.record.sizeGb,
        }
        store.update({
          ...instance,
          record: { ...instance.record, disks: [...(instance.record.disks ?? []), record] },
          hidden: { ...instance.hidden, diskIds: [...instance.hidden.diskIds, disk.id] },
        })
      })
    },
    detachDisk(caller, instance, deviceName) {
      requireStopped(instance, 'detach a disk (the pocket cloud has no hot plug)')
      const index = (instance.record.disks ?? []).findIndex((disk) => disk.deviceName === deviceName)
      if (index === -1) throw resourceNotReady(instance, `it has no disk with the device name '${deviceName}'`)
      return compute.begin(caller, { type: 'instances.detachDisk', key: instance, targetId: instance.id }, () => {
        disks.setUser(instance.hidden.diskIds[index] ?? '', undefined)
        const kept = (instance.record.disks ?? []).filter((_disk, each) => each !== index).map((disk, each) => ({ ...disk, index: each }))
        store.update({
          ...instance,
          record: { ...instance.record, disks: kept },
          hidden: { ...instance.hidden, diskIds: instance.hidden.diskIds.filter((_id, each) => each !== index) },
        })
      })
    },
  }
}
