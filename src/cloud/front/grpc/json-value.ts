/** JSON values, decoded messages, and the names of fields: what the files of the JSON form share. */

export type Json = null | boolean | number | string | Json[] | JsonObject
export interface JsonObject {
  [name: string]: Json
}

/** A message as protobufjs decodes and encodes it: own properties are the fields that are present. */
export type Message = Record<string, unknown>

/** As deep as protobufjs itself goes when it decodes. */
export const MAX_DEPTH = 100

/** A value does not fit the message. `path` names the field. */
export class ProtoJsonError extends Error {
  constructor(path: string, problem: string) {
    super(`${path === '' ? 'the message' : path}: ${problem}`)
    this.name = 'ProtoJsonError'
  }
}

/** `update_mask` -> `updateMask`, by the rules of protoc (`field_1` -> `field1`). */
export function camelCase(name: string): string {
  return name.replace(/_+(.?)/g, (_match, letter: string) => letter.toUpperCase())
}

/** `updateMask` -> `update_mask`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** True for objects that are neither null nor a list. */
export function isJsonObject(json: unknown): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

/** A value for an error message, shortened. */
export function describeJson(json: Json): string {
  const text = JSON.stringify(json)
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

/** A record without the traps of names such as `__proto__`. */
export function recordOf<T>(entries: Iterable<readonly [string, T]>): Record<string, T> {
  return Object.fromEntries(entries)
}
