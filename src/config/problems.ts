/** What is wrong in a config, said with the key's path: `images.moshi-srv.health.port: expected …, got "x"`. */
import type { z } from 'zod'
import { KilnError } from '../base/errors.ts'
import { nearest } from '../base/suggest.ts'

/** One thing to correct. `path` holds object keys and list indexes. */
export interface Problem {
  readonly path: readonly PropertyKey[]
  readonly message: string
}

type RawIssue = Parameters<z.core.$ZodErrorMap>[0]

/** A zod error function that names what the field wants and shows what it got. */
export function expected(what: string): (issue: RawIssue) => string {
  return (issue) => got(what, issue.input)
}

/** `expected WHAT, got VALUE`, or that it is missing. */
export function got(what: string, value: unknown): string {
  return value === undefined ? `expected ${what}, but it is missing` : `expected ${what}, got ${showValue(value)}`
}

/** For one of a list of words: adds the nearest known one. */
export function expectedOneOf(what: string, known: () => Iterable<string>): (issue: RawIssue) => string {
  return (issue) => {
    const near = typeof issue.input === 'string' ? nearest(issue.input, known()) : undefined
    return got(what, issue.input) + (near === undefined ? '' : `; did you mean "${near}"?`)
  }
}

/**
 * A zod error function for a strict object. Unknown keys give one line per key, in the order of the issue's keys;
 * `problemsOf` takes them apart again so that each gets its own path.
 */
export function expectedSection(what: string, known: readonly string[]): (issue: RawIssue) => string {
  return (issue) => {
    if (issue.code !== 'unrecognized_keys') return got(what, issue.input)
    return issue.keys.map((key) => unknownKey(key, known)).join('\n')
  }
}

function unknownKey(key: string, known: readonly string[]): string {
  const near = nearest(key, known)
  return near === undefined ? `unknown key; known here: ${known.join(', ')}` : `unknown key; did you mean "${near}"?`
}

/** The problems of a failed zod parse, in the order of the file. */
export function problemsOf(error: z.ZodError): readonly Problem[] {
  return error.issues.flatMap((issue): Problem[] => {
    if (issue.code === 'unrecognized_keys') {
      const lines = issue.message.split('\n')
      return issue.keys.map((key, index) => ({ path: [...issue.path, key], message: lines[index] ?? issue.message }))
    }
    if (issue.code === 'invalid_key') return [{ path: issue.path, message: issue.issues[0]?.message ?? issue.message }]
    return [{ path: issue.path, message: issue.message }]
  })
}

/** `['images', 'moshi-srv', 'python', 0]` -> `images.moshi-srv.python[0]`; keys with other signs are quoted: `files["./a"]`. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else if (/^[\w-]+$/.test(String(part))) text += text === '' ? String(part) : `.${String(part)}`
    else text += `[${JSON.stringify(String(part))}]`
  }
  return text === '' ? 'the config' : text
}

/** `PATH: MESSAGE`. */
export function formatProblem(problem: Problem): string {
  return `${formatPath(problem.path)}: ${problem.message}`
}

/** The error for one or more problems. One problem is the message itself; several are listed in `detail`. */
export function invalidConfig(problems: readonly Problem[], file: string): KilnError {
  const lines = problems.map(formatProblem)
  const hint = `correct ${file} and run the same command again; nothing was changed`
  if (lines.length === 1) return new KilnError('E_CONFIG_INVALID', lines[0] ?? '', { hint })
  return new KilnError('E_CONFIG_INVALID', `${file} has ${lines.length} problems; the first: ${lines[0] ?? ''}`, { hint, detail: lines.join('\n') })
}

/** A name that is not among the known ones; `what` completes "expected …". */
export function unknownName(what: string, name: string, known: readonly string[]): string {
  const near = nearest(name, known)
  const help = near === undefined ? (known.length === 0 ? '' : `; there ${known.length === 1 ? 'is' : 'are'} ${known.join(', ')}`) : `; did you mean "${near}"?`
  return `expected ${what}, got "${name}"${help}`
}

/** Words that a list has twice. */
export function repeated(path: readonly PropertyKey[], words: readonly string[]): readonly Problem[] {
  return words.flatMap((word, index) => (words.indexOf(word) < index ? [{ path: [...path, index], message: `"${word}" is in the list already` }] : []))
}

/** A short rendering of any value for a message. */
export function showValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value)
  if (Array.isArray(value)) return 'a list'
  if (value === null) return 'null'
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'function') return 'a function'
  return String(value)
}
