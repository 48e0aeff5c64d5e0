/** Public DNS zones. https://cloud.google.com/dns/docs/reference/rest/v1/managedZones */
import { KilnError } from '../../base/errors.ts'
import type { Clients } from '../../client/clients.ts'
import type { ManagedZone } from '../../client/cloud-dns.ts'
import { ApiError, isAbsent, isConflict, isGone } from '../../client/errors.ts'
import type { KindContext, ResourceKind } from '../../engine/types.ts'
import { compare, compareMaps, mergeMaps, parseProps, part } from '../resource.ts'
import { dnsManagedZoneResource } from './resource.ts'
import { DnsManagedZoneProps } from './schema.ts'
import type { DnsManagedZoneAttributes } from './schema.ts'

export const dnsManagedZoneKind: ResourceKind<DnsManagedZoneProps, DnsManagedZoneAttributes, Clients> = {
  kind: dnsManagedZoneResource.kind,
  identity: dnsManagedZoneResource.identity,
  parse: (props) => parseProps(dnsManagedZoneResource.kind, DnsManagedZoneProps, props),

  async observe(context, identity) {
    try {
      return await read(context, identity)
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  diff: (props, observed) => [
    ...compare(dnsManagedZoneResource, {
      dnsName: [observed.dnsName, props.dnsName],
      visibility: [observed.visibility, 'public'],
      description: [observed.description, props.description],
    }),
    ...compareMaps('labels', observed.labels, props.labels),
  ],

  async create(context, props) {
    const { projectId, name, dnsName, description, labels } = props
    try {
      return toAttributes(await context.clients.cloudDns.createZone(projectId, { name, dnsName, description, labels, visibility: 'public' }, { signal: context.signal }))
    } catch (error) {
      if (!isConflict(error)) throw error
    }
    const observed = await read(context, dnsManagedZoneResource.identity(props))
    const differences = dnsManagedZoneKind.diff(props, observed)
    if (differences.length === 0) return observed
    const fixed = differences.filter((difference) => difference.forcesReplacement === true).map((difference) => difference.path)
    if (fixed.length === 0) return await dnsManagedZoneKind.update(context, props, observed, differences)
    throw new KilnError('E_PLAN', `somebody made a DNS zone ${name} at the same time, and it differs in what cannot be changed: ${fixed.join(', ')}`, {
      hint: 'run the same command again to see what it would change',
    })
  },

  async update(context, props, observed) {
    const fields = { description: props.description, labels: mergeMaps(observed.labels, props.labels) }
    await context.clients.cloudDns.patchZone(props.projectId, props.name, fields, { signal: context.signal })
    return await read(context, dnsManagedZoneResource.identity(props))
  },

  async remove(context, identity) {
    const name = part(identity, 'name')
    try {
      await context.clients.cloudDns.deleteZone(part(identity, 'projectId'), name, { signal: context.signal })
    } catch (error) {
      if (isGone(error)) return
      if (!(error instanceof ApiError) || !error.reasons.includes('containerNotEmpty')) throw error
      throw new KilnError('E_API', `the DNS zone ${name} has record sets that Kiln did not make, so it stays: ${error.message}`, {
        hint: `look with \`gcloud dns record-sets list --zone=${name}\`, delete those that nobody needs, and run the same command again`,
        cause: error,
      })
    }
  },
}

async function read(context: KindContext<Clients>, identity: Readonly<Record<string, string>>): Promise<DnsManagedZoneAttributes> {
  return toAttributes(await context.clients.cloudDns.getZone(part(identity, 'projectId'), part(identity, 'name'), { signal: context.signal }))
}

function toAttributes(zone: ManagedZone): DnsManagedZoneAttributes {
  return {
    name: zone.name ?? '',
    dnsName: zone.dnsName ?? '',
    description: zone.description ?? '',
    visibility: zone.visibility ?? 'public',
    nameServers: zone.nameServers ?? [],
    labels: zone.labels ?? {},
  }
}
