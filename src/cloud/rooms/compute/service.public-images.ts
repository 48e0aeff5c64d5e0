/**
 * Images that everybody can use, as Google's `debian-cloud` has them. They are rows like any other, there from the first start; their bytes
 * are made when a disk is first made from one, since most clouds never use most of them.
 */
import type { Compute } from './service.ts'
import type { Image } from './service.images.ts'
import { fingerprint, head } from './shapes.ts'

export interface PublicImage {
  /** `debian-cloud`. No project of the pocket cloud. */
  readonly projectId: string
  readonly name: string
  readonly family: string
  readonly description: string
  readonly diskSizeGb: number
  /** Names its raw file. */
  readonly fileId: string
}

export interface PublicImages {
  readonly images: readonly PublicImage[]
  /** Writes the raw disk of an image. Repeatable; may take minutes the first time. */
  provide(fileId: string, path: string, signal?: AbortSignal): Promise<void>
}

/** A cloud without public images. */
export const noPublicImages: PublicImages = {
  images: [],
  provide: (fileId) => Promise.reject(new Error(`there is no public image with the file ${fileId}`)),
}

/** Makes the rows that are not there yet. An image of an older version stays for the disks that were made from it, without its family. */
export function seedPublicImages(compute: Compute): void {
  const { store, deps, kernel } = compute
  kernel.database.transaction(() => {
    const current = new Set(deps.publicImages.images.map((image) => image.fileId))
    for (const { projectId } of deps.publicImages.images) {
      for (const row of store.list('images', projectId) as readonly Image[]) {
        if (!current.has(row.hidden.fileId) && row.record.family !== undefined)
          store.update({ ...row, record: { ...row.record, family: undefined, deprecated: { state: 'DEPRECATED' } } })
      }
    }
    for (const { projectId, name, family, description, diskSizeGb, fileId } of deps.publicImages.images) {
      const key = { projectId, scope: 'global', collection: 'images', name }
      if (store.get(key) !== undefined) continue
      const image = compute.insert<Image>({ ...key, record: {}, hidden: { fileId } })
      store.update({
        ...image,
        record: {
          ...head('image', key, image.id),
          description,
          family,
          sourceType: 'RAW',
          status: 'READY',
          diskSizeGb: String(diskSizeGb),
          archiveSizeBytes: '0',
          architecture: 'X86_64',
          guestOsFeatures: [{ type: 'UEFI_COMPATIBLE' }, { type: 'VIRTIO_SCSI_MULTIQUEUE' }],
          licenses: [],
          labelFingerprint: fingerprint({}),
          storageLocations: ['us'],
          rawDisk: { containerType: 'TAR', source: '' },
        },
      })
    }
  })
}
