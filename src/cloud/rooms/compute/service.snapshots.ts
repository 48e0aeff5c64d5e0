/** Snapshots: full copies of disks that nobody writes. https://cloud.google.com/compute/docs/reference/rest/v1/snapshots */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { invalidArgument } from '../../kernel/api-error.ts'
import type { Operation } from '../../kernel/operations.ts'
import { fingerprintMismatch, resourceInUse, resourceNotReady, toOperationFailure } from './errors.ts'
import { linkTail, parseLink, resourcePath, selfLink } from './links.ts'
import type { LabelsBody, SnapshotBody } from './schema.ts'
import { requireLabels, requireName } from './service.ts'
import type { Caller, Compute } from './service.ts'
import type { DiskHidden, Files, ImageHidden } from './service.files.ts'
import { fingerprint, head, sameFingerprint } from './shapes.ts'
import type { Key, Resource } from './store.ts'

export type Snapshot = Resource<compute_v1.Schema$Snapshot, ImageHidden>

type DiskRow = Resource<compute_v1.Schema$Disk, DiskHidden>

export interface Snapshots {
  /** Of the disk that `body.sourceDisk` names. The operation is in the disk's zone when it was asked of the disk, else global. */
  insert(caller: Caller, projectId: string, body: SnapshotBody, zoneScope?: string): Operation
  get(projectId: string, name: string): Snapshot
  /** The snapshot that a link names, ready for use by this caller. @throws ApiError 400, 403, 404 */
  forUse(caller: Pick<Caller, 'require'>, link: string, projectId: string): Snapshot
  remove(caller: Caller, projectId: string, name: string): Operation
  setLabels(caller: Caller, projectId: string, name: string, body: LabelsBody): Operation
}

export function createSnapshots(compute: Compute, files: Files): Snapshots {
  const { store, kernel } = compute

  function key(projectId: string, name: string): Key {
    return { projectId, scope: 'global', collection: 'snapshots', name }
  }

  function get(projectId: string, name: string): Snapshot {
    return compute.get<Snapshot>(key(projectId, name))
  }

  compute.handle<{ id: string; diskId: string }>('snapshots.insert', (args, context) =>
    compute.exclusive(args.id, async () => {
      const snapshot = store.byId(args.id) as Snapshot | undefined
      if (snapshot === undefined || snapshot.record.status === 'READY') return
      try {
        const sizeBytes = await compute.exclusive(args.diskId, () => files.flatten(snapshot.hidden.fileId, args.diskId, context.signal))
        const current = store.byId(args.id) as Snapshot | undefined
        if (current === undefined) return
        store.update({
          ...current,
          record: { ...current.record, status: 'READY', storageBytes: String(sizeBytes), storageBytesStatus: 'UP_TO_DATE', downloadBytes: String(sizeBytes) },
        })
      } catch (error) {
        // The next daemon begins again; any other failure leaves nothing.
        if (context.signal.aborted) throw error
        store.remove(args.id)
        await files.dropImage(snapshot.hidden.fileId)
        throw toOperationFailure(error)
      }
    }),
  )
  compute.handle<{ id: string; fileId: string }>('snapshots.delete', (args) => compute.exclusive(args.id, () => files.dropImage(args.fileId)))
  compute.handle('snapshots.setLabels')

  return {
    insert(caller, projectId, body, zoneScope) {
      const target = key(projectId, requireName(body.name))
      const labels = requireLabels(body.labels)
      if (!body.sourceDisk) throw invalidArgument("Invalid value for field 'resource.sourceDisk': ''. A snapshot needs a disk.")
      const reference = parseLink(body.sourceDisk, { projectId, scope: zoneScope ?? '', collection: 'disks' })
      caller.require('compute.disks.createSnapshot', { projectId: reference.projectId, resource: resourcePath(reference) })
      const disk = compute.get<DiskRow>(reference)
      const writer = runningUser(compute, disk)
      if (writer !== undefined) throw resourceInUse(disk, `${writer}' (the pocket cloud copies disks of stopped instances only: stop it first) '`)
      return compute.begin(caller, { type: 'snapshots.insert', key: target, ...(zoneScope === undefined ? {} : { scope: zoneScope }), args: { diskId: disk.id } }, () => {
        const made = compute.insert<Snapshot>({ ...target, record: {}, hidden: { fileId: '' } })
        const { sizeGb, guestOsFeatures, licenses, architecture } = disk.record
        store.update({
          ...made,
          hidden: { fileId: made.id },
          record: {
            ...head('snapshot', target, made.id),
            ...(body.description ? { description: body.description } : {}),
            status: 'CREATING',
            sourceDisk: selfLink(disk),
            sourceDiskId: disk.id,
            diskSizeGb: sizeGb,
            ...(body.snapshotType ? { snapshotType: body.snapshotType } : {}),
            autoCreated: false,
            storageLocations: body.storageLocations?.length ? body.storageLocations : ['us'],
            guestOsFeatures: guestOsFeatures ?? [],
            licenses: licenses ?? [],
            ...(architecture ? { architecture } : {}),
            labels,
            labelFingerprint: fingerprint(labels),
          },
        })
        return made.id
      })
    },
    get,
    forUse(caller, link, projectId) {
      const reference = parseLink(link, { projectId, scope: 'global', collection: 'snapshots' })
      const owner = kernel.projects.find(reference.projectId)?.projectId ?? reference.projectId
      caller.require('compute.snapshots.useReadOnly', { projectId: owner, resource: resourcePath({ ...reference, projectId: owner }) })
      const snapshot = get(owner, reference.name)
      if (snapshot.record.status !== 'READY') throw resourceNotReady(snapshot, `its status is ${snapshot.record.status}`)
      return snapshot
    },
    remove(caller, projectId, name) {
      const snapshot = get(projectId, name)
      return compute.begin(caller, { type: 'snapshots.delete', key: snapshot, targetId: snapshot.id, args: { fileId: snapshot.hidden.fileId } }, () => {
        store.remove(snapshot.id)
        kernel.policies.remove(resourcePath(snapshot))
      })
    },
    setLabels(caller, projectId, name, body) {
      const snapshot = get(projectId, name)
      const labels = requireLabels(body.labels)
      if (!sameFingerprint(body.labelFingerprint, snapshot.record.labelFingerprint)) throw fingerprintMismatch('Labels')
      return compute.begin(caller, { type: 'snapshots.setLabels', key: snapshot, targetId: snapshot.id }, () => {
        store.update({ ...snapshot, record: { ...snapshot.record, labels, labelFingerprint: fingerprint(labels) } })
      })
    },
  }
}

/** The path of an instance that may be writing a disk now. */
export function runningUser(compute: Compute, disk: Resource<compute_v1.Schema$Disk, DiskHidden>): string | undefined {
  for (const link of disk.record.users ?? []) {
    const instance = compute.store.get(parseLink(link, { projectId: '', scope: '', collection: 'instances' })) as Resource<compute_v1.Schema$Instance> | undefined
    if (instance !== undefined && instance.record.status !== 'TERMINATED') return linkTail(link)
  }
  return undefined
}
