/** Turns what Node says about a config that cannot be run into an error that shows the place. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { KilnError, isKilnError, systemErrorCode } from '../base/errors.ts'
import { run } from '../host/exec.ts'

interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** @param marker the query key that loads carry; it is not shown to the user. */
export async function explainLoadError(error: unknown, configFile: string, marker: string): Promise<KilnError> {
  if (isKilnError(error)) return error
  const message = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
  const clean = message.replaceAll(new RegExp(`\\?${marker}=\\d+`, 'g'), '')
  const stack = (error instanceof Error ? (error.stack ?? '') : '').replaceAll(new RegExp(`\\?${marker}=\\d+`, 'g'), '')
  if (error instanceof SyntaxError) {
    const place = syntaxPlace(stack) ?? syntaxPlace(await checkSyntax(configFile))
    const where = place === undefined ? configFile : `${place.file}:${place.line}:${place.column}`
    return new KilnError('E_CONFIG_SYNTAX', `${where}: ${clean}`, { hint: syntaxHint(error), ...(place === undefined ? {} : { detail: codeFrame(place) }) })
  }
  const code = systemErrorCode(error)
  if (code === 'ERR_MODULE_NOT_FOUND') {
    return new KilnError('E_CONFIG_SYNTAX', `${configFile} imports something that is not there: ${clean}`, { hint: 'relative imports need their ending: ./values.ts' })
  }
  const place = runtimePlace(stack)
  const where = place === undefined ? configFile : `${place.file}:${place.line}:${place.column}`
  return new KilnError('E_CONFIG_SYNTAX', `${where}: the config failed while it was loaded: ${clean}`, {
    cause: error,
    ...(place === undefined ? {} : { detail: codeFrame(place) }),
  })
}

function syntaxHint(error: SyntaxError): string {
  if (systemErrorCode(error) === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX')
    return 'Node runs the config as it is, so only TypeScript that can be erased is allowed: no enum, namespace or parameter property'
  return 'correct the file and run the same command again; nothing was changed'
}

/** Node puts `FILE:LINE`, the code and a line of ^ before the stack of a syntax error. */
function syntaxPlace(stack: string): Place | undefined {
  const lines = stack.split('\n')
  const start = /^(.+):(\d+)$/.exec(lines[0] ?? '')
  if (start?.[1] === undefined) return undefined
  const marks = lines.findIndex((line) => /^\s*\^+\s*$/.test(line))
  // Without marks the problem is at the end of the file.
  const column = marks < 0 ? (lines[1] ?? '').length : (lines[marks] ?? '').indexOf('^')
  return { file: asPath(start[1]), line: Number(start[2]), column: column + 1 }
}

/** Some syntax errors come without their place when a module is imported; `node --check` prints it. */
async function checkSyntax(file: string): Promise<string> {
  const result = await run({ program: process.execPath, args: ['--check', file] }, { okCodes: [0, 1], what: 'checking the config' })
  return result.stderr.trimStart()
}

function runtimePlace(stack: string): Place | undefined {
  const match = /(file:\/\/[^\s()]+):(\d+):(\d+)/.exec(stack)
  if (match?.[1] === undefined) return undefined
  return { file: asPath(match[1]), line: Number(match[2]), column: Number(match[3]) }
}

function asPath(text: string): string {
  return text.startsWith('file:') ? fileURLToPath(text) : text
}

/** The line with its two neighbours on each side, and a mark under the column. */
function codeFrame(place: Place): string {
  let lines: string[]
  try {
    lines = readFileSync(place.file, 'utf8').split('\n')
  } catch {
    return ''
  }
  const shown: string[] = []
  for (let number = Math.max(1, place.line - 2); number <= Math.min(lines.length, place.line + 2); number += 1) {
    const label = String(number).padStart(5)
    shown.push(`${label} | ${lines[number - 1] ?? ''}`.trimEnd())
    if (number === place.line) shown.push(`${' '.repeat(5)} | ${' '.repeat(Math.max(0, place.column - 1))}^`)
  }
  return shown.join('\n')
}
