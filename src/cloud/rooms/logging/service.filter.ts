/**
 * The Logging query language: comparisons, text search, AND, OR, NOT and grouping. OR binds stronger than AND; letter case matters in regular expressions only.
 * https://cloud.google.com/logging/docs/view/logging-query-language
 */
import { invalidArgument } from '../../kernel/api-error.ts'
import { normalTime, severityNumber } from './schema.ts'
import type { LogEntry } from './store.ts'

export interface LogFilter {
  matches(entry: LogEntry): boolean
  /** No entry before this time matches; empty for no bound. */
  readonly from: string
  /** No entry after this time matches. */
  readonly to: string
}

type Operator = '=' | '!=' | '>' | '>=' | '<' | '<=' | ':' | '=~' | '!~'

type Node =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Node[] }
  | { readonly kind: 'not'; readonly part: Node }
  | { readonly kind: 'compare'; readonly path: readonly string[]; readonly operator: Operator; readonly value: string; readonly isQuoted: boolean }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'log'; readonly logId: string }

interface Token {
  readonly kind: 'word' | 'string' | 'operator' | 'punctuation'
  readonly text: string
  readonly at: number
}

const LAST_TIME = '~'
/** Deeper nesting and longer filters are refused, as Google does. */
const MAX_DEPTH = 50
const MAX_LENGTH = 20_000

/** @throws ApiError 400 that says where the filter is wrong */
export function parseFilter(text: string): LogFilter {
  if (text.length > MAX_LENGTH) throw invalidArgument(`The filter has more than ${MAX_LENGTH} characters.`)
  const tokens = tokenize(text)
  if (tokens.length === 0) return { matches: () => true, from: '', to: LAST_TIME }
  const parser = createParser(text, tokens)
  const node = parser.whole()
  const { from, to } = boundsOf(node)
  return { matches: (entry) => matches(node, entry), from, to }
}

