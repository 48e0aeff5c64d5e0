/**
 * Record sets and the changes that make them. A change is applied to the API's view at once and whole or not at all; it is `pending` until
 * its operation has brought it to the name servers, then `done`.
 */
import type { Kernel } from '../../kernel/kernel.ts'
import type { Principal } from '../../kernel/principal.ts'
import { apexRequired, cnameConflict, invalidValue, notServed, preconditionNotMet, required, setExists, setNotFound } from './errors.ts'
import { checkDnsName } from './schema.ts'
import type { ChangeBody, RecordSetBody } from './schema.ts'
import type { NameBook } from './server/book.ts'
import { canonicalRdata, checkRecordType } from './service.rdata.ts'
import type { Change, DnsStore, RecordSet, Zone } from './store.ts'

export interface ChangeService {
  /** Deletions first, then additions. @throws ApiError 400, 404 and 412 for deletions, 409 for additions, 501 */
  apply(zone: Zone, body: ChangeBody, principal: Principal): Change
  /** The change of a new zone, inside the transaction that makes it. */
  applyFirst(zone: Zone, sets: readonly RecordSet[], principal: Principal): Change
  /** Replaces one set by what the body changes of it. @throws ApiError 400, 404 */
  patchSet(zone: Zone, name: string, type: string, body: RecordSetBody, principal: Principal): RecordSet
  /** @throws ApiError 404 */
  removeSet(zone: Zone, name: string, type: string, principal: Principal): void
  /** @throws ApiError 404 */
  getSet(zone: Zone, name: string, type: string): RecordSet
  /** Gives the name servers the zone as it is now. */
  publish(zoneId: string): void
}

export function createChangeService(kernel: Kernel, store: DnsStore, book: NameBook): ChangeService {
  const { database, operations } = kernel

  operations.register('dns', 'change', async ({ zoneId, changeId }: { zoneId: string; changeId: number }) => {
    publish(zoneId)
    store.finishChange(zoneId, changeId)
    return {}
  })

  function publish(zoneId: string): void {
    const zone = store.zoneById(zoneId)
    if (zone === undefined) book.withdraw(zoneId)
    else if (zone.config.visibility === 'public') book.publish(zone, store.listSets(zoneId))
  }

  function write(zone: Zone, additions: readonly RecordSet[], deletions: readonly RecordSet[], principal: Principal): Change {
    const id = (store.zoneById(zone.id) ?? zone).lastChange + 1
    for (const set of deletions) store.removeSet(zone.id, set)
    for (const set of additions) store.insertSet(zone.id, set)
    const change: Change = { zoneId: zone.id, id, startTime: new Date().toISOString(), isDone: false, additions, deletions }
    store.updateZone({ ...zone, lastChange: id })
    store.insertChange(change)
    operations.start({
      room: 'dns',
      type: 'change',
      projectId: zone.projectId,
      scope: zone.id,
      target: `managedZones/${zone.name}/changes/${id}`,
      principal,
      args: { zoneId: zone.id, changeId: id },
    })
    return change
  }

  function checked(zone: Zone, additions: readonly RecordSet[], deletions: readonly RecordSet[]): void {
    const deleted = new Set<string>()
    for (const [index, set] of deletions.entries()) {
      const entity = `entity.change.deletions[${index}]`
      const existing = store.findSet(zone.id, set.name, set.type)
      if (existing === undefined || deleted.has(keyOf(set))) throw setNotFound(entity, set.name, set.type)
      if (!isSame(existing, set)) throw preconditionNotMet(entity)
      deleted.add(keyOf(set))
    }
    const added = new Map<string, RecordSet[]>()
    for (const [index, set] of additions.entries()) {
      const entity = `entity.change.additions[${index}]`
      const earlier = added.get(set.name) ?? []
      const others = [...store.setsAt(zone.id, set.name).filter((each) => !deleted.has(keyOf(each))), ...earlier]
      if (others.some((each) => each.type === set.type)) throw setExists(entity, set.name, set.type)
      if (others.some((each) => (each.type === 'CNAME') !== (set.type === 'CNAME'))) throw cnameConflict(entity, set.name)
      added.set(set.name, [...earlier, set])
    }
    for (const [index, set] of deletions.entries()) {
      if (set.name !== zone.dnsName || (set.type !== 'NS' && set.type !== 'SOA')) continue
      if (added.get(set.name)?.some((each) => each.type === set.type) !== true) throw apexRequired(`entity.change.deletions[${index}]`, set.type)
    }
  }

  function apply(zone: Zone, additions: readonly RecordSet[], deletions: readonly RecordSet[], principal: Principal): Change {
    return database.transaction(() => {
      checked(zone, additions, deletions)
      return write(zone, additions, deletions, principal)
    })
  }

  function getSet(zone: Zone, name: string, type: string): RecordSet {
    const set = store.findSet(zone.id, name.toLowerCase(), type)
    if (set === undefined) throw setNotFound('parameters.name', name, type)
    return set
  }

  return {
    apply(zone, body, principal) {
      const additions = (body.additions ?? []).map((each, index) => toRecordSet(zone, each, `entity.change.additions[${index}]`))
      const deletions = (body.deletions ?? []).map((each, index) => toRecordSet(zone, each, `entity.change.deletions[${index}]`))
      if (additions.length + deletions.length === 0) throw required('entity.change')
      return apply(zone, additions, deletions, principal)
    },
    applyFirst: (zone, sets, principal) => write(zone, sets, [], principal),
    patchSet(zone, name, type, body, principal) {
      return database.transaction(() => {
        const before = getSet(zone, name, type)
        const after = toRecordSet(zone, { ...before, rrdatas: [...before.rrdatas], ...withoutNulls(body) }, 'entity.change.additions[0]')
        apply(zone, [after], [before], principal)
        return after
      })
    },
    removeSet(zone, name, type, principal) {
      database.transaction(() => apply(zone, [], [getSet(zone, name, type)], principal))
    },
    getSet,
    publish,
  }
}

