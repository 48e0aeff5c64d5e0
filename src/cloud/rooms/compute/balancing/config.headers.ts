/** Header changes as HAProxy's rules. Pure. */
import { fmt } from './config.quote.ts'

export interface HeaderChange {
  readonly headerName: string
  readonly headerValue: string
  readonly replace?: boolean | null | undefined
}

/** Additions and removals under a condition (`if { … }`, or nothing). */
export function headerLines(phase: 'http-request' | 'http-response', added: readonly HeaderChange[], removed: readonly string[], condition: string): readonly string[] {
  const when = condition === '' ? '' : ` ${condition}`
  return [
    ...removed.filter(isToken).map((name) => `  ${phase} del-header ${name}${when}`),
    ...added
      .filter((change) => isToken(change.headerName))
      .map((change) => `  ${phase} ${change.replace === false ? 'add' : 'set'}-header ${change.headerName} ${fmt(change.headerValue)}${when}`),
  ]
}

function isToken(name: string): boolean {
  return /^[\w!#&'*+.^`|~-]+$/.test(name) && !/["'$\\#]/.test(name)
}
