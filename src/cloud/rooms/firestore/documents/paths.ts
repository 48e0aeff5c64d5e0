/** Names of documents and paths of fields. https://cloud.google.com/firestore/docs/reference/rest/v1/projects.databases.documents */
import { invalidArgument } from '../../../kernel/api-error.ts'
import { fieldsOf, mapContent } from './value.ts'
import type { Fields, Value } from './value.ts'

/** A document's path below `documents/`: an even number of segments. @throws ApiError 400 */
export function checkDocumentPath(path: string): string {
  checkSegments(path)
  if (path.split('/').length % 2 !== 0) throw invalidArgument(`Document name ${JSON.stringify(path)} has an odd number of segments: that is a collection.`)
  return path
}

/** A collection's path below `documents/`: an odd number of segments. @throws ApiError 400 */
export function checkCollectionPath(path: string): string {
  checkSegments(path)
  if (path.split('/').length % 2 !== 1) throw invalidArgument(`Collection ${JSON.stringify(path)} has an even number of segments: that is a document.`)
  return path
}

function checkSegments(path: string): void {
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.' || segment === '..' || /^__.*__$/.test(segment) || Buffer.byteLength(segment) > 1500)
      throw invalidArgument(`Invalid segment ${JSON.stringify(segment.slice(0, 100))} in the name ${JSON.stringify(path.slice(0, 300))}.`)
  }
}

/** `a.b.`c.d`` -> ['a', 'b', 'c.d']. @throws ApiError 400 */
export function parseFieldPath(text: string): readonly string[] {
  const parts: string[] = []
  const pattern = /(?:`((?:[^`\\]|\\[\s\S])+)`|([^.`]+))(?:\.(?!$)|$)/y
  let end = 0
  while (end < text.length) {
    pattern.lastIndex = end
    const match = pattern.exec(text)
    if (match === null) throw invalidArgument(`Invalid property path ${JSON.stringify(text)}.`)
    parts.push(match[1]?.replace(/\\([\s\S])/g, '$1') ?? match[2] ?? '')
    end = pattern.lastIndex
  }
  if (parts.length === 0) throw invalidArgument('Invalid property path "".')
  return parts
}

export function valueAt(fields: Fields, path: readonly string[]): Value | undefined {
  const [first = '', ...rest] = path
  const value = Object.hasOwn(fields, first) ? fields[first] : undefined
  return rest.length === 0 || value === undefined ? value : valueAt(fieldsOf(value), rest)
}

/** With a value at the path, maps on the way being made; without one, when it is undefined. */
export function withValueAt(fields: Fields, path: readonly string[], value: Value | undefined): Fields {
  const [first = '', ...rest] = path
  const { [first]: before, ...others } = fields
  if (rest.length === 0) return value === undefined ? others : { ...fields, [first]: value }
  if (value === undefined && (before === undefined || !('mapValue' in before))) return fields
  return { ...fields, [first]: { mapValue: mapContent(withValueAt(fieldsOf(before), rest, value)) } }
}

/** Only what a mask names; everything without one. */
export function masked(fields: Fields, mask: readonly string[] | undefined): Fields {
  if (mask === undefined || mask.length === 0) return fields
  let chosen: Fields = {}
  for (const text of mask) {
    const path = parseFieldPath(text)
    if (text === '__name__') continue
    const value = valueAt(fields, path)
    if (value !== undefined) chosen = withValueAt(chosen, path, value)
  }
  return chosen
}