function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = []
  const pattern = /\s+|--[^\n]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|=~|!~|!=|>=|<=|[=<>:]|[(),]|-(?=[\w("'])|[^\s"'()=<>!:,~]+/y
  let end = 0
  while (end < text.length) {
    pattern.lastIndex = end
    const [part] = pattern.exec(text) ?? []
    if (part === undefined) throw invalidArgument(`Unparseable filter: unexpected ${JSON.stringify(text.slice(end, end + 10))} at position ${end} in ${JSON.stringify(text)}.`)
    if (/^(\s|--)/.test(part)) {
      end = pattern.lastIndex
      continue
    }
    const kind = /^["']/.test(part) ? 'string' : /^(=~|!~|!=|>=|<=|[=<>:])$/.test(part) ? 'operator' : /^[(),-]$/.test(part) ? 'punctuation' : 'word'
    tokens.push({ kind, text: kind === 'string' ? unquote(part) : part, at: end })
    end = pattern.lastIndex
  }
  return tokens
}

function unquote(text: string): string {
  return text.slice(1, -1).replace(/\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)/gs, (whole, code: string) => {
    if (/^[ux]./.test(code)) return String.fromCodePoint(Number.parseInt(code.slice(1), 16))
    return { n: '\n', t: '\t', r: '\r', '"': '"', "'": "'", '\\': '\\' }[code] ?? whole
  })
}

function createParser(text: string, tokens: readonly Token[]): { whole(): Node } {
  let index = 0
  let depth = 0

  function fail(what: string): never {
    const token = tokens[index]
    throw invalidArgument(
      `Unparseable filter: ${what}${token === undefined ? ' at the end' : ` at position ${token.at} (${JSON.stringify(token.text)})`} in ${JSON.stringify(text)}.`,
    )
  }
  function is(kind: Token['kind'], value: string): boolean {
    const token = tokens[index]
    return token !== undefined && token.kind === kind && token.text === value
  }
  function take(kind: Token['kind'], value: string): boolean {
    if (!is(kind, value)) return false
    index += 1
    return true
  }

  function all(): Node {
    depth += 1
    if (depth > MAX_DEPTH) fail('it is nested too deeply')
    const parts = [any()]
    while (index < tokens.length && !is('punctuation', ')')) {
      take('word', 'AND')
      parts.push(any())
    }
    depth -= 1
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: 'and', parts }
  }
  function any(): Node {
    const parts = [not()]
    while (take('word', 'OR')) parts.push(not())
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: 'or', parts }
  }
  function not(): Node {
    if (take('word', 'NOT') || take('punctuation', '-')) return { kind: 'not', part: not() }
    if (take('punctuation', '(')) {
      const inside = all()
      if (!take('punctuation', ')')) fail('a closing parenthesis is missing')
      return inside
    }
    return term()
  }
  function term(): Node {
    const token = tokens[index]
    if (token === undefined || token.kind === 'operator' || token.kind === 'punctuation') fail('a field, a text or a parenthesis is expected')
    if (token.kind === 'word' && /^(AND|OR)$/.test(token.text)) fail('an operand is missing')
    index += 1
    if (token.kind === 'word' && take('punctuation', '(')) return call(token.text)
    // A quoted key in the middle of a path comes as a token of its own: labels."a/b".
    let path = token.kind === 'word' ? token.text.split('.') : [token.text]
    while (token.kind === 'word' && path.at(-1) === '' && tokens[index]?.kind === 'string') {
      path = [...path.slice(0, -1), tokens[index]?.text ?? '']
      index += 1
      const next = tokens[index]
      if (next?.kind === 'word' && next.text.startsWith('.') && next.at > 0 && text[next.at - 1] === '"') {
        path = [...path, ...next.text.slice(1).split('.')]
        index += 1
      }
    }
    const operator = tokens[index]
    if (operator?.kind !== 'operator') return { kind: 'text', value: token.text }
    index += 1
    return values(path, operator.text as Operator)
  }
  function call(name: string): Node {
    const argument = tokens[index]
    if (name !== 'log_id' || argument === undefined || argument.kind === 'operator') fail(`the function ${name} is not known here: log_id("…") is`)
    index += 1
    if (!take('punctuation', ')')) fail('a closing parenthesis is missing')
    return { kind: 'log', logId: argument.text }
  }
  /** One value, or several: `severity=(ERROR OR CRITICAL)`. */
  function values(path: readonly string[], operator: Operator): Node {
    if (!take('punctuation', '(')) return comparison(path, operator)
    const alternatives: Node[][] = [[valueNode(path, operator)]]
    while (!take('punctuation', ')')) {
      if (index >= tokens.length) fail('a closing parenthesis is missing')
      if (take('word', 'OR')) alternatives.at(-1)?.push(valueNode(path, operator))
      else {
        take('word', 'AND')
        alternatives.push([valueNode(path, operator)])
      }
    }
    return { kind: 'and', parts: alternatives.map((parts) => ({ kind: 'or', parts })) }
  }
  function valueNode(path: readonly string[], operator: Operator): Node {
    return take('word', 'NOT') || take('punctuation', '-') ? { kind: 'not', part: comparison(path, operator) } : comparison(path, operator)
  }
  function comparison(path: readonly string[], operator: Operator): Node {
    const sign = take('punctuation', '-') ? '-' : ''
    const token = tokens[index]
    if (token === undefined || (token.kind !== 'word' && token.kind !== 'string')) fail('a value is expected')
    index += 1
    let value = sign + token.text
    // Times and names may be written without quotes, and have colons in them.
    while (token.kind === 'word' && is('operator', ':') && tokens[index]?.at === token.at + value.length - sign.length && tokens[index + 1]?.kind === 'word') {
      value += `:${tokens[index + 1]?.text ?? ''}`
      index += 2
    }
    if (operator === '=~' || operator === '!~') toPattern(value)
    return { kind: 'compare', path: path.map((part) => part.replace(/^["']|["']$/g, '')), operator, value, isQuoted: token.kind === 'string' }
  }

  return {
    whole() {
      const node = all()
      if (index < tokens.length) fail('a parenthesis was never opened')
      return node
    },
  }
}

/** Patterns are searched anywhere in the text. RE2's `(?i)` is the one flag that JavaScript writes otherwise. */
function toPattern(value: string): RegExp {
  const [, flags = '', rest = value] = /^\(\?([ims]+)\)([\s\S]*)$/.exec(value) ?? []
  try {
    return new RegExp(rest, `u${flags}`)
  } catch (error) {
    throw invalidArgument(`Unparseable filter: ${JSON.stringify(value)} is no regular expression (${error instanceof Error ? error.message : ''}).`)
  }
}

function boundsOf(node: Node): { readonly from: string; readonly to: string } {
  if (node.kind === 'and') {
    const bounds = node.parts.map(boundsOf)
    return {
      from:
        bounds
          .map((each) => each.from)
          .sort()
          .at(-1) ?? '',
      to: bounds.map((each) => each.to).sort()[0] ?? LAST_TIME,
    }
  }
  const time = node.kind === 'compare' && node.path.join('.') === 'timestamp' ? normalTime(node.value) : undefined
  if (node.kind !== 'compare' || time === undefined) return { from: '', to: LAST_TIME }
  return { from: /^[>=]/.test(node.operator) ? time : '', to: /^[<=]/.test(node.operator) ? time : LAST_TIME }
}

function matches(node: Node, entry: LogEntry): boolean {
  switch (node.kind) {
    case 'and':
      return node.parts.every((part) => matches(part, entry))
    case 'or':
      return node.parts.some((part) => matches(part, entry))
    case 'not':
      return !matches(node.part, entry)
    case 'log':
      return logIdOf(entry).toLowerCase() === node.logId.toLowerCase()
    case 'text':
      return contains(entry, node.value.toLowerCase())
    case 'compare': {
      const found = valuesAt(entry, node.path)
      if (node.operator === ':' && node.value === '*' && !node.isQuoted) return found.length > 0
      return found.some((value) => compares(node.path, value, node.operator, node.value))
    }
  }
}

function logIdOf(entry: LogEntry): string {
  return decodeURIComponent(
    String(entry['logName'] ?? '')
      .split('/')
      .at(-1) ?? '',
  )
}

/** A text anywhere in the entry. */
function contains(value: unknown, text: string): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).some((each) => contains(each, text))
  return value !== undefined && value !== null && String(value).toLowerCase().includes(text)
}

const aliases: Readonly<Record<string, string>> = {
  log_name: 'logName',
  text_payload: 'textPayload',
  json_payload: 'jsonPayload',
  insert_id: 'insertId',
  http_request: 'httpRequest',
}

/** Of lists all members. A severity that was not given is DEFAULT. */
function valuesAt(entry: LogEntry, path: readonly string[]): readonly unknown[] {
  if (path.length === 1 && path[0] === 'severity') return [entry['severity'] ?? 'DEFAULT']
  let found: unknown[] = [entry]
  for (const [depth, part] of path.entries()) {
    const name = depth === 0 ? (aliases[part] ?? part) : part
    found = found.flatMap((each) => {
      const value = typeof each === 'object' && each !== null ? (each as Record<string, unknown>)[name] : undefined
      return value === undefined || value === null ? [] : Array.isArray(value) ? (value as unknown[]) : [value]
    })
  }
  return found
}

function compares(path: readonly string[], actual: unknown, operator: Operator, wanted: string): boolean {
  if (operator === '=~') return toPattern(wanted).test(String(actual))
  if (operator === '!~') return !toPattern(wanted).test(String(actual))
  if (operator === ':') return contains(actual, wanted.toLowerCase())
  const order = orderOf(path, actual, wanted)
  if (order === undefined) return operator === '!='
  switch (operator) {
    case '=':
      return order === 0
    case '!=':
      return order !== 0
    case '>':
      return order > 0
    case '>=':
      return order >= 0
    case '<':
      return order < 0
    case '<=':
      return order <= 0
  }
}

/** Below, at or above zero; undefined for what cannot be compared. */
function orderOf(path: readonly string[], actual: unknown, wanted: string): number | undefined {
  if (path.length === 1 && path[0] === 'severity') {
    const [one, other] = [severityNumber(String(actual)), severityNumber(wanted)]
    if (other === undefined) throw invalidArgument(`Invalid severity in the filter: ${wanted}`)
    return one === undefined ? undefined : one - other
  }
  if (path.length === 1 && /^(timestamp|receiveTimestamp)$/.test(path[0] ?? '')) {
    const [one, other] = [normalTime(String(actual)), normalTime(wanted)]
    if (other === undefined) throw invalidArgument(`Invalid time in the filter: ${wanted}`)
    return one === undefined ? undefined : order(one, other)
  }
  if (typeof actual === 'object') return undefined
  if (typeof actual === 'number' || (path[0] === 'httpRequest' && /^(status|requestSize|responseSize)$/.test(path[1] ?? ''))) {
    const number = Number(wanted)
    return Number.isNaN(number) || wanted === '' ? undefined : Number(actual) - number
  }
  return order(String(actual).toLowerCase(), wanted.toLowerCase())
}

function order(one: string, other: string): number {
  return one === other ? 0 : one < other ? -1 : 1
}
