/**
 * Values of documents in their JSON form: checked and brought into one form when they are written, and compared in Firestore's order.
 * https://cloud.google.com/firestore/docs/concepts/data-types
 */
import { invalidArgument } from '../../../kernel/api-error.ts'

/** One of `nullValue`, `booleanValue`, `integerValue` … with its content. */
export type Value = Readonly<Record<string, unknown>>
export type Fields = Readonly<Record<string, Value>>

const MAX_DEPTH = 20
const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n }

/** @throws ApiError 400 for what is no value */
export function toValue(input: unknown, depth = 0): Value {
  if (depth > MAX_DEPTH) throw invalidArgument(`Values are nested more than ${MAX_DEPTH} levels deep.`)
  if (typeof input !== 'object' || input === null || Array.isArray(input)) throw invalidArgument(`Invalid value: ${JSON.stringify(input)}`)
  const entries = Object.entries(input)
  const [kind, content] = entries[0] ?? []
  if (entries.length !== 1 || kind === undefined) throw invalidArgument(`A value has exactly one type: ${JSON.stringify(input).slice(0, 200)}`)
  const wrong = (): Error => invalidArgument(`Invalid ${kind}: ${JSON.stringify(content)?.slice(0, 200)}`)
  switch (kind) {
    case 'nullValue':
      return { nullValue: null }
    case 'booleanValue':
      if (typeof content !== 'boolean') throw wrong()
      return { booleanValue: content }
    case 'integerValue': {
      if (!/^-?\d+$/.test(String(content))) throw wrong()
      const integer = BigInt(String(content))
      if (integer < INT64.min || integer > INT64.max) throw wrong()
      return { integerValue: String(integer) }
    }
    case 'doubleValue': {
      const number = Number(content)
      if (content === null || content === '' || (Number.isNaN(number) && content !== 'NaN')) throw wrong()
      return doubleValue(number)
    }
    case 'timestampValue':
      return { timestampValue: toMicros(String(content)) ?? fail(wrong()) }
    case 'stringValue':
      if (typeof content !== 'string') throw wrong()
      return { stringValue: content }
    case 'bytesValue':
      if (typeof content !== 'string' || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(content)) throw wrong()
      return { bytesValue: Buffer.from(content.replaceAll('-', '+').replaceAll('_', '/'), 'base64').toString('base64') }
    case 'referenceValue':
      if (typeof content !== 'string' || !/^projects\/[^/]+\/databases\/[^/]+\/documents(\/[^/]+\/[^/]+)*$/.test(content)) throw wrong()
      return { referenceValue: content }
    case 'geoPointValue': {
      const { latitude = 0, longitude = 0 } = (content ?? {}) as { latitude?: number; longitude?: number }
      if (!(Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180)) throw wrong()
      return { geoPointValue: { latitude, longitude } }
    }
    case 'arrayValue': {
      const values = ((content ?? {}) as { values?: unknown }).values ?? []
      if (!Array.isArray(values)) throw wrong()
      return {
        arrayValue:
          values.length === 0 ? {} : { values: values.map((each) => (isArray(each) ? fail(invalidArgument('Nested arrays are not allowed.')) : toValue(each, depth + 1))) },
      }
    }
    case 'mapValue':
      return { mapValue: mapContent(toFields(((content ?? {}) as { fields?: unknown }).fields, depth + 1)) }
    default:
      throw invalidArgument(`Unknown type of value: ${kind}`)
  }
}

/** @throws ApiError 400 */
export function toFields(input: unknown, depth = 0): Fields {
  if (input === undefined || input === null) return {}
  if (typeof input !== 'object' || Array.isArray(input)) throw invalidArgument('Fields are an object of values.')
  return Object.fromEntries(
    Object.entries(input).map(([name, value]) => {
      if (name === '' || Buffer.byteLength(name) > 1500) throw invalidArgument(`Invalid property name: ${JSON.stringify(name.slice(0, 100))}`)
      if (/^__.*__$/.test(name) && name !== '__type__') throw invalidArgument(`Property name ${name} is reserved.`)
      return [name, toValue(value, depth)]
    }),
  )
}

function fail(error: Error): never {
  throw error
}

function isArray(input: unknown): boolean {
  return typeof input === 'object' && input !== null && 'arrayValue' in input
}

export function doubleValue(number: number): Value {
  return { doubleValue: Number.isFinite(number) ? number : String(number) }
}

export function mapContent(fields: Fields): Readonly<Record<string, unknown>> {
  return Object.keys(fields).length === 0 ? {} : { fields }
}

/** RFC 3339 in UTC with six digits of fraction, which is what Firestore keeps; undefined for what is no time. */
export function toMicros(text: string): string | undefined {
  const match = /^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$/.exec(text)
  if (match === null) return undefined
  const ms = Date.parse(`${match[1]}T${match[2]}${(match[4] ?? 'Z').toUpperCase()}`)
  return Number.isNaN(ms) ? undefined : `${new Date(ms).toISOString().slice(0, 19)}.${(match[3] ?? '').padEnd(6, '0').slice(0, 6)}Z`
}

