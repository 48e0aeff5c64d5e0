/** What the name servers know: whole zones in memory, exchanged one by one when a change is published. */
import type { RecordSet, Zone } from '../store.ts'

export interface PublishedZone {
  readonly id: string
  /** Lower case, with the final dot. */
  readonly dnsName: string
  readonly createTime: string
  /** Record sets by name, then type. */
  readonly names: ReadonlyMap<string, ReadonlyMap<string, RecordSet>>
  /** Names that exist only because there are names below them (RFC 4592 section 2.2.2). */
  readonly emptyNames: ReadonlySet<string>
}

export interface NameBook {
  publish(zone: Zone, sets: readonly RecordSet[]): void
  withdraw(zoneId: string): void
  /** The zone with the longest name that `name` is at or below. Of several with the same name the oldest answers. */
  find(name: string): PublishedZone | undefined
}

export function createNameBook(): NameBook {
  const zones = new Map<string, PublishedZone[]>()

  function withdraw(zoneId: string): void {
    for (const [dnsName, list] of zones) {
      const rest = list.filter((zone) => zone.id !== zoneId)
      if (rest.length === 0) zones.delete(dnsName)
      else zones.set(dnsName, rest)
    }
  }

  return {
    publish(zone, sets) {
      withdraw(zone.id)
      const list = [...(zones.get(zone.dnsName) ?? []), toPublished(zone, sets)]
      zones.set(
        zone.dnsName,
        list.sort((a, b) => (a.createTime < b.createTime ? -1 : 1)),
      )
    },
    withdraw,
    find(name) {
      for (let rest: string | undefined = name; rest !== undefined; rest = parentName(rest)) {
        const zone = zones.get(rest)?.[0]
        if (zone !== undefined) return zone
      }
      return undefined
    },
  }
}

/** `www.example.com.` -> `example.com.`; undefined for the root. */
export function parentName(name: string): string | undefined {
  if (name === '.') return undefined
  return name.slice(name.indexOf('.') + 1) || '.'
}

function toPublished(zone: Zone, sets: readonly RecordSet[]): PublishedZone {
  const names = new Map<string, Map<string, RecordSet>>()
  const emptyNames = new Set<string>()
  for (const set of sets) {
    const types = names.get(set.name) ?? new Map<string, RecordSet>()
    types.set(set.type, set)
    names.set(set.name, types)
    for (let parent = parentName(set.name); parent !== undefined && parent.endsWith(`.${zone.dnsName}`); parent = parentName(parent)) emptyNames.add(parent)
  }
  return { id: zone.id, dnsName: zone.dnsName, createTime: zone.createTime, names, emptyNames }
}
