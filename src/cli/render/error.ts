/** An error as a person reads it: cause, evidence, next action. */
import pc from 'picocolors'
import { describeError, isKilnError } from '../../base/errors.ts'

/** Text for stderr, with a line end. What is not a KilnError is a defect of Kiln, so its stack is shown. */
export function renderError(error: unknown): string {
  const color = pc.createColors(process.stderr.isTTY === true && process.env['NO_COLOR'] === undefined)
  if (!isKilnError(error)) {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return `${color.red('unexpected error')} (please report it)\n${indent(stack)}\n`
  }
  const lines = [`${color.red('error')} ${color.dim(error.code)} ${describeError(error)}`]
  if (error.detail !== undefined && error.detail !== '') lines.push(indent(error.detail))
  if (error.hint !== undefined) lines.push(`${color.cyan('next')}  ${error.hint}`)
  return `${lines.join('\n')}\n`
}

function indent(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `  | ${line}`)
    .join('\n')
}
