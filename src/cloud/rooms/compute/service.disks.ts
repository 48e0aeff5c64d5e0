/** Persistent disks. https://cloud.google.com/compute/docs/reference/rest/v1/disks */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { invalidArgument } from '../../kernel/api-error.ts'
import type { Operation } from '../../kernel/operations.ts'
import { fingerprintMismatch, resourceInUse, resourceNotFound, resourceNotReady, toOperationFailure } from './errors.ts'
import { lastSegment, linkTail, linkTo, parseLink, resourcePath, selfLink } from './links.ts'
import type { DiskBody, LabelsBody } from './schema.ts'
import { requireLabels, requireName, requireZone } from './service.ts'
import type { Caller, Compute } from './service.ts'
import type { DiskHidden, Files } from './service.files.ts'
import type { Image, Images } from './service.images.ts'
import { runningUser } from './service.snapshots.ts'
import type { Snapshot, Snapshots } from './service.snapshots.ts'
import { fingerprint, head, sameFingerprint } from './shapes.ts'
import { diskTypes } from './data/machine-types.ts'
import type { Key, Resource } from './store.ts'

export type Disk = Resource<compute_v1.Schema$Disk, DiskHidden>

/** The smallest disk that Compute Engine makes. */
export const MIN_DISK_GB = 10

export interface NewDisk {
  readonly projectId: string
  readonly zone: string
  readonly name: string
  /** At most one of these three. */
  readonly image?: Image | undefined
  readonly snapshot?: Snapshot | undefined
  readonly clone?: Disk | undefined
  readonly sizeGb?: string | null
  readonly type?: string | null
  readonly labels?: Readonly<Record<string, string>> | null
  readonly description?: string | null
}

export interface Disks {
  insert(caller: Caller, projectId: string, zone: string, body: DiskBody): Operation
  get(projectId: string, zone: string, name: string): Disk
  remove(caller: Caller, projectId: string, zone: string, name: string): Operation
  resize(caller: Caller, projectId: string, zone: string, name: string, sizeGb: string): Operation
  setLabels(caller: Caller, projectId: string, zone: string, name: string, body: LabelsBody): Operation
  /** Inside a transaction: the row of a new disk, with status CREATING. @throws ApiError 400, 409 */
  createRow(disk: NewDisk): Disk
  /** Makes the file of a disk and sets it READY. Repeatable. */
  materialize(diskId: string): Promise<void>
  /** Inside a transaction: writes who uses the disk. */
  setUser(diskId: string, instanceLink: string | undefined): void
  /** Removes row and file. */
  destroy(diskId: string): Promise<void>
}

