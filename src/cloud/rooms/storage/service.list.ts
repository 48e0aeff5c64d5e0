/** Listing objects with prefix and delimiter: every group costs one seek, however many objects it holds. https://cloud.google.com/storage/docs/json_api/v1/objects/list */
import { invalidArgument } from '../../kernel/api-error.ts'
import type { ListCursor, ObjectStore, StoredObject } from './store.objects.ts'

export interface ListRequest {
  readonly prefix: string
  /** Empty: no groups. */
  readonly delimiter: string
  /** Names from here on, inclusive. */
  readonly startOffset: string
  /** Names before this one; empty: to the end. */
  readonly endOffset: string
  readonly includeTrailingDelimiter: boolean
  readonly versions: boolean
  /** Names as shell patterns; empty: all. */
  readonly matchGlob: string
  /** At least 1. */
  readonly maxResults: number
  readonly pageToken: string | undefined
}

export interface ListPage {
  readonly items: readonly StoredObject[]
  readonly prefixes: readonly string[]
  readonly nextPageToken?: string
}

/** Sorts after everything that begins with the text before it (names cannot hold this code point in practice, and one that does is only visited again). */
const LAST_LETTER = '\u{10FFFF}'
/** Rows that one read takes at most, and where the next object is expected to begin another group. */
const BATCH = 500
const BATCH_AFTER_GROUP = 4

/** One page. @throws ApiError 400 for a foreign page token or a pattern that is not valid */
export function listObjects(store: ObjectStore, bucket: string, request: ListRequest): ListPage {
  const items: StoredObject[] = []
  const prefixes = new Set<string>()
  const glob = request.matchGlob === '' ? undefined : globToExpression(request.matchGlob)
  let cursor = request.pageToken === undefined || request.pageToken === '' ? firstCursor(request) : decodeToken(request.pageToken)
  // One row more than the page holds tells whether another page follows.
  let limit = Math.min(BATCH, request.maxResults + 1)
  for (;;) {
    const batch = store.after(bucket, cursor, request.versions, limit)
    let skipped = false
    for (const object of batch) {
      if (!object.name.startsWith(request.prefix) || (request.endOffset !== '' && compareUtf8(object.name, request.endOffset) >= 0)) return finish(items, prefixes)
      const group = groupOf(object.name, request)
      const isListed = glob === undefined || glob.test(object.name)
      const isItem = isListed && (group === undefined || (request.includeTrailingDelimiter && object.name === group))
      const isNewGroup = group !== undefined && isListed && !prefixes.has(group)
      if ((isItem || isNewGroup) && items.length + prefixes.size >= request.maxResults) return { ...finish(items, prefixes), nextPageToken: encodeToken(cursor) }
      if (isNewGroup) prefixes.add(group)
      if (isItem) items.push(object)
      cursor = { name: object.name, generation: object.generation }
      if (group === undefined || glob !== undefined || (isItem && request.versions)) continue
      const end = group + LAST_LETTER
      if (compareUtf8(object.name, end) < 0) cursor = { name: end, generation: 0 }
      skipped = true
      break
    }
    if (!skipped && batch.length < limit) return finish(items, prefixes)
    limit = skipped ? BATCH_AFTER_GROUP : Math.min(BATCH, limit * 4)
  }
}

function finish(items: readonly StoredObject[], prefixes: ReadonlySet<string>): ListPage {
  return { items, prefixes: [...prefixes] }
}

function firstCursor(request: ListRequest): ListCursor {
  const name = compareUtf8(request.startOffset, request.prefix) > 0 ? request.startOffset : request.prefix
  return { name, generation: -1 }
}

function groupOf(name: string, request: ListRequest): string | undefined {
  if (request.delimiter === '') return undefined
  const at = name.indexOf(request.delimiter, request.prefix.length)
  return at === -1 ? undefined : name.slice(0, at + request.delimiter.length)
}

function compareUtf8(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}

function encodeToken(cursor: ListCursor): string {
  return Buffer.from(JSON.stringify(['o1', cursor.name, cursor.generation])).toString('base64url')
}

function decodeToken(token: string): ListCursor {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString())
    if (Array.isArray(value) && value[0] === 'o1' && typeof value[1] === 'string' && Number.isSafeInteger(value[2])) return { name: value[1], generation: value[2] as number }
  } catch {
    // not one of ours
  }
  throw invalidArgument('Invalid pageToken.')
}

/** `*` within a folder, `**` across, `?`, `[a-z]`, `{a,b}`. @throws ApiError 400 */
export function globToExpression(glob: string): RegExp {
  let text = ''
  let depth = 0
  for (let at = 0; at < glob.length; at += 1) {
    const letter = glob[at] ?? ''
    if (glob.startsWith('**/', at)) {
      text += '(?:.*/)?'
      at += 2
    } else if (glob.startsWith('**', at)) {
      text += '.*'
      at += 1
    } else if (letter === '*') text += '[^/]*'
    else if (letter === '?') text += '[^/]'
    else if (letter === '{') {
      text += '(?:'
      depth += 1
    } else if (letter === '}' && depth > 0) {
      text += ')'
      depth -= 1
    } else if (letter === ',' && depth > 0) text += '|'
    else if (letter === '[') {
      const end = glob.indexOf(']', at + 2)
      if (end === -1) throw invalidArgument(`Invalid matchGlob: ${glob}`)
      const inner = glob
        .slice(at + 1, end)
        .replace(/^!/, '^')
        .replace(/[\\[\]&|~]/g, String.raw`\$&`)
      text += `[${inner}]`
      at = end
    } else text += /[\\^$.|+()[\]{}/-]/.test(letter) ? `\\${letter}` : letter
  }
  try {
    return new RegExp(`^${text}$`, 'us')
  } catch {
    throw invalidArgument(`Invalid matchGlob: ${glob}`)
  }
}
