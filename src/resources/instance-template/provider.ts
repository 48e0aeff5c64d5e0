/**
 * Global instance templates. https://cloud.google.com/compute/docs/reference/rest/v1/instanceTemplates
 * One that a group uses cannot be deleted: give a changed template another name, then the group moves before the old one goes.
 */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { call } from '../../client/errors.ts'
import { lastSegment } from '../../client/operations.ts'
import { computeKind, projectOf } from '../compute-kind.ts'
import { compare, part, resourcePath } from '../resource.ts'
import { instanceTemplateResource } from './resource.ts'
import { InstanceTemplateProps } from './schema.ts'
import type { InstanceTemplateAttributes } from './schema.ts'

export const instanceTemplateKind = computeKind<InstanceTemplateProps, InstanceTemplateAttributes>({
  resource: instanceTemplateResource,
  schema: InstanceTemplateProps,
  noun: 'instance template',
  createBeforeDelete: true,

  async read(compute, identity, options) {
    return toAttributes(await call(compute.instanceTemplates.get({ ...projectOf(identity), instanceTemplate: part(identity, 'name') }, options)))
  },

  diff(props, observed) {
    if (props.seed) return []
    return compare(instanceTemplateResource, {
      machineType: [observed.machineType, props.machineType],
      image: [observed.image, resourcePath(props.image)],
      diskSizeGb: [observed.diskSizeGb, props.diskSizeGb ?? 0],
      network: [observed.network, networkPath(props)],
      tags: [observed.tags.toSorted(), props.tags.toSorted()],
      labels: [observed.labels, props.labels],
      metadata: [observed.metadata, props.metadata],
      serviceAccount: [observed.serviceAccount, props.serviceAccount ?? ''],
      scopes: [observed.scopes.toSorted(), props.serviceAccount === undefined ? [] : props.scopes.toSorted()],
      description: [observed.description, props.description],
    })
  },

  insert: (compute, props, options) => compute.instanceTemplates.insert({ project: props.projectId, requestBody: newTemplate(props) }, options),

  remove: (compute, identity, options) => compute.instanceTemplates.delete({ ...projectOf(identity), instanceTemplate: part(identity, 'name') }, options),
})

function networkPath(props: InstanceTemplateProps): string {
  return `projects/${props.projectId}/global/networks/${props.network}`
}

function newTemplate(props: InstanceTemplateProps): compute_v1.Schema$InstanceTemplate {
  return {
    name: props.name,
    description: props.description,
    properties: {
      machineType: props.machineType,
      labels: { ...props.labels },
      tags: { items: props.tags },
      metadata: { items: Object.entries(props.metadata).map(([key, value]) => ({ key, value })) },
      disks: [
        {
          boot: true,
          autoDelete: true,
          initializeParams: {
            sourceImage: resourcePath(props.image),
            labels: { ...props.labels },
            ...(props.diskSizeGb === undefined ? {} : { diskSizeGb: String(props.diskSizeGb) }),
          },
        },
      ],
      networkInterfaces: [{ network: networkPath(props), accessConfigs: [{ name: 'External NAT', type: 'ONE_TO_ONE_NAT' }] }],
      serviceAccounts: props.serviceAccount === undefined ? [] : [{ email: props.serviceAccount, scopes: props.scopes }],
    },
  }
}

function toAttributes(template: compute_v1.Schema$InstanceTemplate): InstanceTemplateAttributes {
  const { properties = {} } = template
  const boot = (properties.disks ?? []).find((disk) => disk.boot === true)?.initializeParams
  const account = properties.serviceAccounts?.[0]
  return {
    id: template.id ?? '',
    name: template.name ?? '',
    selfLink: template.selfLink ?? '',
    machineType: lastSegment(properties.machineType ?? ''),
    image: resourcePath(boot?.sourceImage ?? ''),
    diskSizeGb: Number(boot?.diskSizeGb ?? 0),
    network: resourcePath(properties.networkInterfaces?.[0]?.network ?? ''),
    tags: properties.tags?.items ?? [],
    labels: properties.labels ?? {},
    metadata: Object.fromEntries((properties.metadata?.items ?? []).map((item) => [item.key ?? '', item.value ?? ''])),
    serviceAccount: account?.email ?? '',
    scopes: account?.scopes ?? [],
    description: template.description ?? '',
  }
}