export function createDisks(compute: Compute, files: Files, images: Images, snapshots: Snapshots): Disks {
  const { store } = compute

  function get(projectId: string, zone: string, name: string): Disk {
    return compute.get<Disk>({ projectId, scope: `zones/${zone}`, collection: 'disks', name })
  }

  function createRow(disk: NewDisk): Disk {
    const key: Key = { projectId: disk.projectId, scope: `zones/${requireZone(disk.projectId, disk.zone)}`, collection: 'disks', name: requireName(disk.name) }
    const labels = requireLabels(disk.labels)
    const type = lastSegment(disk.type ?? 'pd-standard')
    const typeData = diskTypes.get(type)
    if (typeData === undefined) throw resourceNotFound({ ...key, collection: 'diskTypes', name: type })
    const source = sourceOf(disk)
    const imageGb = Number(source?.sizeGb ?? 0)
    const asked = disk.sizeGb === undefined || disk.sizeGb === null ? undefined : Number(disk.sizeGb)
    if (asked !== undefined && asked < Math.max(1, imageGb)) {
      throw invalidArgument(
        `Invalid value for field 'resource.sizeGb': '${asked}'. Requested disk size cannot be smaller than the ${source?.what ?? 'smallest disk'} size (${Math.max(1, imageGb)} GB)`,
      )
    }
    if (asked !== undefined && asked > 65_536) throw invalidArgument(`Invalid value for field 'resource.sizeGb': '${asked}'. Disk size must be at most 65536 GB.`)
    const sizeGb = asked ?? (source === undefined ? Number(typeData.defaultDiskSizeGb) : Math.max(MIN_DISK_GB, imageGb))
    const made = compute.insert<Disk>({
      ...key,
      record: {},
      hidden: {
        ...(source?.fileId === undefined ? {} : { fileId: source.fileId }),
        ...(disk.clone === undefined ? {} : { cloneOf: disk.clone.id }),
        ...(disk.image === undefined ? {} : { pristine: true as const }),
      },
    })
    const complete: Disk = {
      ...made,
      record: {
        ...head('disk', key, made.id),
        ...(disk.description ? { description: disk.description } : {}),
        sizeGb: String(sizeGb),
        zone: linkTo(`projects/${disk.projectId}/${key.scope}`),
        status: 'CREATING',
        type: selfLink({ ...key, collection: 'diskTypes', name: type }),
        ...source?.record,
        labels,
        labelFingerprint: fingerprint(labels),
        physicalBlockSizeBytes: '4096',
      },
    }
    store.update(complete)
    return complete
  }

  function forCopy(caller: Caller, link: string, projectId: string, scope: string): Disk {
    const reference = parseLink(link, { projectId, scope, collection: 'disks' })
    caller.require('compute.disks.useReadOnly', { projectId: reference.projectId, resource: resourcePath(reference) })
    const disk = compute.get<Disk>(reference)
    if (disk.scope !== scope) throw invalidArgument(`Invalid value for field 'resource.sourceDisk': '${link}'. The source disk must be in the same zone.`)
    const user = runningUser(compute, disk)
    if (user !== undefined) throw resourceInUse(disk, user)
    if (disk.record.status !== 'READY') throw resourceNotReady(disk, `its status is ${disk.record.status}`)
    return disk
  }

  async function materialize(diskId: string): Promise<void> {
    const disk = store.byId(diskId) as Disk | undefined
    if (disk === undefined) return
    const { cloneOf, ...hidden } = disk.hidden
    const sizeGb = Number(disk.record.sizeGb)
    if (cloneOf === undefined) await files.ensureDisk(disk.id, sizeGb, disk.hidden.fileId)
    else await compute.exclusive(cloneOf, () => files.cloneDisk(disk.id, cloneOf, sizeGb))
    const current = store.byId(diskId) as Disk | undefined
    if (current?.record.status === 'CREATING') store.update({ ...current, record: { ...current.record, status: 'READY' }, hidden })
  }

  async function destroy(diskId: string): Promise<void> {
    const disk = store.byId(diskId) as Disk | undefined
    store.remove(diskId)
    await files.removeDisk(diskId)
    if (disk?.hidden.fileId !== undefined) await files.dropImage(disk.hidden.fileId)
  }

  compute.handle<{ id: string }>('disks.insert', (args, context) =>
    compute.exclusive(args.id, async () => {
      try {
        await materialize(args.id)
      } catch (error) {
        if (context.signal.aborted) throw error
        await destroy(args.id)
        throw toOperationFailure(error)
      }
    }),
  )
  compute.handle<{ id: string; fileId?: string }>('disks.delete', (args) =>
    compute.exclusive(args.id, async () => {
      await files.removeDisk(args.id)
      if (args.fileId !== undefined) await files.dropImage(args.fileId)
    }),
  )
  compute.handle<{ id: string; sizeGb: string }>('disks.resize', (args) =>
    compute.exclusive(args.id, async () => {
      await files.resizeDisk(args.id, Number(args.sizeGb))
      const disk = store.byId(args.id) as Disk | undefined
      if (disk !== undefined) store.update({ ...disk, record: { ...disk.record, sizeGb: args.sizeGb } })
    }),
  )
  compute.handle('disks.setLabels')

  return {
    insert(caller, projectId, zone, body) {
      if ([body.sourceImage, body.sourceSnapshot, body.sourceDisk].filter(Boolean).length > 1)
        throw invalidArgument("Invalid value for field 'resource': a disk has at most one of sourceImage, sourceSnapshot and sourceDisk.")
      const image = body.sourceImage ? images.forUse(caller, body.sourceImage, projectId) : undefined
      const snapshot = body.sourceSnapshot ? snapshots.forUse(caller, body.sourceSnapshot, projectId) : undefined
      const clone = body.sourceDisk ? forCopy(caller, body.sourceDisk, projectId, `zones/${zone}`) : undefined
      const key: Key = { projectId, scope: `zones/${requireZone(projectId, zone)}`, collection: 'disks', name: requireName(body.name) }
      return compute.begin(
        caller,
        { type: 'disks.insert', key },
        () => createRow({ projectId, zone, name: key.name, image, snapshot, clone, sizeGb: body.sizeGb, type: body.type, labels: body.labels, description: body.description }).id,
      )
    },
    get,
    remove(caller, projectId, zone, name) {
      const disk = get(projectId, zone, name)
      const user = disk.record.users?.[0]
      if (user !== undefined) throw resourceInUse(disk, linkTail(user))
      return compute.begin(caller, { type: 'disks.delete', key: disk, targetId: disk.id, args: { fileId: disk.hidden.fileId } }, () => {
        store.remove(disk.id)
        compute.kernel.policies.remove(resourcePath(disk))
      })
    },
    resize(caller, projectId, zone, name, sizeGb) {
      const disk = get(projectId, zone, name)
      if (Number(sizeGb) <= Number(disk.record.sizeGb))
        throw invalidArgument(`Invalid value for field 'sizeGb': '${sizeGb}'. New disk size '${sizeGb}' GiB must be larger than existing size '${disk.record.sizeGb}' GiB.`)
      const user = disk.record.users?.[0]
      if (
        user !== undefined &&
        store.list('instances', projectId).some((instance) => selfLink(instance) === user && (instance.record as compute_v1.Schema$Instance).status !== 'TERMINATED')
      ) {
        throw resourceInUse(disk, `${linkTail(user)}' (the pocket cloud resizes disks of stopped instances only: stop it first) '`)
      }
      return compute.begin(caller, { type: 'disks.resize', key: disk, targetId: disk.id, args: { sizeGb } })
    },
    setLabels(caller, projectId, zone, name, body) {
      const disk = get(projectId, zone, name)
      const labels = requireLabels(body.labels)
      if (!sameFingerprint(body.labelFingerprint, disk.record.labelFingerprint)) throw fingerprintMismatch('Labels')
      return compute.begin(caller, { type: 'disks.setLabels', key: disk, targetId: disk.id }, () => {
        store.update({ ...disk, record: { ...disk.record, labels, labelFingerprint: fingerprint(labels) } })
      })
    },
    createRow,
    materialize,
    setUser(diskId, instanceLink) {
      const disk = store.byId(diskId) as Disk | undefined
      if (disk === undefined) return
      const now = new Date().toISOString()
      store.update({
        ...disk,
        record: {
          ...disk.record,
          users: instanceLink === undefined ? undefined : [instanceLink],
          ...(instanceLink === undefined ? { lastDetachTimestamp: now } : { lastAttachTimestamp: now }),
        },
      })
    },
    destroy,
  }
}

