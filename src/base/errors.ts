/**
 * The one error class that users see. Anything else that reaches the top is a defect of Kiln and is shown as one.
 * Every code is listed in `error-codes.ts`; a test keeps registry and docs/errors.md identical.
 */
import type { ErrorCode } from './error-codes.ts'

export interface KilnErrorOptions {
  /** What the user can do next, as one sentence or command. */
  readonly hint?: string
  /** Longer evidence (tool output, serial tail), shown indented under the message. */
  readonly detail?: string
  readonly cause?: unknown
}

/** An error that the user can act on: a stable code, a cause that names the concrete thing, and the next action. */
export class KilnError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly detail: string | undefined

  constructor(code: ErrorCode, message: string, options: KilnErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'KilnError'
    this.code = code
    this.hint = options.hint
    this.detail = options.detail
  }
}

/** True for errors made by Kiln on purpose. */
export function isKilnError(error: unknown): error is KilnError {
  return error instanceof KilnError
}

/** The message of anything thrown, with the chain of causes joined so that it reads as one sentence. */
export function describeError(error: unknown): string {
  const parts: string[] = []
  let current: unknown = error
  while (current !== undefined && parts.length < 8) {
    const text = current instanceof Error ? current.message : String(current)
    if (text !== '' && !parts.some((part) => part.includes(text))) parts.push(text)
    current = current instanceof Error ? current.cause : undefined
  }
  return parts.join(': ')
}

/** The `code` of a Node system error such as ENOENT, if the value is one. */
export function systemErrorCode(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return undefined
}
