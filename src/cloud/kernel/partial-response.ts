/**
 * Partial responses: the query parameter `fields` names the parts of a reply that the caller wants (https://cloud.google.com/storage/docs/json_api#partial-response).
 * `items(name,owner/entity),nextPageToken`: commas part selections, a slash goes down, brackets select below, `*` is every field; lists are looked through.
 */
import { invalidArgument } from './api-error.ts'

/** What is wanted below each wanted field; nothing below: all of it. */
export type FieldMask = ReadonlyMap<string, FieldMask>

type Node = Map<string, Node>

/** Far more than any reply has. */
const MAX_DEPTH = 50

/** @throws ApiError 400 for what is no mask */
export function parseFieldMask(text: string): FieldMask {
  const tokens = text.match(/[(),/]|[^(),/]+/g) ?? []
  let index = 0

  function fail(): never {
    throw invalidArgument(`Invalid field selection ${text.slice(0, 200)}`, { reason: 'invalidParameter' })
  }

  function take(token: string): boolean {
    if (tokens[index] !== token) return false
    index += 1
    return true
  }

  /** `a,b/c,d(e)`. */
  function selections(into: Node, depth: number): void {
    do selection(into, depth)
    while (take(','))
  }

  function selection(into: Node, depth: number): void {
    const name = tokens[index]?.trim() ?? ''
    if (depth > MAX_DEPTH || !/^(\*|[\w$@.:-]+)$/.test(name)) fail()
    index += 1
    const known = into.get(name)
    const below: Node = new Map(known)
    if (take('/')) selection(below, depth + 1)
    else if (take('(')) {
      selections(below, depth + 1)
      if (!take(')')) fail()
    } else below.clear()
    // Wanted as a whole elsewhere in the mask, it stays whole.
    into.set(name, known?.size === 0 ? known : below)
  }

  const mask: Node = new Map()
  selections(mask, 0)
  if (index < tokens.length) fail()
  return mask
}

/** The wanted parts of a JSON value. Names that it does not have are no mistake: the value may just lack them. */
export function applyFieldMask(value: unknown, mask: FieldMask): unknown {
  if (mask.size === 0) return value
  if (Array.isArray(value)) return value.map((item) => applyFieldMask(item, mask))
  if (typeof value !== 'object' || value === null) return value
  const every = mask.get('*')
  const parts = Object.entries(value).flatMap(([name, part]) => {
    const wanted = every?.size === 0 ? every : (mask.get(name) ?? every)
    return wanted === undefined || part === undefined ? [] : [[name, applyFieldMask(part, wanted)] as const]
  })
  return Object.fromEntries(parts)
}
