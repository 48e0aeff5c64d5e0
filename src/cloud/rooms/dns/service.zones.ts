/** Managed zones. The server gives each its name servers, its NS and SOA record sets, and its first change. */
import { numericId } from '../../../base/ids.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Operation } from '../../kernel/operations.ts'
import type { Principal } from '../../kernel/principal.ts'
import { invalidValue, notServed, required, zoneExists, zoneNotEmpty, zoneNotFound } from './errors.ts'
import { checkDnsName, checkLabels, checkZoneName } from './schema.ts'
import type { ZoneBody } from './schema.ts'
import type { NameBook } from './server/book.ts'
import type { ChangeService } from './service.changes.ts'
import type { DnsStore, RecordSet, Zone, ZoneConfig } from './store.ts'

export const DNS_SERVICE = 'dns.googleapis.com'

export interface ZoneService {
  /** By name or id. @throws ApiError 404 */
  get(project: string, zone: string): Zone
  /** Sorted by name; only those of `dnsName`, when it is given. */
  list(project: string, dnsName?: string): readonly Zone[]
  /** @throws ApiError 400, 409, 501 for zones that the pocket cloud cannot serve */
  create(project: string, body: ZoneBody, principal: Principal): Zone
  /** `isWhole`: fields that the body lacks become empty (PUT). @throws ApiError 400, 404 */
  change(project: string, zone: string, body: ZoneBody, isWhole: boolean, principal: Principal): Operation
  /** @throws ApiError 400 while it has record sets besides its own NS and SOA, 404 */
  remove(project: string, zone: string): void
  /** One zone's operations, newest first. @throws ApiError 404 */
  operations(project: string, zone: string): readonly Operation[]
}

export interface ZoneUpdate {
  readonly zoneId: string
  readonly oldValue: Zone
  readonly newValue: Zone
}

export function createZoneService(kernel: Kernel, store: DnsStore, changes: ChangeService, book: NameBook): ZoneService {
  const { database, projects, operations } = kernel

  // The new settings are stored when the operation starts; what is left is that the name servers hear of them.
  operations.register('dns', 'update', async ({ zoneId }: ZoneUpdate) => {
    changes.publish(zoneId)
    return {}
  })

  function get(project: string, name: string): Zone {
    const zone = store.findZone(projectIdOf(project), name)
    if (zone === undefined) throw zoneNotFound(name)
    return zone
  }

  function projectIdOf(project: string): string {
    return projects.requireActive(project, DNS_SERVICE).projectId
  }

  return {
    get,
    list: (project, dnsName) => store.listZones(projectIdOf(project)).filter((zone) => dnsName === undefined || zone.dnsName === dnsName.toLowerCase()),
    create(project, body, principal) {
      const projectId = projectIdOf(project)
      const name = checkZoneName(body.name)
      if (typeof body.dnsName !== 'string' || body.dnsName === '') throw required('entity.managedZone.dnsName')
      const dnsName = checkDnsName(body.dnsName, 'entity.managedZone.dnsName')
      if (dnsName === '.' || dnsName.startsWith('*')) throw invalidValue('entity.managedZone.dnsName', body.dnsName, 'a zone has a name below the root, without wildcard')
      return database.transaction(() => {
        if (store.findZone(projectId, name) !== undefined) throw zoneExists(name)
        const visibility = body.visibility === 'private' ? 'private' : 'public'
        if (!['public', 'private', undefined, null].includes(body.visibility)) throw invalidValue('entity.managedZone.visibility', body.visibility, 'public or private')
        const nameServers = visibility === 'private' ? ['ns-gcp-private.googledomains.com.'] : pickNameServers(dnsName)
        const zone: Zone = {
          id: numericId(),
          projectId,
          name,
          dnsName,
          createTime: new Date().toISOString(),
          lastChange: -1,
          config: toConfig(body, { description: '', labels: {}, visibility, nameServers }),
        }
        store.insertZone(zone)
        changes.applyFirst(zone, apexSets(zone), principal)
        return { ...zone, lastChange: 0 }
      })
    },
    change(project, name, body, isWhole, principal) {
      return database.transaction(() => {
        const zone = get(project, name)
        for (const field of ['name', 'dnsName', 'visibility'] as const) {
          const now = field === 'visibility' ? zone.config.visibility : zone[field]
          const asked = body[field]
          if (typeof asked === 'string' && asked.toLowerCase() !== now) throw invalidValue(`entity.managedZone.${field}`, asked, 'it cannot be changed')
        }
        const { visibility, nameServers } = zone.config
        const changed: Zone = { ...zone, config: toConfig(body, isWhole ? { description: '', labels: {}, visibility, nameServers } : zone.config) }
        store.updateZone(changed)
        const args: ZoneUpdate = { zoneId: zone.id, oldValue: zone, newValue: changed }
        return operations.start({ room: 'dns', type: 'update', projectId: zone.projectId, scope: zone.id, target: `managedZones/${zone.name}`, targetId: zone.id, principal, args })
      })
    },
    remove(project, name) {
      const zone = get(project, name)
      database.transaction(() => {
        if (store.listSets(zone.id).some((set) => !isApexOwn(zone, set))) throw zoneNotEmpty(zone.name)
        store.removeZone(zone.id)
      })
      book.withdraw(zone.id)
    },
    operations(project, name) {
      const zone = get(project, name)
      return operations
        .list('dns', zone.projectId, zone.id)
        .filter((operation) => operation.type === 'update')
        .toReversed()
    },
  }

  /** Zones of the same name get other servers, as long as there are some. */
  function pickNameServers(dnsName: string): readonly string[] {
    const taken = new Set(store.allZones().flatMap((zone) => (zone.dnsName === dnsName ? zone.config.nameServers : [])))
    const letter = [...'abcde'].find((each) => !taken.has(`ns-cloud-${each}1.googledomains.com.`))
    if (letter === undefined) throw invalidValue('entity.managedZone.dnsName', dnsName, 'there are as many zones of this name as there are sets of name servers')
    return [1, 2, 3, 4].map((number) => `ns-cloud-${letter}${number}.googledomains.com.`)
  }
}

