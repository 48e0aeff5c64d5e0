/**
 * HCL text, exactly as `terraform fmt` and `packer fmt` leave it: two spaces, the equals signs of neighbouring one-line attributes in one column,
 * no quotes where a bare word will do. `conformance/synth` asks both formatters.
 */
import { Call, Expression, Template, isMap } from './syntax.ts'
import type { Attribute, Block, Item, Value } from './syntax.ts'

/** Longest list that is written in one line. */
const LINE_LENGTH = 100

/** A whole file: items with blank lines between blocks, a newline at the end. */
export function printHcl(items: readonly Item[]): string {
  return `${printBody(items).join('\n').replaceAll(asIs, '')}\n`
}

/** In front of lines that no indentation may change: the text of a heredoc. */
const asIs = '\u0000'

/** `"text"`, with everything escaped that HCL would read otherwise. */
export function quoted(text: string): string {
  return `"${escaped(text)}"`
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function escaped(text: string): string {
  const signs = Array.from(text, (sign) => escapes[sign] ?? (isControl(sign) ? `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}` : sign))
  return withoutTemplates(signs.join(''))
}

/** What would begin an expression stands for itself. */
function withoutTemplates(text: string): string {
  return text.replaceAll(/[$%]\{/g, (opening) => `${opening[0] ?? ''}${opening}`)
}

function isControl(sign: string): boolean {
  return sign < ' ' || sign === '\u007f'
}

function printBody(items: readonly Item[]): string[] {
  const lines: string[] = []
  let run: Attribute[] = []
  const flush = (): void => {
    lines.push(...aligned(run.map(({ name, value }) => [name, printValue(value)[0] ?? ''])))
    run = []
  }
  let before: Item | undefined
  for (const item of items) {
    if (item.item === 'gap') {
      if (before !== undefined) before = item
      continue
    }
    if (before !== undefined && (before.item === 'gap' || isTall(item) || isTall(before))) {
      flush()
      lines.push('')
    }
    before = item
    if (item.item === 'attribute' && !isTall(item)) run.push(item)
    else {
      flush()
      lines.push(...printTall(item))
    }
  }
  flush()
  return lines
}

/** Takes more than one line, so that it stands apart. */
function isTall(item: Item): boolean {
  return item.item === 'block' || (item.item === 'attribute' && (isLongText(item.value) || printValue(item.value).length > 1))
}

/** A text of several whole lines, which reads better as it is. */
function isLongText(value: Value): value is string {
  if (typeof value !== 'string' || !/\n[^]*\n$/.test(value)) return false
  return !Array.from(value).some((sign) => isControl(sign) && sign !== '\n' && sign !== '\t') && !/^\s*EOT$/m.test(value)
}

function heredoc(text: string): string[] {
  const lines = withoutTemplates(text).split('\n')
  return ['<<EOT', ...lines.slice(0, -1).map((line) => `${asIs}${line}`), `${asIs}EOT`]
}

function printTall(item: Attribute | Block): string[] {
  if (item.item === 'attribute') return withPrefix(`${item.name} = `, isLongText(item.value) ? heredoc(item.value) : printValue(item.value))
  const comment = item.comment === undefined ? [] : item.comment.split('\n').map((line) => `# ${line}`.trimEnd())
  const head = [item.type, ...item.labels.map(quoted)].join(' ')
  if (item.body.length === 0) return [...comment, `${head} {}`]
  return [...comment, `${head} {`, ...indented(printBody(item.body)), '}']
}

function aligned(pairs: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(0, ...pairs.map(([name]) => name.length))
  return pairs.map(([name, value]) => `${name.padEnd(width)} = ${value}`)
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => (line === '' || line.startsWith(asIs) ? line : `  ${line}`))
}

function withPrefix(prefix: string, [first = '', ...rest]: readonly string[]): string[] {
  return [`${prefix}${first}`, ...rest]
}

function withSuffix(lines: readonly string[], suffix: string): string[] {
  return [...lines.slice(0, -1), `${lines.at(-1) ?? ''}${suffix}`]
}

/** The lines of a value; the first one stands behind the equals sign. */
function printValue(value: Value): string[] {
  if (value === null) return ['null']
  if (typeof value === 'string') return [quoted(value)]
  if (typeof value === 'number' || typeof value === 'boolean') return [String(value)]
  if (value instanceof Expression) return [value.text]
  if (value instanceof Template) return [`"${value.parts.map((part) => (typeof part === 'string' ? escaped(part) : `\${${part.text}}`)).join('')}"`]
  if (value instanceof Call) return printCall(value)
  if (isMap(value)) return printMap(value)
  return printList(value)
}

function printCall({ name, args }: Call): string[] {
  const head = args.slice(0, -1).map((arg) => `${printValue(arg).join(' ')}, `)
  const last = args.at(-1)
  return last === undefined ? [`${name}()`] : withSuffix(withPrefix(`${name}(${head.join('')}`, printValue(last)), ')')
}

function printList(list: readonly Value[]): string[] {
  const printed = list.map(printValue)
  const line = `[${printed.map(([first]) => first).join(', ')}]`
  if (printed.every((lines) => lines.length === 1) && line.length <= LINE_LENGTH) return [line]
  return ['[', ...indented(printed.flatMap((lines) => withSuffix(lines, ','))), ']']
}

function printMap(map: { readonly [key: string]: Value }): string[] {
  const entries = Object.entries(map)
  if (entries.length === 0) return ['{}']
  const lines: string[] = []
  let run: (readonly [string, string])[] = []
  for (const [key, value] of entries) {
    const printed = printValue(value)
    const name = /^[A-Za-z_][\w-]*$/.test(key) ? key : quoted(key)
    if (printed.length === 1) {
      run.push([name, printed[0] ?? ''])
      continue
    }
    lines.push(...aligned(run), ...withPrefix(`${name} = `, printed))
    run = []
  }
  return ['{', ...indented([...lines, ...aligned(run)]), '}']
}
