/**
 * Google's list filters, as far as gcloud, Terraform and Packer send them: comparisons with =, eq, !=, ne, `:`, joined by AND or OR (no mixing) or by
 * parentheses beside each other. https://cloud.google.com/compute/docs/reference/rest/v1/instances/list (query parameter `filter`)
 */
import { invalidArgument } from '../../kernel/api-error.ts'

/** A test for one resource. An empty filter lets all through. @throws ApiError 400 when the text is not understood: a wrong list would be worse. */
export function parseFilter(filter: string | undefined): (item: object) => boolean {
  const text = filter?.trim() ?? ''
  if (text === '') return () => true
  const flat = text
    .replaceAll(/\)\s*\(/g, ' AND ')
    .replaceAll(/[()]/g, ' ')
    .trim()
  const hasOr = /\sOR\s/.test(flat)
  if (hasOr && /\sAND\s/.test(flat)) throw badFilter(text)
  const tests = flat.split(hasOr ? /\s+OR\s+/ : /\s+AND\s+/).map((term) => parseTerm(term.trim(), text))
  return hasOr ? (item) => tests.some((test) => test(item)) : (item) => tests.every((test) => test(item))
}

function parseTerm(term: string, whole: string): (item: object) => boolean {
  const match = /^([\w.-]+)\s*(!=|=|:|\s(?:eq|ne)\s)\s*(?:"([^"]*)"|'([^']*)'|([^\s"']*))$/.exec(term)
  if (match === null) throw badFilter(whole)
  const field = match[1] ?? ''
  const operator = (match[2] ?? '').trim()
  const value = match[3] ?? match[4] ?? match[5] ?? ''
  if (operator === 'eq' || operator === 'ne') {
    // These two take a regular expression over the whole value (RE2); only the common subset is let in.
    if (/\(\?|\\[1-9]/.test(value) || value.length > 200) throw badFilter(whole)
    const expression = new RegExp(`^(?:${value})$`)
    return (item) => read(item, field).some((found) => expression.test(found)) === (operator === 'eq')
  }
  const wildcard = new RegExp(
    `^${value
      .split('*')
      .map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')}$`,
  )
  if (operator === ':') return (item) => (value === '*' ? read(item, field).length > 0 : read(item, field).some((found) => wildcard.test(found)))
  return (item) => read(item, field).some((found) => wildcard.test(found)) === (operator === '=')
}

function read(item: object, field: string): readonly string[] {
  let current: unknown = item
  for (const key of field.split('.')) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, key)) return []
    current = (current as Record<string, unknown>)[key]
  }
  return (Array.isArray(current) ? current : [current]).map(String)
}

function badFilter(filter: string): Error {
  return invalidArgument(`Invalid value for field 'filter': '${filter}'. Invalid list filter expression.`)
}
