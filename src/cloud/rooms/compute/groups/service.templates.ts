/** Instance templates, global and regional. They never change. https://cloud.google.com/compute/docs/reference/rest/v1/instanceTemplates */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { ApiError, invalidArgument } from '../../../kernel/api-error.ts'
import type { Operation } from '../../../kernel/operations.ts'
import { resourceNotFound } from '../errors.ts'
import { lastSegment, linkTail, linkTo, parseLink, resourcePath, selfLink } from '../links.ts'
import type { InstanceBody } from '../schema.ts'
import { requireLabels, requireName } from '../service.ts'
import type { Caller, Compute } from '../service.ts'
import { requireTags } from '../service.instance-parts.ts'
import type { Images } from '../service.images.ts'
import { metadataItems } from '../service.projects.ts'
import { fingerprint, head } from '../shapes.ts'
import type { Key, Resource } from '../store.ts'
import type { TemplateBody } from './schema.ts'
import type { GroupStore } from './store.ts'

export type Template = Resource<compute_v1.Schema$InstanceTemplate>

export interface Templates {
  /** `scope`: `global` or `regions/R`. @throws ApiError 400, 403, 404, 409 */
  insert(caller: Caller, projectId: string, scope: string, body: TemplateBody): Operation
  get(projectId: string, scope: string, name: string): Template
  /** @throws ApiError 400 while a group uses it, 404 */
  remove(caller: Caller, template: Template): Operation
  /** The template that a link of any form names, for a caller who may use it; a bare name is global. @throws ApiError 400, 403, 404 */
  forUse(caller: Caller, link: string, projectId: string): Template
  /** By a link in Google's form, also one that was deleted while instances made from it live on. */
  find(link: string): Template | undefined
}

export function createTemplates(compute: Compute, images: Images, groupStore: GroupStore): Templates {
  const { store, kernel } = compute

  function keyOf(link: string, projectId: string): Key {
    const reference = parseLink(link, { projectId, scope: 'global', collection: 'instanceTemplates' })
    return { ...reference, projectId: kernel.projects.find(reference.projectId)?.projectId ?? reference.projectId }
  }

  /** By name, or as Terraform names one incarnation of a template: by its id, or as NAME?uniqueId=ID. */
  function lookUp(key: Key): Template | undefined {
    const [name = '', uniqueId] = /^\d+$/.test(key.name) ? [store.byId(key.name)?.name, key.name] : key.name.split('?uniqueId=')
    const template = store.get({ ...key, name }) as Template | undefined
    return uniqueId === undefined || uniqueId === template?.id ? template : undefined
  }

  function userOf(template: Template): string | undefined {
    const link = selfLink(template)
    const manager = store.list('instanceGroupManagers').find((each) => {
      const versions = (each.record as compute_v1.Schema$InstanceGroupManager).versions ?? []
      return versions.some((version) => version.instanceTemplate === link)
    })
    return manager === undefined ? undefined : resourcePath(manager)
  }

  compute.handle('instanceTemplates.insert')
  compute.handle('instanceTemplates.delete')

  return {
    insert(caller, projectId, scope, body) {
      const key: Key = { projectId, scope, collection: 'instanceTemplates', name: requireName(body.name) }
      if (body.sourceInstance) throw invalidArgument('Instance templates from instances are not supported by the pocket cloud: give properties.')
      if (!body.properties) throw invalidArgument("Invalid value for field 'resource.properties': ''. Instance properties are required.")
      const properties = requireProperties(body.properties, key)
      for (const disk of body.properties.disks ?? []) if (disk.initializeParams?.sourceImage) images.forUse(caller, disk.initializeParams.sourceImage, projectId)
      return compute.begin(caller, { type: 'instanceTemplates.insert', key }, () => {
        const made = compute.insert<Template>({ ...key, record: {}, hidden: {} })
        const region = scope === 'global' ? {} : { region: linkTo(`projects/${projectId}/${scope}`) }
        store.update({ ...made, record: { ...head('instanceTemplate', key, made.id), description: body.description ?? '', ...region, properties } })
        return made.id
      })
    },
    get(projectId, scope, asked) {
      const key: Key = { projectId, scope, collection: 'instanceTemplates', name: asked }
      const template = lookUp(key)
      if (template === undefined) throw resourceNotFound(key)
      return template
    },
    remove(caller, template) {
      return compute.begin(caller, { type: 'instanceTemplates.delete', key: template, targetId: template.id }, () => {
        const user = userOf(template)
        if (user !== undefined)
          throw new ApiError('INVALID_ARGUMENT', `The instance_template resource '${resourcePath(template)}' is already being used by '${user}'`, {
            reason: 'resourceInUseByAnotherResource',
          })
        store.remove(template.id)
        // Instances of an older version may live on, and be repaired.
        groupStore.retire(selfLink(template), template)
        kernel.policies.remove(resourcePath(template))
      })
    },
    forUse(caller, link, projectId) {
      const key = keyOf(link, projectId)
      caller.require('compute.instanceTemplates.useReadOnly', { projectId: key.projectId, resource: resourcePath(key) })
      const found = lookUp(key)
      if (found === undefined) throw resourceNotFound(key)
      return found
    },
    find: (link) => (store.get(keyOf(link, '')) ?? groupStore.retired(link)) as Template | undefined,
  }
}

