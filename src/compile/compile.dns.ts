/** The config's `dns` section: a zone, and in it an address record for each domain of the server that lies in it. */
import type { DesiredResource } from '../engine/types.ts'
import { stackLabel } from '../resources/resource.ts'
import { resource, serviceAddress } from './compilation.ts'
import type { Compilation } from './compilation.ts'
import { servingName, zoneName } from './names.ts'

/** The API that the section needs. */
export const dnsApi = 'dns.googleapis.com'

/** How long resolvers may keep an address, in seconds. */
const addressTtlSeconds = 300

/** Nothing without the section. Domains of the server outside of the zone are somebody else's to point here. */
export function compileDns({ config, projectId, labels, description }: Compilation): readonly DesiredResource[] {
  const { dns, server } = config
  if (dns === undefined) return []
  const name = zoneName(dns.zone)
  const zone = resource('dns-managed-zone', name, { projectId, name, dnsName: `${dns.zone}.`, description, labels }, [serviceAddress(dnsApi)])
  const address = { $ref: `global-address/${servingName(labels[stackLabel] ?? projectId)}`, attribute: 'address' } as const
  const domains = [...new Set(server?.domains ?? [])].filter((domain) => domain === dns.zone || domain.endsWith(`.${dns.zone}`))
  const records = domains.map((domain) =>
    resource('dns-record-set', `${domain}/A`, { projectId, zone: name, name: `${domain}.`, type: 'A', ttlSeconds: addressTtlSeconds, data: [address] }, [zone.address]),
  )
  return [zone, ...records]
}
