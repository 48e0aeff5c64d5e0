/** The DNS zone; and networks, rules, addresses and load balancers that no section speaks of. */
import { zoneName } from '../../compile/names.ts'
import { all, isMadeByKiln, one } from './reading.ts'
import type { Foreign, Part, Reader } from './reading.ts'

interface Zone {
  readonly name?: string
  readonly dnsName?: string
  readonly visibility?: string
}

interface Record {
  readonly name?: string
  readonly type?: string
}

export const readDns: Reader = async (reading, { server }): Promise<Part> => {
  const base = `https://dns.googleapis.com/dns/v1/projects/${reading.projectId}/managedZones`
  const zones = await all<Zone>(reading, base, 'managedZones')
  const domainOf = (zone: Zone): string => (zone.dnsName ?? '').replace(/\.$/, '')
  const own = zones.find((zone) => zone.visibility !== 'private' && zone.name === zoneName(domainOf(zone)))
  const foreign: Foreign[] = zones
    .filter((zone) => zone !== own)
    .map((zone) => ({ what: `dns managed-zones ${zone.name ?? ''}`, why: `a stack has one public zone under a name of its own; this one is ${zone.dnsName ?? ''}` }))
  if (own === undefined) return { section: {}, foreign }
  const domains = (server?.domains ?? []).map((domain) => `${domain}.`)
  for (const record of await all<Record>(reading, `${base}/${own.name}/rrsets`, 'rrsets')) {
    const isGiven = (record.name === own.dnsName && (record.type === 'NS' || record.type === 'SOA')) || (record.type === 'A' && domains.includes(record.name ?? ''))
    if (!isGiven) foreign.push({ what: `dns record-sets ${record.name ?? ''} ${record.type ?? ''}`, why: 'the config knows only the addresses of the server' })
  }
  return { section: { dns: { zone: domainOf(own) } }, foreign }
}

interface Thing {
  readonly name?: string
  readonly description?: string
  readonly labels?: Readonly<globalThis.Record<string, string>>
}

/** gcloud's words for Compute Engine's global collections of which a stack has its own. */
const collections: readonly (readonly [collection: string, words: string])[] = [
  ['networks', 'networks'],
  ['firewalls', 'firewall-rules'],
  ['addresses', 'addresses'],
  ['forwardingRules', 'forwarding-rules'],
  ['urlMaps', 'url-maps'],
  ['backendServices', 'backend-services'],
  ['healthChecks', 'health-checks'],
  ['instanceTemplates', 'instance-templates'],
  ['snapshots', 'snapshots'],
]

/** Lists what is there beside a stack; the network that Google makes is nobody's. */
export const readNetwork: Reader = async (reading): Promise<Part> => {
  const foreign: Foreign[] = []
  const base = `https://compute.googleapis.com/compute/v1/projects/${reading.projectId}`
  for (const [collection, words] of collections) {
    const things = await all<Thing>(reading, `${base}/global/${collection}`, 'items')
    const others = things.filter(
      (thing) => !isMadeByKiln(thing) && thing.name !== 'default' && !(thing.name ?? '').startsWith('default-allow-') && !(thing.name ?? '').startsWith('serve-'),
    )
    foreign.push(...others.map((thing) => ({ what: `compute ${words} ${thing.name ?? ''}`, why: 'no section of the config speaks of it' })))
  }
  const routers = await one<{ readonly items?: globalThis.Record<string, { readonly routers?: readonly Thing[] }> }>(reading, `${base}/aggregated/routers`)
  const found = Object.values(routers?.items ?? {}).flatMap((scope) => scope.routers ?? [])
  foreign.push(...found.map((thing) => ({ what: `compute routers ${thing.name ?? ''}`, why: 'no section of the config speaks of it' })))
  return { section: {}, foreign }
}
