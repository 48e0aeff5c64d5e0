/**
 * The answer of an authoritative server to one query (RFC 1034 section 4.3.2, wildcards by RFC 4592, negative answers by RFC 2308).
 * A CNAME is followed as long as it leads to names of this cloud.
 */
import type { RecordSet } from '../store.ts'
import { parentName } from './book.ts'
import type { NameBook, PublishedZone } from './book.ts'

export const rcodes = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const

export interface Reply {
  readonly rcode: keyof typeof rcodes
  readonly isAuthoritative: boolean
  readonly answers: readonly RecordSet[]
  readonly authorities: readonly RecordSet[]
  readonly additionals: readonly RecordSet[]
}

/** Longer chains are loops or mistakes. */
const MAX_CNAMES = 16

/** `name` absolute, in any case; `type` as in a zone file, or ANY. */
export function answerQuery(book: NameBook, name: string, type: string): Reply {
  const answers: RecordSet[] = []
  let current = name.toLowerCase()
  for (let step = 0; step <= MAX_CNAMES; step += 1) {
    const zone = book.find(current)
    if (zone === undefined) return step === 0 ? refused : reply({ answers })
    const cut = delegationAbove(zone, current)
    if (cut !== undefined) return referral(zone, cut, answers)
    const types = lookup(zone, current)
    if (types === undefined) return reply({ rcode: 'NXDOMAIN', answers, authorities: negative(zone) })
    const alias = types.get('CNAME')
    if (type === 'ANY' || type === 'CNAME' || alias === undefined) {
      const found = type === 'ANY' ? [...types.values()] : [types.get(type) ?? []].flat()
      return reply({ answers: [...answers, ...found], authorities: found.length === 0 ? negative(zone) : [] })
    }
    answers.push(alias)
    const target = alias.rrdatas[0] ?? '.'
    if (answers.some((each) => each.name === target)) return reply({ answers })
    current = target
  }
  return reply({ answers })
}

const refused: Reply = { rcode: 'REFUSED', isAuthoritative: false, answers: [], authorities: [], additionals: [] }

function reply(parts: Partial<Reply>): Reply {
  return { rcode: 'NOERROR', isAuthoritative: true, answers: [], authorities: [], additionals: [], ...parts }
}

/** Record sets at a name, from a wildcard if there is one for it; empty when the name exists without any; undefined when it does not exist. */
function lookup(zone: PublishedZone, name: string): ReadonlyMap<string, RecordSet> | undefined {
  const exact = zone.names.get(name)
  if (exact !== undefined) return exact
  if (zone.emptyNames.has(name)) return new Map()
  for (let parent = parentName(name); parent !== undefined; parent = parentName(parent)) {
    const wildcard = zone.names.get(`*.${parent}`)
    if (wildcard !== undefined) return new Map([...wildcard].map(([type, set]) => [type, { ...set, name }]))
    // The closest name that exists decides: a wildcard further up does not reach below it.
    if (parent === zone.dnsName || zone.names.has(parent) || zone.emptyNames.has(parent)) return undefined
  }
  return undefined
}

/** The topmost NS record set below the apex and at or above the name. */
function delegationAbove(zone: PublishedZone, name: string): RecordSet | undefined {
  let found: RecordSet | undefined
  for (let at: string | undefined = name; at !== undefined && at !== zone.dnsName; at = parentName(at)) found = zone.names.get(at)?.get('NS') ?? found
  return found
}

function referral(zone: PublishedZone, cut: RecordSet, answers: readonly RecordSet[]): Reply {
  const glue = cut.rrdatas.flatMap((server) => ['A', 'AAAA'].flatMap((type) => zone.names.get(server)?.get(type) ?? []))
  return reply({ isAuthoritative: answers.length > 0, answers, authorities: [cut], additionals: glue })
}

/** The SOA with the time for which absence may be remembered: the smaller of its TTL and its MINIMUM (RFC 2308 section 3). */
function negative(zone: PublishedZone): readonly RecordSet[] {
  const soa = zone.names.get(zone.dnsName)?.get('SOA')
  if (soa === undefined) return []
  const minimum = Number(soa.rrdatas[0]?.split(' ').at(-1) ?? soa.ttl)
  return [{ ...soa, ttl: Math.min(soa.ttl, minimum) }]
}
