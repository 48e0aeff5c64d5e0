/** Virtual machines. https://cloud.google.com/compute/docs/reference/rest/v1/instances ; changes of a live one are in `provider.changes.ts`. */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import type { Clients } from '../../client/clients.ts'
import { call, isAbsent, isConflict, isGone, isPreconditionFailed } from '../../client/errors.ts'
import { lastSegment, waitForCompute } from '../../client/operations.ts'
import type { KindContext, ResourceKind } from '../../engine/types.ts'
import { compare, compareMaps, parseProps, part, resourcePath } from '../resource.ts'
import { changeInstance } from './provider.changes.ts'
import { instanceResource, isForeignMetadata, isUp } from './resource.ts'
import { InstanceProps } from './schema.ts'
import type { InstanceAttributes } from './schema.ts'

type Context = KindContext<Clients>

const mostTries = 4

export const instanceKind: ResourceKind<InstanceProps, InstanceAttributes, Clients> = {
  kind: instanceResource.kind,
  identity: instanceResource.identity,
  parse: (props) => parseProps(instanceResource.kind, InstanceProps, props),

  async observe(context, identity) {
    try {
      return await read(context, identity)
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  diff: (props, observed) => [
    ...compare(instanceResource, {
      status: [isUp(observed.status) ? 'RUNNING' : observed.status, 'RUNNING'],
      machineType: [observed.machineType, props.machineType],
      image: [observed.image, resourcePath(props.image)],
      diskSizeGb: [observed.diskSizeGb, props.diskSizeGb ?? observed.diskSizeGb],
      network: [observed.network, networkPath(props)],
      tags: [observed.tags.toSorted(), props.tags.toSorted()],
      serviceAccount: [observed.serviceAccount, props.serviceAccount ?? ''],
      scopes: [observed.scopes.toSorted(), props.serviceAccount === undefined ? [] : props.scopes.toSorted()],
    }),
    ...compareMaps('labels', observed.labels, props.labels),
    ...compareMaps('metadata', observed.metadata, props.metadata, isForeignMetadata),
  ],

  async create(context, props) {
    const compute = await context.clients.compute()
    try {
      const started = await call(compute.instances.insert({ project: props.projectId, zone: props.zone, requestBody: newInstance(props) }, { signal: context.signal }))
      await waitForCompute(context.clients, props.projectId, started, { what: `create the VM ${props.name}`, signal: context.signal })
    } catch (error) {
      if (!isConflict(error)) throw error
    }
    return await read(context, instanceResource.identity(props))
  },

  async update(context, props, observed, differences) {
    const identity = instanceResource.identity(props)
    let live = observed
    let changes = differences
    for (let count = 1; ; count += 1) {
      try {
        await changeInstance(context, props, live, changes)
        return await read(context, identity)
      } catch (error) {
        // a fingerprint is old: somebody (`gcloud compute ssh` writes metadata) was faster, so look again and keep what they did
        if (!isPreconditionFailed(error) || count >= mostTries) throw error
        live = await read(context, identity)
        changes = instanceKind.diff(props, live)
      }
    }
  },

  async remove(context, identity) {
    const compute = await context.clients.compute()
    const project = part(identity, 'projectId')
    const instance = part(identity, 'name')
    try {
      const started = await call(compute.instances.delete({ project, zone: part(identity, 'zone'), instance }, { signal: context.signal }))
      await waitForCompute(context.clients, project, started, { what: `delete the VM ${instance}`, signal: context.signal })
    } catch (error) {
      if (!isGone(error)) throw error
    }
  },
}

function newInstance(props: InstanceProps): compute_v1.Schema$Instance {
  return {
    name: props.name,
    machineType: `zones/${props.zone}/machineTypes/${props.machineType}`,
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
  }
}

function networkPath(props: InstanceProps): string {
  return `projects/${props.projectId}/global/networks/${props.network}`
}

async function read(context: Context, identity: Readonly<Record<string, string>>): Promise<InstanceAttributes> {
  const compute = await context.clients.compute()
  const project = part(identity, 'projectId')
  const zone = part(identity, 'zone')
  const instance = await call(compute.instances.get({ project, zone, instance: part(identity, 'name') }, { signal: context.signal }))
  const boot = (instance.disks ?? []).find((disk) => disk.boot === true)
  // which image a VM was made from is known to its disk alone
  const disk = boot?.source ? await call(compute.disks.get({ project, zone, disk: lastSegment(boot.source) }, { signal: context.signal })) : {}
  return toAttributes(instance, disk)
}

function toAttributes(instance: compute_v1.Schema$Instance, disk: compute_v1.Schema$Disk): InstanceAttributes {
  const network = instance.networkInterfaces?.[0]
  const account = instance.serviceAccounts?.[0]
  return {
    id: instance.id ?? '',
    name: instance.name ?? '',
    selfLink: instance.selfLink ?? '',
    status: instance.status ?? '',
    machineType: lastSegment(instance.machineType ?? ''),
    image: resourcePath(disk.sourceImage ?? ''),
    imageId: disk.sourceImageId ?? '',
    diskSizeGb: Number(disk.sizeGb ?? 0),
    network: resourcePath(network?.network ?? ''),
    tags: instance.tags?.items ?? [],
    tagsFingerprint: instance.tags?.fingerprint ?? '',
    labels: instance.labels ?? {},
    labelFingerprint: instance.labelFingerprint ?? '',
    metadata: Object.fromEntries((instance.metadata?.items ?? []).map((item) => [item.key ?? '', item.value ?? ''])),
    metadataFingerprint: instance.metadata?.fingerprint ?? '',
    serviceAccount: account?.email ?? '',
    scopes: account?.scopes ?? [],
    internalIp: network?.networkIP ?? '',
    externalIp: network?.accessConfigs?.[0]?.natIP ?? '',
  }
}
