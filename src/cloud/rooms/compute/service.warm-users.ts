/** Who would begin with a memory snapshot: the shapes of the machines that run an image's family, and the images that somebody may start again. Reads rows, changes none. */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { canonicalJson } from '../../../base/json.ts'
import { machineSize } from './data/machine-types.ts'
import { parseLink } from './links.ts'
import type { Compute } from './service.ts'
import type { Image } from './service.images.ts'
import { MIN_DISK_GB } from './service.disks.ts'
import type { Disk } from './service.disks.ts'
import type { Instance } from './service.instances.ts'

/** What a snapshot depends on besides the image's bytes and the programs of this host. */
export interface Shape {
  readonly sizeGb: number
  readonly deviceName: string
  readonly cpus: number
  readonly memoryMib: number
}

export interface WarmUsers {
  /** Shapes of the machines of the image's project that run its family, as its managed groups would make them anew and as its instances are. None when it is not the family's newest. */
  shapesFor(image: Image): readonly Shape[]
  /** Raw files of the other images of the image's project and family. */
  olderFiles(image: Image): readonly string[]
  /** Raw files of images that a template or a machine names, or that are their family's newest: what a rollout or the way back from one begins with. */
  filesInUse(): ReadonlySet<string>
}

/** Kiln's imports have the label before they are tested and get their family. */
function familyOf(image: Image): string | undefined {
  return image.record.labels?.['kiln-family'] ?? image.record.family ?? undefined
}

export function createWarmUsers(compute: Compute): WarmUsers {
  const { store, deps } = compute

  function images(projectId?: string): readonly Image[] {
    return store.list('images', projectId) as readonly Image[]
  }

  function siblings(image: Image): readonly Image[] {
    const family = familyOf(image)
    return family === undefined ? [] : images(image.projectId).filter((each) => familyOf(each) === family)
  }

  function isNewest(image: Image): boolean {
    return siblings(image).every(
      (each) => each.id === image.id || each.record.status !== 'READY' || String(each.record.creationTimestamp) <= String(image.record.creationTimestamp),
    )
  }

  function imageOf(link: string | null | undefined, projectId: string): Image | undefined {
    if (!link) return undefined
    const reference = parseLink(link, { projectId, scope: 'global', collection: 'images' })
    const owner = compute.kernel.projects.find(reference.projectId)?.projectId ?? reference.projectId
    // All of a family's images have its name: any will do.
    if (reference.isFamily) return images(owner).find((each) => familyOf(each) === reference.name)
    return store.get({ ...reference, projectId: owner }) as Image | undefined
  }

  function templates(projectId: string): readonly compute_v1.Schema$InstanceProperties[] {
    const links = store.list('instanceGroupManagers', projectId).flatMap(({ record }) => {
      const { instanceTemplate, versions } = record as compute_v1.Schema$InstanceGroupManager
      return [instanceTemplate, ...(versions ?? []).map((version) => version.instanceTemplate)]
    })
    return links.flatMap((link) => {
      if (!link) return []
      const row = store.get(parseLink(link, { projectId, scope: 'global', collection: 'instanceTemplates' }))
      return (row?.record as compute_v1.Schema$InstanceTemplate | undefined)?.properties ?? []
    })
  }

  function ofTemplate(properties: compute_v1.Schema$InstanceProperties, image: Image): Shape | undefined {
    const [disk, second] = properties.disks ?? []
    if (disk?.initializeParams === undefined || second !== undefined || !isOfFamily(disk.initializeParams.sourceImage, image)) return undefined
    const sizeGb = Number(disk.initializeParams.diskSizeGb ?? disk.diskSizeGb ?? Math.max(MIN_DISK_GB, Number(image.record.diskSizeGb)))
    return { sizeGb, deviceName: disk.deviceName ?? '', ...machineSize(properties.machineType ?? '', deps.hostCpus) }
  }

  function ofInstance(instance: Instance, image: Image): Shape | undefined {
    const disk = store.byId(instance.hidden.diskIds[0] ?? '') as Disk | undefined
    if (disk === undefined || instance.hidden.diskIds.length > 1 || !isOfFamily(disk.record.sourceImage, image)) return undefined
    const deviceName = instance.record.disks?.[0]?.deviceName ?? ''
    return { sizeGb: Number(disk.record.sizeGb), deviceName, ...machineSize(instance.record.machineType ?? '', deps.hostCpus) }
  }

  function isOfFamily(link: string | null | undefined, image: Image): boolean {
    const source = imageOf(link, image.projectId)
    return source !== undefined && source.projectId === image.projectId && familyOf(source) === familyOf(image)
  }

  return {
    shapesFor(image) {
      if (image.record.status !== 'READY' || familyOf(image) === undefined || !isNewest(image)) return []
      const instances = store.list('instances', image.projectId) as readonly Instance[]
      const shapes = [...templates(image.projectId).map((properties) => ofTemplate(properties, image)), ...instances.map((instance) => ofInstance(instance, image))].filter(
        (shape) => shape !== undefined && shape.sizeGb >= Number(image.record.diskSizeGb),
      )
      return [...new Map(shapes.map((shape) => [canonicalJson(shape), shape as Shape])).values()]
    },
    olderFiles: (image) =>
      siblings(image)
        .map((each) => each.hidden.fileId)
        .filter((fileId) => fileId !== image.hidden.fileId),
    filesInUse() {
      const used = new Set<string>()
      for (const template of store.list('instanceTemplates')) {
        const disks = (template.record as compute_v1.Schema$InstanceTemplate).properties?.disks ?? []
        for (const disk of disks) used.add(imageOf(disk.initializeParams?.sourceImage, template.projectId)?.hidden.fileId ?? '')
      }
      for (const disk of store.list('disks') as readonly Disk[]) used.add(disk.hidden.fileId ?? '')
      for (const image of images()) if (familyOf(image) !== undefined && isNewest(image)) used.add(image.hidden.fileId)
      return used
    },
  }
}
