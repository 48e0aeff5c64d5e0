/** Scalars of protocol messages and their JSON forms. */
import { describeJson, ProtoJsonError } from './json-value.ts'
import type { Json } from './json-value.ts'

const integerRanges: Readonly<Record<string, readonly [bigint, bigint]>> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  sint32: [-(2n ** 31n), 2n ** 31n - 1n],
  sfixed32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  fixed32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  sint64: [-(2n ** 63n), 2n ** 63n - 1n],
  sfixed64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  fixed64: [0n, 2n ** 64n - 1n],
}

/** A decoded scalar as JSON: 64-bit integers become text, bytes base64, what JSON cannot say as a number becomes its name. */
export function toScalarJson(type: string, value: unknown): Json {
  if (type === 'bytes') return Buffer.from(value as Uint8Array).toString('base64')
  if (type.endsWith('64')) return String(value)
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  return value as Json
}

/**
 * JSON as a scalar that protobufjs encodes.
 * @throws ProtoJsonError when it has the wrong type or is out of range.
 */
export function fromScalarJson(type: string, json: Json, path: string): unknown {
  const range = integerRanges[type]
  if (range !== undefined) {
    const number = integerFromJson(json)
    if (number === undefined || number < range[0] || number > range[1]) throw new ProtoJsonError(path, `${type} is expected, not ${describeJson(json)}`)
    return type.endsWith('64') ? toLongBits(number) : Number(number)
  }
  if (type === 'string') {
    if (typeof json !== 'string') throw new ProtoJsonError(path, `text is expected, not ${describeJson(json)}`)
    return json
  }
  if (type === 'bool') {
    if (json === true || json === 'true') return true
    if (json === false || json === 'false') return false
    throw new ProtoJsonError(path, `true or false is expected, not ${describeJson(json)}`)
  }
  return floatFromJson(json, path)
}

/** Base64 in the usual or the URL alphabet, with or without padding. */
export function bytesFromJson(json: Json, path: string): Uint8Array {
  if (typeof json !== 'string' || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(json)) throw new ProtoJsonError(path, `base64 is expected, not ${describeJson(json)}`)
  return Buffer.from(json, 'base64')
}

/** As protobufjs takes 64-bit integers, without a library for them. */
export function toLongBits(number: bigint): { low: number; high: number } {
  const bits = BigInt.asUintN(64, number)
  return { low: Number(bits & 0xffff_ffffn), high: Number(bits >> 32n) }
}

/** Integers come as numbers, as decimal text, and as 1e3 or 1.0. */
function integerFromJson(json: Json): bigint | undefined {
  if (typeof json === 'string' && /^-?\d{1,20}$/.test(json)) return BigInt(json)
  const number = typeof json === 'string' && json.trim() !== '' ? Number(json) : json
  return typeof number === 'number' && Number.isInteger(number) ? BigInt(number) : undefined
}

function floatFromJson(json: Json, path: string): number {
  if (typeof json === 'number') return json
  if (json === 'NaN') return Number.NaN
  const number = typeof json === 'string' && json.trim() !== '' ? Number(json) : Number.NaN
  if (Number.isNaN(number)) throw new ProtoJsonError(path, `a number is expected, not ${describeJson(json)}`)
  return number
}
