/** The messages of google.protobuf that have a JSON form of their own. */
import type { Type } from 'protobufjs'
import { camelCase, describeJson, isJsonObject, MAX_DEPTH, ProtoJsonError, recordOf, snakeCase } from './json-value.ts'
import type { Json, JsonObject, Message } from './json-value.ts'
import type { JsonCodec } from './proto-json.ts'
import { bytesFromJson, fromScalarJson, toLongBits, toScalarJson } from './scalars.ts'

interface ToContext {
  readonly codec: JsonCodec
  readonly path: string
}

interface FromContext extends ToContext {
  readonly depth: number
}

interface WellKnown {
  toJson(message: Message, context: ToContext): Json
  fromJson(json: Json, context: FromContext): Message
}

const NANOS_PER_SECOND = 1_000_000_000
/** 0001-01-01 and 9999-12-31, the range of Timestamp. */
const MIN_SECONDS = -62_135_596_800
const MAX_SECONDS = 253_402_300_799
/** About 10,000 years, the range of Duration. */
const MAX_DURATION_SECONDS = 315_576_000_000

const timestamp: WellKnown = {
  toJson(message, { path }) {
    const seconds = Number(message['seconds'] ?? 0)
    const nanos = Number(message['nanos'] ?? 0)
    if (seconds < MIN_SECONDS || seconds > MAX_SECONDS || nanos < 0 || nanos >= NANOS_PER_SECOND) throw new ProtoJsonError(path, 'the timestamp is out of range')
    return `${new Date(seconds * 1000).toISOString().slice(0, 19)}${fraction(nanos)}Z`
  },
  fromJson(json, { path }) {
    const match = typeof json === 'string' ? /^(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)$/.exec(json) : null
    const milliseconds = match === null ? Number.NaN : Date.parse(`${match[1]?.toUpperCase()}${match[3]?.toUpperCase()}`)
    if (Number.isNaN(milliseconds)) throw new ProtoJsonError(path, `an RFC 3339 time is expected, not ${describeJson(json)}`)
    return { seconds: toLongBits(BigInt(milliseconds / 1000)), nanos: nanosOf(match?.[2]) }
  },
}

const duration: WellKnown = {
  toJson(message, { path }) {
    const seconds = Number(message['seconds'] ?? 0)
    const nanos = Number(message['nanos'] ?? 0)
    if (Math.abs(seconds) > MAX_DURATION_SECONDS || Math.abs(nanos) >= NANOS_PER_SECOND) throw new ProtoJsonError(path, 'the duration is out of range')
    const sign = seconds < 0 || nanos < 0 ? '-' : ''
    return `${sign}${Math.abs(seconds)}${fraction(Math.abs(nanos))}s`
  },
  fromJson(json, { path }) {
    const match = typeof json === 'string' ? /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(json) : null
    if (match === null) throw new ProtoJsonError(path, `a duration such as "3.5s" is expected, not ${describeJson(json)}`)
    const sign = match[1] === '-' ? -1 : 1
    return { seconds: toLongBits(BigInt(sign * Number(match[2]))), nanos: sign * nanosOf(match[3]) }
  },
}

const fieldMask: WellKnown = {
  toJson: (message) => ((message['paths'] as string[] | undefined) ?? []).map(camelCase).join(','),
  fromJson(json, { path }) {
    if (typeof json !== 'string') throw new ProtoJsonError(path, `a field mask is expected, not ${describeJson(json)}`)
    return {
      paths: json
        .split(',')
        .filter((each) => each !== '')
        .map(snakeCase),
    }
  },
}

const anyMessage: WellKnown = {
  toJson(message, { codec, path }): JsonObject {
    const url = String(message['type_url'] ?? '')
    if (url === '') return {}
    const type = codec.catalog.type(typeNameOf(url))
    if (type === undefined) throw new ProtoJsonError(path, `the type ${describeJson(url)} is not known`)
    const inner = codec.toJson(type, type.decode((message['value'] as Uint8Array | undefined) ?? new Uint8Array()) as unknown as Message, path)
    return wellKnown(type) === undefined ? { '@type': url, ...(inner as JsonObject) } : { '@type': url, value: inner }
  },
  fromJson(json, { codec, path, depth }) {
    if (!isJsonObject(json)) throw new ProtoJsonError(path, `an object with "@type" is expected, not ${describeJson(json)}`)
    const { '@type': url, ...rest } = json
    if (url === undefined) return {}
    if (typeof url !== 'string') throw new ProtoJsonError(path, '"@type" is not text')
    const type = codec.catalog.type(typeNameOf(url))
    // A type that Google does not publish: its name is passed on, its content cannot be.
    if (type === undefined) return { type_url: url }
    const inner = wellKnown(type) === undefined || type.name === 'Empty' ? rest : (rest['value'] ?? null)
    return { type_url: url, value: type.encode(codec.fromJson(type, inner, path, depth + 1)).finish() }
  },
}

