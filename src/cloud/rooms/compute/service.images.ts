/** Images: import from a bucket, copies of disks and images, families, deprecation. https://cloud.google.com/compute/docs/reference/rest/v1/images */
import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { GIB } from '../../../base/units.ts'
import { invalidArgument } from '../../kernel/api-error.ts'
import type { Operation, OperationContext } from '../../kernel/operations.ts'
import type { ObjectInfo } from '../../kernel/ports.ts'
import { publicImageProjects } from './data/public-images.ts'
import { fingerprintMismatch, publicImageNotFound, resourceInUse, resourceNotFound, resourceNotReady, toOperationFailure } from './errors.ts'
import { parseLink, parseObjectUrl, resourcePath, selfLink } from './links.ts'
import type { DeprecateBody, ImageBody, LabelsBody } from './schema.ts'
import { requireLabels, requireName } from './service.ts'
import type { Caller, Compute } from './service.ts'
import type { DiskHidden, Files, ImageHidden } from './service.files.ts'
import { runningUser } from './service.snapshots.ts'
import type { Snapshots } from './service.snapshots.ts'
import { fingerprint, head, sameFingerprint } from './shapes.ts'
import type { Key, Resource } from './store.ts'

export type Image = Resource<compute_v1.Schema$Image, ImageHidden>

type Origin =
  | { readonly from: 'object'; readonly object: ObjectInfo; readonly sha1?: string }
  | { readonly from: 'disk'; readonly diskId: string }
  | { readonly from: 'image'; readonly imageId: string }

type ImportArgs = { readonly id: string } & Origin

export interface Images {
  insert(caller: Caller, projectId: string, body: ImageBody): Operation
  get(projectId: string, name: string): Image
  /** What a public project has. */
  publicRecords(projectId: string): readonly compute_v1.Schema$Image[]
  /** The newest image of a family that is READY and not deprecated. @throws ApiError 404 */
  fromFamily(projectId: string, family: string): Image
  /** The image that a link names, families included, ready for use by this caller. @throws ApiError 400, 403, 404 */
  forUse(caller: Pick<Caller, 'require'>, link: string, projectId: string): Image
  remove(caller: Caller, projectId: string, name: string): Operation
  setLabels(caller: Caller, projectId: string, name: string, body: LabelsBody): Operation
  deprecate(caller: Caller, projectId: string, name: string, body: DeprecateBody): Operation
  patch(caller: Caller, projectId: string, name: string, body: ImageBody): Operation
}