function keyOf(set: RecordSet): string {
  return `${set.name} ${set.type}`
}

/** Record data are a set: their order tells nothing. */
function isSame(one: RecordSet, other: RecordSet): boolean {
  const texts = (set: RecordSet): string => set.rrdatas.toSorted().join('\n')
  return one.ttl === other.ttl && texts(one) === texts(other)
}

function withoutNulls(body: RecordSetBody): RecordSetBody {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null && value !== undefined))
}

function toRecordSet(zone: Zone, body: RecordSetBody, entity: string): RecordSet {
  if (typeof body.name !== 'string') throw required(`${entity}.name`)
  if (typeof body.type !== 'string') throw required(`${entity}.type`)
  if (body.routingPolicy !== undefined && body.routingPolicy !== null) throw notServed('A routing policy')
  const name = checkDnsName(body.name, `${entity}.name`)
  if (name !== zone.dnsName && !name.endsWith(`.${zone.dnsName}`)) throw invalidValue(`${entity}.name`, body.name, `the zone holds names at and below ${zone.dnsName}`)
  const type = checkRecordType(body.type, `${entity}.type`)
  const ttl = body.ttl ?? 0
  if (ttl < 0 || ttl > 2_147_483_647) throw invalidValue(`${entity}.ttl`, ttl, 'seconds from 0 to 2147483647')
  const rrdatas = (body.rrdatas ?? []).map((text, index) => canonicalRdata(type, text.trim(), `${entity}.rrdata[${index}]`))
  if (rrdatas.length === 0) throw required(`${entity}.rrdata`)
  if (new Set(rrdatas).size !== rrdatas.length) throw invalidValue(`${entity}.rrdata`, rrdatas.join(', '), 'the same data are there twice')
  if ((type === 'CNAME' || type === 'SOA') && rrdatas.length > 1) throw invalidValue(`${entity}.rrdata`, rrdatas.join(', '), `there is one ${type} record at most`)
  if (type === 'SOA' && name !== zone.dnsName) throw invalidValue(`${entity}.name`, name, 'the SOA record is at the apex of its zone')
  return { name, type, ttl, rrdatas }
}