const struct: WellKnown = {
  toJson: structToJson,
  fromJson(json, { path, depth }) {
    if (!isJsonObject(json)) throw new ProtoJsonError(path, `an object is expected, not ${describeJson(json)}`)
    return valueFromJson(json, path, depth)['structValue'] as Message
  },
}

const value: WellKnown = { toJson: valueToJson, fromJson: (json, { path, depth }) => valueFromJson(json, path, depth) }

const listValue: WellKnown = {
  toJson: listToJson,
  fromJson(json, { path, depth }) {
    if (!Array.isArray(json)) throw new ProtoJsonError(path, `a list is expected, not ${describeJson(json)}`)
    return valueFromJson(json, path, depth)['listValue'] as Message
  },
}

const specials: Readonly<Record<string, WellKnown>> = {
  '.google.protobuf.Timestamp': timestamp,
  '.google.protobuf.Duration': duration,
  '.google.protobuf.FieldMask': fieldMask,
  '.google.protobuf.Any': anyMessage,
  '.google.protobuf.Struct': struct,
  '.google.protobuf.Value': value,
  '.google.protobuf.ListValue': listValue,
  '.google.protobuf.Empty': { toJson: () => ({}), fromJson: () => ({}) },
  '.google.protobuf.DoubleValue': wrapper('double'),
  '.google.protobuf.FloatValue': wrapper('float'),
  '.google.protobuf.Int64Value': wrapper('int64'),
  '.google.protobuf.UInt64Value': wrapper('uint64'),
  '.google.protobuf.Int32Value': wrapper('int32'),
  '.google.protobuf.UInt32Value': wrapper('uint32'),
  '.google.protobuf.BoolValue': wrapper('bool'),
  '.google.protobuf.StringValue': wrapper('string'),
  '.google.protobuf.BytesValue': wrapper('bytes'),
}

/** The special JSON form of a type, if it has one. */
export function wellKnown(type: Type): WellKnown | undefined {
  return specials[type.fullName]
}

const wrapperDefaults: Readonly<Record<string, unknown>> = { bool: false, string: '', bytes: new Uint8Array() }

function wrapper(type: string): WellKnown {
  return {
    toJson: (message) => toScalarJson(type, message['value'] ?? wrapperDefaults[type] ?? 0),
    fromJson: (json, { path }) => ({ value: type === 'bytes' ? bytesFromJson(json, path) : fromScalarJson(type, json, path) }),
  }
}

/** The name after the last slash of a type URL. */
function typeNameOf(url: string): string {
  return url.slice(url.lastIndexOf('/') + 1)
}

function structToJson(message: Message): Json {
  const entries = Object.entries((message['fields'] as Record<string, Message> | undefined) ?? {})
  return recordOf(entries.map(([key, each]) => [key, valueToJson(each)]))
}

function listToJson(message: Message): Json {
  return ((message['values'] as Message[] | undefined) ?? []).map(valueToJson)
}

function valueToJson(message: Message): Json {
  if (Object.hasOwn(message, 'structValue')) return structToJson(message['structValue'] as Message)
  if (Object.hasOwn(message, 'listValue')) return listToJson(message['listValue'] as Message)
  if (Object.hasOwn(message, 'numberValue')) return toScalarJson('double', message['numberValue'])
  if (Object.hasOwn(message, 'stringValue')) return message['stringValue'] as string
  if (Object.hasOwn(message, 'boolValue')) return message['boolValue'] as boolean
  return null
}

function valueFromJson(json: Json, path: string, depth: number): Message {
  if (depth > MAX_DEPTH) throw new ProtoJsonError(path, 'nested too deeply')
  if (json === null) return { nullValue: 0 }
  if (typeof json === 'number') return { numberValue: json }
  if (typeof json === 'string') return { stringValue: json }
  if (typeof json === 'boolean') return { boolValue: json }
  if (Array.isArray(json)) return { listValue: { values: json.map((each) => valueFromJson(each, path, depth + 1)) } }
  return { structValue: { fields: recordOf(Object.entries(json).map(([key, each]) => [key, valueFromJson(each, path, depth + 1)])) } }
}

/** `.5` seconds as 3, 6 or 9 digits, or nothing. */
function fraction(nanos: number): string {
  if (nanos === 0) return ''
  return `.${String(nanos)
    .padStart(9, '0')
    .replace(/(000){1,2}$/, '')}`
}

function nanosOf(digits: string | undefined): number {
  return digits === undefined ? 0 : Number(digits.padEnd(9, '0'))
}
