/**
 * Record data in the presentation format of zone files (RFC 1035 section 5): checked, brought into one form so that equal data compare
 * equal, and turned into what the packet encoder takes.
 */
import { isIPv4, isIPv6 } from 'node:net'
import type { CaaData, MxData, SoaData, SrvData } from 'dns-packet'
import { invalidValue, notServed } from './errors.ts'
import { checkDnsName } from './schema.ts'

export const recordTypes = ['A', 'AAAA', 'CAA', 'CNAME', 'MX', 'NS', 'PTR', 'SOA', 'SRV', 'TXT'] as const
export type RecordType = (typeof recordTypes)[number]

/** Cloud DNS takes these too; the pocket cloud does not. */
const otherTypes = new Set(['ALIAS', 'DNSKEY', 'DS', 'HTTPS', 'IPSECKEY', 'NAPTR', 'SPF', 'SSHFP', 'SVCB', 'TLSA'])

export function isRecordType(type: string): type is RecordType {
  return recordTypes.some((each) => each === type)
}

/** @throws ApiError 400; 501 for a type that Google has and we have not */
export function checkRecordType(type: string, entity: string): RecordType {
  if (isRecordType(type)) return type
  if (otherTypes.has(type)) throw notServed(`The record type ${type}`)
  throw invalidValue(entity, type, `the types are ${recordTypes.join(', ')}`)
}

/** The canonical text of one record's data. @throws ApiError 400 that names `entity` */
export function canonicalRdata(type: RecordType, text: string, entity: string): string {
  const wrong = (why: string): Error => invalidValue(entity, text, why)
  switch (type) {
    case 'A':
      if (!isIPv4(text)) throw wrong('an A record holds an IPv4 address')
      return text
    case 'AAAA':
      if (!isIPv6(text) || text.includes('%')) throw wrong('an AAAA record holds an IPv6 address')
      return new URL(`http://[${text}]/`).hostname.slice(1, -1)
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return checkDnsName(text, entity)
    case 'MX': {
      const [, preference = '', exchange = ''] = /^(\d{1,5})\s+(\S+)$/.exec(text) ?? []
      if (exchange === '') throw wrong('an MX record is: PREFERENCE HOST.')
      return `${toUint(preference, 65_535, wrong)} ${checkDnsName(exchange, entity)}`
    }
    case 'SRV': {
      const [, priority = '', weight = '', port = '', target = ''] = /^(\d{1,5})\s+(\d{1,5})\s+(\d{1,5})\s+(\S+)$/.exec(text) ?? []
      if (target === '') throw wrong('an SRV record is: PRIORITY WEIGHT PORT HOST.')
      return [...[priority, weight, port].map((part) => toUint(part, 65_535, wrong)), checkDnsName(target, entity)].join(' ')
    }
    case 'CAA': {
      const [, flags = '', tag = '', value = ''] = /^(\d{1,3})\s+([a-zA-Z0-9]+)\s+(.+)$/.exec(text) ?? []
      if (!/^(issue|issuewild|iodef)$/i.test(tag)) throw wrong('a CAA record is: FLAGS issue|issuewild|iodef "VALUE"')
      const values = parseStrings(value, wrong)
      if (values.length !== 1) throw wrong('a CAA record has one value')
      return `${toUint(flags, 255, wrong)} ${tag.toLowerCase()} ${quote(values[0] ?? Buffer.alloc(0))}`
    }
    case 'SOA': {
      const parts = text.split(/\s+/)
      if (parts.length !== 7) throw wrong('an SOA record is: MNAME RNAME SERIAL REFRESH RETRY EXPIRE MINIMUM')
      return [...parts.slice(0, 2).map((name) => checkDnsName(name, entity)), ...parts.slice(2).map((part) => toUint(part, 4_294_967_295, wrong))].join(' ')
    }
    case 'TXT': {
      const strings = parseStrings(text, wrong)
      if (strings.length === 0) throw wrong('a TXT record holds at least one string')
      if (strings.some((each) => each.length > 255)) throw wrong('a string of a TXT record has at most 255 bytes: split it into several, each in quotes')
      return strings.map(quote).join(' ')
    }
  }
}

function toUint(text: string, max: number, wrong: (why: string) => Error): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value > max) throw wrong(`${text} is not a whole number up to ${max}`)
  return value
}

/** The strings of `"one" "two" three`, with \" \\ and \DDD undone. */
function parseStrings(text: string, wrong: (why: string) => Error): Buffer[] {
  const strings: Buffer[] = []
  const pattern = /\s*(?:"((?:[^"\\]|\\[\s\S])*)"|((?:[^\s"\\]|\\[\s\S])+))(?=\s|$)/y
  let end = 0
  while (text.slice(end).trim() !== '') {
    pattern.lastIndex = end
    const match = pattern.exec(text)
    if (match === null) throw wrong('a quote is not closed, or text follows it without a space')
    strings.push(unescape(match[1] ?? match[2] ?? ''))
    end = pattern.lastIndex
  }
  return strings
}

function unescape(text: string): Buffer {
  const parts: Buffer[] = []
  for (const match of text.matchAll(/\\(\d{3})|\\([\s\S])|([^\\]+)/g)) {
    parts.push(match[1] === undefined ? Buffer.from(match[2] ?? match[3] ?? '') : Buffer.from([Number(match[1]) & 0xff]))
  }
  return Buffer.concat(parts)
}

function quote(bytes: Buffer): string {
  let text = ''
  for (const byte of bytes) {
    if (byte === 0x22 || byte === 0x5c) text += `\\${String.fromCharCode(byte)}`
    else text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\${String(byte).padStart(3, '0')}`
  }
  return `"${text}"`
}

export type PacketData = string | MxData | SrvData | CaaData | SoaData | Buffer[]

/** What the packet encoder takes for canonical data: names without their final dot. */
export function toPacketData(type: RecordType, text: string): PacketData {
  const parts = text.split(' ')
  const name = (part: string | undefined): string => (part === undefined || part === '.' ? '.' : part.replace(/\.$/, ''))
  const fail = (why: string): Error => new Error(`${type} data ${text} is not canonical: ${why}`)
  switch (type) {
    case 'A':
    case 'AAAA':
      return text
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return name(text)
    case 'MX':
      return { preference: Number(parts[0]), exchange: name(parts[1]) }
    case 'SRV':
      return { priority: Number(parts[0]), weight: Number(parts[1]), port: Number(parts[2]), target: name(parts[3]) }
    case 'CAA':
      return { flags: Number(parts[0]), tag: parts[1] as CaaData['tag'], value: (parseStrings(parts.slice(2).join(' '), fail)[0] ?? Buffer.alloc(0)).toString() }
    case 'SOA': {
      const [serial = 0, refresh = 0, retry = 0, expire = 0, minimum = 0] = parts.slice(2).map(Number)
      return { mname: name(parts[0]), rname: name(parts[1]), serial, refresh, retry, expire, minimum }
    }
    case 'TXT':
      return parseStrings(text, fail)
  }
}
