/**
 * Google's list filters: comparisons with =, !=, <, <=, >, >=, `:`, and the older eq and ne with a regular expression; AND, OR, NOT, `-`, parentheses.
 * Expressions beside each other are joined by AND, and OR binds more tightly than AND (https://google.aip.dev/160).
 * https://cloud.google.com/compute/docs/reference/rest/v1/instances/list (query parameter `filter`)
 */
import { invalidArgument } from '../../kernel/api-error.ts'

type Test = (item: object) => boolean

const MAX_FILTER_LENGTH = 4096
const MAX_EXPRESSION_LENGTH = 200

/** What a filter consists of. Quoted values keep their backslashes, since they may be regular expressions. */
const TOKEN = /\s*(?:(\()|(\))|(!=|<=|>=|=|<|>|:)|"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|([^\s()"'=<>!:]+))/y

interface Token {
  readonly kind: '(' | ')' | 'operator' | 'quoted' | 'word'
  readonly text: string
}

/** A test for one resource. An empty filter lets all through. @throws ApiError 400 when the text is not understood: a wrong list would be worse. */
export function parseFilter(filter: string | undefined): Test {
  const text = filter?.trim() ?? ''
  if (text === '') return () => true
  if (text.length > MAX_FILTER_LENGTH) throw badFilter(`${text.slice(0, 100)}…`)
  const parser = createParser(tokenize(text), text)
  const test = parser.sequence()
  if (!parser.isDone()) throw badFilter(text)
  return test
}

function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < text.length) {
    const match = TOKEN.exec(text)
    if (match === null) throw badFilter(text)
    const [, open, close, operator, double, single, word] = match
    const quoted = double ?? single
    if (open !== undefined) tokens.push({ kind: '(', text: open })
    else if (close !== undefined) tokens.push({ kind: ')', text: close })
    else if (operator !== undefined) tokens.push({ kind: 'operator', text: operator })
    else if (quoted !== undefined) tokens.push({ kind: 'quoted', text: quoted.replaceAll(/\\(["'])/g, '$1') })
    else tokens.push({ kind: 'word', text: word ?? '' })
  }
  return tokens
}

function createParser(tokens: readonly Token[], whole: string): { sequence(): Test; isDone(): boolean } {
  let position = 0

  function isWord(text: string): boolean {
    const token = tokens[position]
    return token?.kind === 'word' && token.text === text
  }

  function take(): Token {
    const token = tokens[position]
    if (token === undefined) throw badFilter(whole)
    position += 1
    return token
  }

  /** Expressions joined by AND, written or not. */
  function sequence(): Test {
    const tests = [alternatives()]
    while (position < tokens.length && tokens[position]?.kind !== ')') {
      if (isWord('AND')) position += 1
      tests.push(alternatives())
    }
    return (item) => tests.every((test) => test(item))
  }

  function alternatives(): Test {
    const tests = [negation()]
    while (isWord('OR')) {
      position += 1
      tests.push(negation())
    }
    return (item) => tests.some((test) => test(item))
  }

  function negation(): Test {
    const token = take()
    if (token.kind === 'word' && (token.text === 'NOT' || token.text === '-')) {
      const test = negation()
      return (item) => !test(item)
    }
    if (token.kind === '(') {
      const test = sequence()
      if (take().kind !== ')') throw badFilter(whole)
      return test
    }
    if (token.kind !== 'word') throw badFilter(whole)
    if (!token.text.startsWith('-')) return comparison(token.text)
    const test = comparison(token.text.slice(1))
    return (item) => !test(item)
  }

  function comparison(field: string): Test {
    const operator = take()
    const isOld = operator.kind === 'word' && (operator.text === 'eq' || operator.text === 'ne')
    if (!isOld && operator.kind !== 'operator') throw badFilter(whole)
    if (!/^[A-Za-z_][\w.-]*$/.test(field)) throw badFilter(whole)
    let value = take()
    // An unquoted value may hold colons: times and links.
    while (value.kind === 'word' && tokens[position]?.kind === 'operator') value = { kind: 'word', text: value.text + take().text + take().text }
    if (value.kind !== 'word' && value.kind !== 'quoted') throw badFilter(whole)
    return compare(field, operator.text, value.text, whole)
  }

  return { sequence, isDone: () => position === tokens.length }
}

function compare(field: string, operator: string, value: string, whole: string): Test {
  if (operator === 'eq' || operator === 'ne') {
    const expression = toExpression(value, whole)
    return (item) => read(item, field).some((found) => expression.test(found)) === (operator === 'eq')
  }
  if (/[<>]/.test(operator)) return (item) => read(item, field).some((found) => isOrdered(found, operator, value))
  if (operator === ':' && value === '*') return (item) => read(item, field).length > 0
  const parts = value.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`))
  const wildcard = new RegExp(`^${parts.join('.*')}$`)
  return (item) => read(item, field).some((found) => wildcard.test(found)) === (operator !== '!=')
}

/** A regular expression over the whole value, as RE2 has them; what JavaScript understands in another way, or could take for ever, is refused. */
function toExpression(value: string, whole: string): RegExp {
  if (/\(\?|\\[1-9]/.test(value) || value.length > MAX_EXPRESSION_LENGTH || /[+*}][^()]*\)+[+*{]/.test(value)) throw badFilter(whole)
  try {
    return new RegExp(`^(?:${value})$`)
  } catch {
    throw badFilter(whole)
  }
}

function isOrdered(found: string, operator: string, value: string): boolean {
  const [left, right] = comparable(found, value)
  if (operator.startsWith('<') ? left < right : left > right) return true
  return operator.endsWith('=') && left === right
}

/** Numbers as numbers, times as times, all else as text. */
function comparable(left: string, right: string): readonly [string | number, string | number] {
  for (const read of [Number, Date.parse]) {
    const pair = [read(left), read(right)] as const
    if (left !== '' && right !== '' && pair.every((each) => !Number.isNaN(each))) return pair
  }
  return [left, right]
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