function isApexOwn(zone: Zone, set: RecordSet): boolean {
  return set.name === zone.dnsName && (set.type === 'NS' || set.type === 'SOA')
}

/** The times are those that Cloud DNS gives to every new zone. */
function apexSets(zone: Zone): readonly RecordSet[] {
  const [first = ''] = zone.config.nameServers
  return [
    { name: zone.dnsName, type: 'NS', ttl: 21_600, rrdatas: zone.config.nameServers },
    { name: zone.dnsName, type: 'SOA', ttl: 21_600, rrdatas: [`${first} cloud-dns-hostmaster.google.com. 1 21600 3600 259200 300`] },
  ]
}

function toConfig(body: ZoneBody, before: ZoneConfig): ZoneConfig {
  const { description, labels, dnssecConfig, cloudLoggingConfig, privateVisibilityConfig } = body
  if (body.forwardingConfig !== undefined && body.forwardingConfig !== null) throw notServed('A forwarding zone')
  if (body.peeringConfig !== undefined && body.peeringConfig !== null) throw notServed('A peering zone')
  const signing = dnssecConfig?.state
  if (typeof signing === 'string' && signing !== 'off') throw notServed(`DNSSEC (dnssecConfig.state ${signing})`)
  if (labels !== undefined && labels !== null) checkLabels(labels)
  // Terraform sends one without networks with every public zone, and must not read it back.
  const isShown = Object.values(privateVisibilityConfig ?? {}).some((value) => Array.isArray(value) && value.length > 0)
  if (isShown && before.visibility === 'public')
    throw invalidValue('entity.managedZone.privateVisibilityConfig', JSON.stringify(privateVisibilityConfig), 'a public zone is seen by everybody')
  return {
    ...before,
    description: description ?? before.description,
    labels: labels ?? before.labels,
    dnssecConfig: dnssecConfig ?? before.dnssecConfig,
    cloudLoggingConfig: cloudLoggingConfig ?? before.cloudLoggingConfig,
    privateVisibilityConfig:
      privateVisibilityConfig === undefined || privateVisibilityConfig === null ? before.privateVisibilityConfig : isShown ? privateVisibilityConfig : undefined,
  }
}
