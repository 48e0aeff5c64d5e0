/** Record sets of DNS zones. https://cloud.google.com/dns/docs/reference/rest/v1/resourceRecordSets */
import type { Clients } from '../../client/clients.ts'
import type { RecordSet } from '../../client/cloud-dns.ts'
import { isAbsent, isConflict, isGone } from '../../client/errors.ts'
import type { KindContext, ResourceKind } from '../../engine/types.ts'
import { compare, parseProps, part } from '../resource.ts'
import { dnsRecordSetResource } from './resource.ts'
import { DnsRecordSetProps } from './schema.ts'
import type { DnsRecordSetAttributes } from './schema.ts'

export const dnsRecordSetKind: ResourceKind<DnsRecordSetProps, DnsRecordSetAttributes, Clients> = {
  kind: dnsRecordSetResource.kind,
  identity: dnsRecordSetResource.identity,
  parse: (props) => parseProps(dnsRecordSetResource.kind, DnsRecordSetProps, props),

  async observe(context, identity) {
    try {
      return await read(context, identity)
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  diff: (props, observed) =>
    compare(dnsRecordSetResource, {
      ttlSeconds: [observed.ttlSeconds, props.ttlSeconds],
      // a set has no order
      data: [observed.data.toSorted(), props.data.toSorted()],
    }),

  async create(context, props) {
    try {
      return toAttributes(await context.clients.cloudDns.createRecordSet(props.projectId, props.zone, desiredSet(props), { signal: context.signal }))
    } catch (error) {
      if (!isConflict(error)) throw error
    }
    const observed = await read(context, dnsRecordSetResource.identity(props))
    const differences = dnsRecordSetKind.diff(props, observed)
    return differences.length === 0 ? observed : await dnsRecordSetKind.update(context, props, observed, differences)
  },

  update: async (context, props) => toAttributes(await context.clients.cloudDns.patchRecordSet(props.projectId, props.zone, desiredSet(props), { signal: context.signal })),

  async remove(context, identity) {
    try {
      const [zone, name, type] = [part(identity, 'zone'), part(identity, 'name'), part(identity, 'type')]
      await context.clients.cloudDns.deleteRecordSet(part(identity, 'projectId'), zone, name, type, { signal: context.signal })
    } catch (error) {
      if (!isGone(error)) throw error
    }
  },
}

function desiredSet(props: DnsRecordSetProps): RecordSet {
  return { name: props.name, type: props.type, ttl: props.ttlSeconds, rrdatas: props.data }
}

async function read(context: KindContext<Clients>, identity: Readonly<Record<string, string>>): Promise<DnsRecordSetAttributes> {
  const [zone, name, type] = [part(identity, 'zone'), part(identity, 'name'), part(identity, 'type')]
  return toAttributes(await context.clients.cloudDns.getRecordSet(part(identity, 'projectId'), zone, name, type, { signal: context.signal }))
}

function toAttributes(set: RecordSet): DnsRecordSetAttributes {
  return { name: set.name ?? '', type: set.type ?? '', ttlSeconds: set.ttl ?? 0, data: set.rrdatas ?? [] }
}