/** What was sent, checked, with the fields that Google adds. Links to images stay as they were sent: a family is looked up anew for each machine. */
function requireProperties(sent: InstanceBody, key: Key): compute_v1.Schema$InstanceProperties {
  const at = 'resource.properties'
  if (!sent.machineType || !/^[a-z][-a-z0-9]*$/.test(lastSegment(sent.machineType)))
    throw invalidArgument(`Invalid value for field '${at}.machineType': '${sent.machineType ?? ''}'. The machine type is required, as a name such as e2-micro.`)
  const disks = sent.disks ?? []
  if (disks.filter((disk) => disk.boot === true).length !== 1) throw invalidArgument(`Invalid value for field '${at}.disks': an instance needs exactly one boot disk.`)
  for (const [index, disk] of disks.entries())
    if (!disk.source && !disk.initializeParams) throw invalidArgument(`Invalid value for field '${at}.disks[${index}]': ''. Either source or initializeParams is needed.`)
  const nics = sent.networkInterfaces ?? []
  if (nics.length === 0) throw invalidArgument(`Invalid value for field '${at}.networkInterfaces': ''. At least one network interface is required.`)
  requireLabels(sent.labels)
  requireTags(sent.tags?.items)
  if ((sent.serviceAccounts ?? []).length > 1) throw invalidArgument(`Invalid value for field '${at}.serviceAccounts': at most one service account is allowed.`)
  const items = metadataItems(sent.metadata)
  const { name: _name, zone: _zone, ...rest } = sent
  const isSpot = sent.scheduling?.preemptible === true || sent.scheduling?.provisioningModel === 'SPOT'
  return {
    ...(rest as compute_v1.Schema$InstanceProperties),
    machineType: lastSegment(sent.machineType),
    canIpForward: sent.canIpForward === true,
    disks: disks.map(
      (disk, index) =>
        ({
          ...disk,
          kind: 'compute#attachedDisk',
          type: disk.type ?? 'PERSISTENT',
          mode: disk.mode ?? 'READ_WRITE',
          boot: disk.boot === true,
          autoDelete: disk.autoDelete === true,
          deviceName: disk.deviceName || `persistent-disk-${index}`,
          index,
          ...(disk.initializeParams?.sourceImage ? { initializeParams: { ...disk.initializeParams, sourceImage: googleLink(disk.initializeParams.sourceImage) } } : {}),
        }) as compute_v1.Schema$AttachedDisk,
    ),
    networkInterfaces: nics.map(
      (nic, index) =>
        ({
          ...nic,
          kind: 'compute#networkInterface',
          name: `nic${index}`,
          ...(nic.network ? { network: networkLink(nic.network, key) } : {}),
          ...(nic.accessConfigs ? { accessConfigs: nic.accessConfigs.map((config) => ({ ...config, kind: 'compute#accessConfig', type: config.type ?? 'ONE_TO_ONE_NAT' })) } : {}),
        }) as compute_v1.Schema$NetworkInterface,
    ),
    metadata: { kind: 'compute#metadata', fingerprint: fingerprint(items), ...(items.length === 0 ? {} : { items }) },
    scheduling: {
      ...(sent.scheduling as compute_v1.Schema$Scheduling | null | undefined),
      automaticRestart: isSpot ? false : (sent.scheduling?.automaticRestart ?? true),
      onHostMaintenance: sent.scheduling?.onHostMaintenance ?? (isSpot ? 'TERMINATE' : 'MIGRATE'),
      preemptible: isSpot,
      provisioningModel: isSpot ? 'SPOT' : 'STANDARD',
    },
  }
}

/** A whole URL gets Google's host; links of other forms stay. */
function googleLink(link: string): string {
  return /^https?:\/\//.test(link) && link.includes('/projects/') ? linkTo(linkTail(link)) : link
}

function networkLink(link: string, key: Key): string {
  return selfLink(parseLink(link, { projectId: key.projectId, scope: 'global', collection: 'networks' }))
}
