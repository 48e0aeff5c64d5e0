/** A config as the text of `kiln.config.ts`: short objects in one line, comments above what they speak of. Pure. */
import type { StackInput } from '../../config/schema.ts'

const widest = 140

/** @param comments by key path such as `images.python3`. */
export function draftText(stack: Partial<StackInput>, heading: readonly string[], comments: Readonly<Record<string, string>>): string {
  const head = heading.map((line) => `// ${line}`).join('\n')
  return `${head}\nimport { defineStack } from 'kiln'\n\nexport default defineStack(${valueText(stack, '', '', comments)})\n`
}

function valueText(value: unknown, path: string, indent: string, comments: Readonly<Record<string, string>>): string {
  if (typeof value !== 'object' || value === null) return typeof value === 'string' ? quoted(value) : JSON.stringify(value)
  const isList = Array.isArray(value)
  const entries = Object.entries(value).filter(([, member]) => member !== undefined)
  const [open, close] = isList ? ['[', ']'] : ['{ ', ' }']
  if (entries.length === 0) return isList ? '[]' : '{}'
  const pathOf = (key: string): string => (isList ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`)
  const commented = Object.keys(comments).some((place) => place !== path && (place.startsWith(`${path}.`) || place.startsWith(`${path}[`)))
  if (!commented && path !== '') {
    const short = `${open}${entries.map(([key, member]) => `${isList ? '' : `${keyText(key)}: `}${valueText(member, pathOf(key), '', {})}`).join(', ')}${close}`
    if (indent.length + short.length <= widest && !short.includes('\n')) return short
  }
  const inner = `${indent}  `
  const lines = entries.flatMap(([key, member]) => {
    const comment = comments[pathOf(key)]
    const text = `${inner}${isList ? '' : `${keyText(key)}: `}${valueText(member, pathOf(key), inner, comments)},`
    return comment === undefined ? [text] : [`${inner}// ${comment}`, text]
  })
  return `${open.trim()}\n${lines.join('\n')}\n${indent}${close.trim()}`
}

function keyText(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? key : quoted(key)
}

function quoted(text: string): string {
  const inside = JSON.stringify(text)
    .slice(1, -1)
    .replaceAll('\\"', '"')
    .replaceAll("'", String.raw`\'`)
  return `'${inside}'`
}
