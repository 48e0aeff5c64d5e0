/**
 * The JSON form of protocol messages, both ways, from reflection: https://protobuf.dev/programming-guides/json/.
 * Reading ignores unknown fields and enum names, since rooms may show more than this copy of Google's files knows.
 */
import protobuf from 'protobufjs'
import type { Field, Type } from 'protobufjs'
import type { Catalog } from './catalog.ts'
import { camelCase, describeJson, isJsonObject, MAX_DEPTH, ProtoJsonError, recordOf } from './json-value.ts'
import type { Json, Message } from './json-value.ts'
import { bytesFromJson, fromScalarJson, toScalarJson } from './scalars.ts'
import { wellKnown } from './well-known.ts'

/** Turns messages of any type that the catalog knows into JSON and back. */
export interface JsonCodec {
  readonly catalog: Catalog
  /**
   * A decoded message as JSON. Only fields that were on the wire appear.
   * @throws ProtoJsonError for values that JSON has no form for (timestamps out of range, Any of an unknown type).
   */
  toJson(type: Type, message: Message, path?: string): Json
  /**
   * JSON as a message ready for `type.encode`.
   * @throws ProtoJsonError when a value has the wrong type or range.
   */
  fromJson(type: Type, json: Json, path?: string, depth?: number): Message
}

interface FieldPlan {
  readonly field: Field
  readonly jsonName: string
}

interface TypePlan {
  readonly fields: readonly FieldPlan[]
  /** By JSON name and by the name in the file, both of which readers must take. */
  readonly byName: ReadonlyMap<string, FieldPlan>
}

const plans = new WeakMap<Type, TypePlan>()

/** The field of a type by JSON name or file name. */
export function findField(type: Type, name: string): Field | undefined {
  return planOf(type).byName.get(name)?.field
}

/** The JSON name of a field: `json_name` if the file states one, else lower camel case. */
export function jsonNameOf(field: Field): string {
  const stated: unknown = field.options?.['json_name']
  return typeof stated === 'string' ? stated : camelCase(field.name)
}

export function createJsonCodec(catalog: Catalog): JsonCodec {
  const codec: JsonCodec = { catalog, toJson, fromJson }

  function toJson(type: Type, message: Message, path = ''): Json {
    const special = wellKnown(type)
    if (special !== undefined) return special.toJson(message, { codec, path })
    const entries: [string, Json][] = []
    for (const { field, jsonName } of planOf(type).fields) {
      const value = Object.hasOwn(message, field.name) ? message[field.name] : undefined
      if (value === undefined || value === null || isEmptyCollection(field, value)) continue
      entries.push([jsonName, fieldToJson(field, value, path === '' ? jsonName : `${path}.${jsonName}`)])
    }
    return recordOf(entries)
  }

  function fieldToJson(field: Field, value: unknown, path: string): Json {
    if (field instanceof protobuf.MapField) {
      const entries = Object.entries(value as Record<string, unknown>)
      return recordOf(entries.map(([key, each]) => [mapKeyToJson(field, key), elementToJson(field, each ?? {}, path)]))
    }
    if (field.repeated) return (value as unknown[]).map((each, index) => elementToJson(field, each, `${path}[${index}]`))
    return elementToJson(field, value, path)
  }

  function elementToJson(field: Field, value: unknown, path: string): Json {
    const resolved = field.resolvedType
    if (resolved instanceof protobuf.Type) return toJson(resolved, value as Message, path)
    if (resolved instanceof protobuf.Enum) return resolved.name === 'NullValue' ? null : (resolved.valuesById[value as number] ?? (value as number))
    return toScalarJson(field.type, value)
  }

  function fromJson(type: Type, json: Json, path = '', depth = 0): Message {
    if (depth > MAX_DEPTH) throw new ProtoJsonError(path.slice(0, 200), 'nested too deeply')
    const special = wellKnown(type)
    if (special !== undefined) return special.fromJson(json, { codec, path, depth })
    if (!isJsonObject(json)) throw new ProtoJsonError(path, `an object is expected, not ${describeJson(json)}`)
    const byName = planOf(type).byName
    const message: Message = {}
    for (const [name, value] of Object.entries(json)) {
      const field = byName.get(name)?.field
      if (field === undefined) continue
      const parsed = fieldFromJson(field, value, path === '' ? name : `${path}.${name}`, depth)
      if (parsed !== undefined) message[field.name] = parsed
    }
    return message
  }

  /** Undefined: the field stays unset. */
  function fieldFromJson(field: Field, json: Json, path: string, depth: number): unknown {
    if (json === null && !takesNull(field)) return undefined
    if (field instanceof protobuf.MapField) {
      if (!isJsonObject(json)) throw new ProtoJsonError(path, `an object is expected, not ${describeJson(json)}`)
      const entries = Object.entries(json).map(([key, each]) => [key, elementFromJson(field, each, `${path}.${key}`, depth)] as const)
      return recordOf(entries.filter(([, each]) => each !== undefined))
    }
    if (field.repeated) {
      if (!Array.isArray(json)) throw new ProtoJsonError(path, `a list is expected, not ${describeJson(json)}`)
      return json.map((each, index) => elementFromJson(field, each, `${path}[${index}]`, depth)).filter((each) => each !== undefined)
    }
    return elementFromJson(field, json, path, depth)
  }

  function elementFromJson(field: Field, json: Json, path: string, depth: number): unknown {
    const resolved = field.resolvedType
    if (resolved instanceof protobuf.Type) return fromJson(resolved, json, path, depth + 1)
    if (resolved instanceof protobuf.Enum) {
      if (typeof json === 'number' || resolved.name === 'NullValue') return typeof json === 'number' ? json : 0
      if (typeof json !== 'string') throw new ProtoJsonError(path, `an enum name is expected, not ${describeJson(json)}`)
      return Object.hasOwn(resolved.values, json) ? resolved.values[json] : undefined
    }
    return field.type === 'bytes' ? bytesFromJson(json, path) : fromScalarJson(field.type, json, path)
  }

  return codec
}

/** protobufjs makes these for every repeated field, present or not. */
function isEmptyCollection(field: Field, value: unknown): boolean {
  return field.map ? Object.keys(value as object).length === 0 : field.repeated && (value as unknown[]).length === 0
}

/** `null` is a value of its own only for google.protobuf.Value and NullValue. */
function takesNull(field: Field): boolean {
  if (field.repeated || field.map) return false
  const name = field.resolvedType?.fullName
  return name === '.google.protobuf.Value' || name === '.google.protobuf.NullValue'
}

/** protobufjs keeps 64-bit keys as eight-character hashes. */
function mapKeyToJson(field: InstanceType<typeof protobuf.MapField>, key: string): string {
  if (!field.keyType.endsWith('64')) return key
  return String(protobuf.util.longFromHash(key, field.keyType.startsWith('u')))
}

function planOf(type: Type): TypePlan {
  const known = plans.get(type)
  if (known !== undefined) return known
  const fields = type.fieldsArray.map((field) => ({ field: field.resolve(), jsonName: jsonNameOf(field) }))
  const plan = { fields, byName: new Map([...fields.map((each) => [each.field.name, each] as const), ...fields.map((each) => [each.jsonName, each] as const)]) }
  plans.set(type, plan)
  return plan
}