const ranks = ['nullValue', 'booleanValue', 'number', 'timestampValue', 'stringValue', 'bytesValue', 'referenceValue', 'geoPointValue', 'arrayValue', 'vector', 'mapValue']

/** Values of other types sort by their types. */
export function typeRank(value: Value): number {
  const kind = Object.keys(value)[0] ?? ''
  if (kind === 'integerValue' || kind === 'doubleValue') return ranks.indexOf('number')
  if (kind === 'mapValue' && fieldsOf(value)['__type__']?.['stringValue'] === '__vector__') return ranks.indexOf('vector')
  return ranks.indexOf(kind)
}

/** Below, at or above zero, in Firestore's order of all values. */
export function compareValues(one: Value, other: Value): number {
  const rank = typeRank(one)
  if (rank !== typeRank(other)) return rank - typeRank(other)
  switch (ranks[rank]) {
    case 'nullValue':
      return 0
    case 'booleanValue':
      return Number(one['booleanValue']) - Number(other['booleanValue'])
    case 'number':
      return compareNumbers(one, other)
    case 'timestampValue':
      return compareText(String(one['timestampValue']), String(other['timestampValue']))
    case 'stringValue':
      return Buffer.compare(Buffer.from(String(one['stringValue'])), Buffer.from(String(other['stringValue'])))
    case 'bytesValue':
      return Buffer.compare(Buffer.from(String(one['bytesValue']), 'base64'), Buffer.from(String(other['bytesValue']), 'base64'))
    case 'referenceValue':
      return comparePaths(String(one['referenceValue']), String(other['referenceValue']))
    case 'geoPointValue': {
      const [a, b] = [one['geoPointValue'], other['geoPointValue']] as { latitude: number; longitude: number }[]
      return (a?.latitude ?? 0) - (b?.latitude ?? 0) || (a?.longitude ?? 0) - (b?.longitude ?? 0)
    }
    case 'arrayValue':
      return compareLists(valuesOf(one), valuesOf(other))
    default: {
      const [a, b] = [one, other].map((each) => Object.entries(fieldsOf(each)).sort(([left], [right]) => Buffer.compare(Buffer.from(left), Buffer.from(right))))
      for (const [index, [name, value]] of (a ?? []).entries()) {
        const counterpart = b?.[index]
        if (counterpart === undefined) return 1
        const difference = Buffer.compare(Buffer.from(name), Buffer.from(counterpart[0])) || compareValues(value, counterpart[1])
        if (difference !== 0) return difference
      }
      return (a?.length ?? 0) - (b?.length ?? 0)
    }
  }
}

function compareLists(one: readonly Value[], other: readonly Value[]): number {
  for (const [index, value] of one.entries()) {
    const counterpart = other[index]
    if (counterpart === undefined) return 1
    const difference = compareValues(value, counterpart)
    if (difference !== 0) return difference
  }
  return one.length - other.length
}

/** NaN is the smallest number, and equal to itself. Whole numbers beyond 2^53 are exact among themselves. */
function compareNumbers(one: Value, other: Value): number {
  if ('integerValue' in one && 'integerValue' in other) {
    const [a, b] = [BigInt(String(one['integerValue'])), BigInt(String(other['integerValue']))]
    return a < b ? -1 : a > b ? 1 : 0
  }
  const [a, b] = [numberOf(one), numberOf(other)]
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(b)) - Number(Number.isNaN(a))
  return a - b || 0
}

export function numberOf(value: Value): number {
  return Number(value['integerValue'] ?? value['doubleValue'])
}

export function isNumber(value: Value | undefined): value is Value {
  return value !== undefined && ('integerValue' in value || 'doubleValue' in value)
}

export function valuesOf(value: Value | undefined): readonly Value[] {
  return ((value?.['arrayValue'] as { values?: readonly Value[] } | undefined) ?? {}).values ?? []
}

export function fieldsOf(value: Value | undefined): Fields {
  return ((value?.['mapValue'] as { fields?: Fields } | undefined) ?? {}).fields ?? {}
}

export function compareText(one: string, other: string): number {
  return one === other ? 0 : one < other ? -1 : 1
}

const numericId = /^__id(-?\d+)__$/

/** Ids that are numbers (`__id7__`) come first, by their value; others by their bytes. https://cloud.google.com/firestore/docs/concepts/data-types */
function compareIds(one: string, other: string): number {
  const [a, b] = [numericId.exec(one)?.[1], numericId.exec(other)?.[1]]
  if (a !== undefined && b !== undefined) return BigInt(a) === BigInt(b) ? 0 : BigInt(a) < BigInt(b) ? -1 : 1
  if (a !== undefined || b !== undefined) return a !== undefined ? -1 : 1
  return Buffer.compare(Buffer.from(one), Buffer.from(other))
}

/** Names compare segment by segment. */
export function comparePaths(one: string, other: string): number {
  const [a, b] = [one.split('/'), other.split('/')]
  for (const [index, part] of a.entries()) {
    const counterpart = b[index]
    if (counterpart === undefined) return 1
    const difference = compareIds(part, counterpart)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}