/** `onReady` is told of each image that is there, and of each that got a family. */
export function createImages(compute: Compute, files: Files, snapshots: Snapshots, onReady: (imageId: string) => void): Images {
  const { kernel, store } = compute

  function key(projectId: string, name: string): Key {
    return { projectId, scope: 'global', collection: 'images', name }
  }

  /** Everybody may use the images of Google's public projects, unless a user made a project of that name. */
  function isPublic(projectId: string): boolean {
    return publicImageProjects.has(projectId) && kernel.projects.find(projectId) === undefined
  }

  function get(projectId: string, name: string): Image {
    if (isPublic(projectId) && store.get(key(projectId, name)) === undefined) throw publicImageNotFound(projectId, name)
    return compute.get<Image>(key(projectId, name))
  }

  function newestOf(projectId: string, family: string): Image | undefined {
    return (store.list('images', projectId) as readonly Image[])
      .filter((image) => image.record.family === family && image.record.status === 'READY' && (image.record.deprecated?.state ?? 'ACTIVE') === 'ACTIVE')
      .toSorted((left, right) => (String(left.record.creationTimestamp) < String(right.record.creationTimestamp) ? 1 : -1))[0]
  }

  function fromFamily(projectId: string, family: string): Image {
    const newest = newestOf(projectId, family)
    if (newest === undefined) throw isPublic(projectId) ? publicImageNotFound(projectId, `family/${family}`) : resourceNotFound(key(projectId, `family/${family}`))
    return newest
  }

  function forUse(caller: Pick<Caller, 'require'>, link: string, projectId: string): Image {
    const reference = parseLink(link, { projectId, scope: 'global', collection: 'images' })
    const owner = kernel.projects.find(reference.projectId)?.projectId ?? reference.projectId
    const image = reference.isFamily ? newestOf(owner, reference.name) : (store.get(key(owner, reference.name)) as Image | undefined)
    // Whether it exists is told only to those who may use it.
    if (isPublic(owner)) {
      if (image === undefined) throw publicImageNotFound(owner, reference.isFamily ? `family/${reference.name}` : reference.name)
    } else caller.require('compute.images.useReadOnly', { projectId: owner, resource: resourcePath(image ?? { ...reference, projectId: owner }) })
    if (image === undefined) throw resourceNotFound(key(owner, reference.isFamily ? `family/${reference.name}` : reference.name))
    const state = image.record.deprecated?.state
    if (state === 'OBSOLETE' || state === 'DELETED')
      throw invalidArgument(
        `The image '${resourcePath(image)}' is ${state} and cannot be used.${image.record.deprecated?.replacement ? ` Use ${image.record.deprecated.replacement}.` : ''}`,
        { reason: 'invalid' },
      )
    if (image.record.status !== 'READY') throw resourceNotReady(image, `its status is ${image.record.status}`)
    return image
  }

  function insert(caller: Caller, projectId: string, body: ImageBody): Operation {
    const name = requireName(body.name)
    if (body.family) requireName(body.family, 'resource.family')
    const labels = requireLabels(body.labels)
    const sources = [body.rawDisk?.source, body.sourceDisk, body.sourceImage, body.sourceSnapshot].filter((source) => source !== undefined && source !== null && source !== '')
    if (sources.length !== 1) throw invalidArgument("Invalid value for field 'resource': an image needs exactly one of rawDisk.source, sourceDisk, sourceImage and sourceSnapshot.")
    const origin = findOrigin(caller, projectId, body)
    const target = key(projectId, name)
    return compute.begin(caller, { type: 'images.insert', key: target, args: origin.args }, () => {
      const image = compute.insert<Image>({ ...target, record: {}, hidden: { fileId: '' } })
      store.update({
        ...image,
        hidden: { fileId: origin.sharedFileId ?? image.id },
        record: {
          ...head('image', target, image.id),
          ...(body.description ? { description: body.description } : {}),
          sourceType: 'RAW',
          status: 'PENDING',
          ...(body.family ? { family: body.family } : {}),
          labels,
          labelFingerprint: fingerprint(labels),
          guestOsFeatures: (body.guestOsFeatures ?? origin.record.guestOsFeatures ?? []) as compute_v1.Schema$GuestOsFeature[],
          licenses: body.licenses ?? [],
          architecture: body.architecture ?? 'X86_64',
          storageLocations: body.storageLocations ?? ['us'],
          ...origin.record,
          ...(body.guestOsFeatures ? { guestOsFeatures: body.guestOsFeatures as compute_v1.Schema$GuestOsFeature[] } : {}),
        },
      })
      return image.id
    })
  }

  function findOrigin(caller: Caller, projectId: string, body: ImageBody): { readonly args: Origin; readonly record: compute_v1.Schema$Image; readonly sharedFileId?: string } {
    if (body.rawDisk?.source) return fromObject(caller, projectId, body.rawDisk.source, body.rawDisk.sha1Checksum)
    if (body.sourceDisk) {
      const reference = parseLink(body.sourceDisk, { projectId, scope: '', collection: 'disks' })
      caller.require('compute.disks.useReadOnly', { projectId: reference.projectId, resource: resourcePath(reference) })
      const disk = compute.get<Resource<compute_v1.Schema$Disk, DiskHidden>>(reference)
      const writer = runningUser(compute, disk)
      if (writer !== undefined) throw resourceInUse(disk, writer)
      return {
        args: { from: 'disk', diskId: disk.id },
        record: {
          sourceDisk: selfLink(disk),
          sourceDiskId: disk.id,
          diskSizeGb: disk.record.sizeGb,
          guestOsFeatures: disk.record.guestOsFeatures ?? [],
          licenses: disk.record.licenses ?? [],
        },
      }
    }
    if (body.sourceSnapshot) {
      const snapshot = snapshots.forUse(caller, body.sourceSnapshot, projectId)
      const { diskSizeGb, storageBytes, guestOsFeatures, licenses } = snapshot.record
      return {
        args: { from: 'image', imageId: snapshot.id },
        sharedFileId: snapshot.hidden.fileId,
        record: { sourceSnapshot: selfLink(snapshot), sourceSnapshotId: snapshot.id, diskSizeGb, archiveSizeBytes: storageBytes, guestOsFeatures, licenses },
      }
    }
    const image = forUse(caller, body.sourceImage ?? '', projectId)
    const { diskSizeGb, archiveSizeBytes, guestOsFeatures, licenses } = image.record
    return {
      args: { from: 'image', imageId: image.id },
      sharedFileId: image.hidden.fileId,
      record: { sourceImage: selfLink(image), sourceImageId: image.id, diskSizeGb, archiveSizeBytes, guestOsFeatures, licenses },
    }
  }

  function fromObject(
    caller: Caller,
    projectId: string,
    source: string,
    sha1Checksum: string | null | undefined,
  ): { readonly args: Origin; readonly record: compute_v1.Schema$Image } {
    const place = parseObjectUrl(source)
    if (place === undefined)
      throw invalidArgument(
        `Invalid value for field 'resource.rawDisk.source': '${source}'. The provided source is not a supported file: it must be the URL of a Cloud Storage object.`,
      )
    const object = kernel.ports.use('objects').stat(place.bucket, place.object)
    caller.require('storage.objects.get', { projectId: object?.projectId ?? projectId, resource: `buckets/${place.bucket}` })
    if (object === undefined)
      throw invalidArgument(`Invalid value for field 'resource.rawDisk.source': '${source}'. The object gs://${place.bucket}/${place.object} was not found.`)
    const sha1 = sha1Checksum?.toLowerCase() || undefined
    if (sha1 !== undefined && !/^[0-9a-f]{40}$/.test(sha1))
      throw invalidArgument(`Invalid value for field 'resource.rawDisk.sha1Checksum': '${sha1Checksum}'. Must be 40 hexadecimal digits.`)
    return {
      args: { from: 'object', object, ...(sha1 === undefined ? {} : { sha1 }) },
      record: { rawDisk: { containerType: 'TAR', source: '', ...(sha1 === undefined ? {} : { sha1Checksum: sha1 }) }, archiveSizeBytes: String(object.sizeBytes) },
    }
  }

  async function make(args: ImportArgs, image: Image, context: OperationContext): Promise<{ readonly sizeBytes: number; readonly sha256?: string }> {
    if (args.from === 'image') {
      const { record, hidden } = image
      const source = store.byId(args.imageId) as Image | undefined
      return { sizeBytes: Number(record.diskSizeGb) * GIB, sha256: source?.hidden.sha256 ?? hidden.sha256 }
    }
    if (args.from === 'disk') return { sizeBytes: await compute.exclusive(args.diskId, () => files.flatten(image.hidden.fileId, args.diskId, context.signal)) }
    const { object } = args
    let shown = 0
    const objects = kernel.ports.use('objects')
    if (args.sha1 !== undefined) {
      const sha1 = await sha1Of(objects.read(object), context.signal)
      if (sha1 !== args.sha1) throw invalidArgument(`The SHA-1 checksum of gs://${object.bucket}/${object.name} is ${sha1}, and rawDisk.sha1Checksum says ${args.sha1}.`)
    }
    return files.importArchive(image.hidden.fileId, objects.read(object), context.signal, (readBytes) => {
      const percent = Math.floor((readBytes / object.sizeBytes) * 20) * 5
      if (percent > shown) context.progress((shown = percent))
    })
  }

  compute.handle<ImportArgs>('images.insert', (args, context) =>
    compute.exclusive(args.id, async () => {
      const image = store.byId(args.id) as Image | undefined
      if (image === undefined || image.record.status === 'READY') return
      try {
        const made = await make(args, image, context)
        const current = store.byId(args.id) as Image | undefined
        if (current === undefined) return
        store.update({
          ...current,
          record: {
            ...current.record,
            status: 'READY',
            diskSizeGb: String(Math.ceil(made.sizeBytes / GIB)),
            archiveSizeBytes: current.record.archiveSizeBytes ?? String(made.sizeBytes),
          },
          hidden: { ...current.hidden, sha256: made.sha256 },
        })
        onReady(args.id)
      } catch (error) {
        // The next daemon begins again from the start; any other failure leaves nothing.
        if (context.signal.aborted) throw error
        store.remove(args.id)
        await files.dropImage(image.hidden.fileId)
        throw toOperationFailure(error)
      }
    }),
  )
  compute.handle<{ id: string; fileId: string }>('images.delete', (args) => compute.exclusive(args.id, () => files.dropImage(args.fileId)))
  compute.handle<{ id: string }>('images.patch', async ({ id }) => onReady(id))
  for (const type of ['images.setLabels', 'images.deprecate']) compute.handle(type)

  function change(caller: Caller, type: string, image: Image, edit: (record: compute_v1.Schema$Image) => compute_v1.Schema$Image): Operation {
    return compute.begin(caller, { type, key: image, targetId: image.id }, () => {
      store.update({ ...image, record: edit(image.record) })
    })
  }

  return {
    insert,
    get,
    publicRecords: (projectId) => (store.list('images', projectId) as readonly Image[]).map((image) => image.record),
    fromFamily,
    forUse,
    remove(caller, projectId, name) {
      const image = get(projectId, name)
      // An import that goes on ends by itself: as an image, or as nothing.
      if (image.record.status === 'PENDING') throw resourceNotReady(image, 'its status is PENDING')
      return compute.begin(caller, { type: 'images.delete', key: image, targetId: image.id, args: { fileId: image.hidden.fileId } }, () => {
        store.remove(image.id)
        kernel.policies.remove(resourcePath(image))
      })
    },
    setLabels(caller, projectId, name, body) {
      const image = get(projectId, name)
      const labels = requireLabels(body.labels)
      if (!sameFingerprint(body.labelFingerprint, image.record.labelFingerprint)) throw fingerprintMismatch('Labels')
      return change(caller, 'images.setLabels', image, (record) => ({ ...record, labels, labelFingerprint: fingerprint(labels) }))
    },
    deprecate(caller, projectId, name, body) {
      const image = get(projectId, name)
      return change(caller, 'images.deprecate', image, (record) => ({ ...record, deprecated: toDeprecation(body) }))
    },
    patch(caller, projectId, name, body) {
      const image = get(projectId, name)
      if (body.family) requireName(body.family, 'resource.family')
      const labels = body.labels === undefined || body.labels === null ? undefined : requireLabels(body.labels)
      return change(caller, 'images.patch', image, (record) => ({
        ...record,
        ...(body.description === undefined ? {} : { description: body.description }),
        ...(body.family === undefined ? {} : { family: body.family === '' ? undefined : body.family }),
        ...(labels === undefined ? {} : { labels, labelFingerprint: fingerprint(labels) }),
        ...(body.deprecated === undefined ? {} : { deprecated: body.deprecated === null ? undefined : toDeprecation(body.deprecated as DeprecateBody) }),
      }))
    },
  }
}

/** ACTIVE, or no state at all, takes a deprecation back; times that are announced with it are kept, and nothing happens at them. */
function toDeprecation(body: DeprecateBody): compute_v1.Schema$DeprecationStatus | undefined {
  const { replacement, deprecated, obsolete, deleted } = body
  const state = body.state ?? 'ACTIVE'
  if (state === 'ACTIVE' && !deprecated && !obsolete && !deleted) return undefined
  return { state, ...(replacement ? { replacement } : {}), ...(deprecated ? { deprecated } : {}), ...(obsolete ? { obsolete } : {}), ...(deleted ? { deleted } : {}) }
}

async function sha1Of(source: Readable, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha1')
  for await (const chunk of source) {
    signal.throwIfAborted()
    hash.update(chunk as Buffer)
  }
  return hash.digest('hex')
}