/** What a new disk begins with. */
function sourceOf(
  disk: NewDisk,
): { readonly what: string; readonly sizeGb: string | null | undefined; readonly fileId: string | undefined; readonly record: compute_v1.Schema$Disk } | undefined {
  const { image, snapshot, clone } = disk
  if (image !== undefined)
    return {
      what: 'image',
      sizeGb: image.record.diskSizeGb,
      fileId: image.hidden.fileId,
      record: { sourceImage: selfLink(image), sourceImageId: image.id, ...content(image.record) },
    }
  if (snapshot !== undefined)
    return {
      what: 'snapshot',
      sizeGb: snapshot.record.diskSizeGb,
      fileId: snapshot.hidden.fileId,
      record: { sourceSnapshot: selfLink(snapshot), sourceSnapshotId: snapshot.id, ...content(snapshot.record) },
    }
  if (clone !== undefined)
    return {
      what: 'source disk',
      sizeGb: clone.record.sizeGb,
      fileId: clone.hidden.fileId,
      record: { sourceDisk: selfLink(clone), sourceDiskId: clone.id, ...content(clone.record) },
    }
  return undefined
}

function content(record: compute_v1.Schema$Image | compute_v1.Schema$Disk): compute_v1.Schema$Disk {
  return { guestOsFeatures: record.guestOsFeatures ?? [], licenses: record.licenses ?? [], architecture: record.architecture ?? 'X86_64' }
}
