/** What was found out before anything is changed: one row per thing that a run on Google Cloud needs. */
import { KilnError } from '../../base/errors.ts'

export interface GcpFinding {
  /** `credentials`, `permissions`, `quota CPUS`. */
  readonly check: string
  /**
   * `missing` stops a run. `person`: only a person can do it, the run goes on without and looks again next time. `later`: the run itself does it,
   * or it cannot be known before something else is there.
   */
  readonly state: 'ok' | 'missing' | 'person' | 'later'
  /** What was found, or what is not there. */
  readonly detail: string
  /** The exact command or link. */
  readonly remedy?: string
}

export const ok = (check: string, detail: string): GcpFinding => ({ check, state: 'ok', detail })
export const later = (check: string, detail: string): GcpFinding => ({ check, state: 'later', detail })
export const missing = (check: string, detail: string, remedy: string): GcpFinding => ({ check, state: 'missing', detail, remedy })
export const person = (check: string, detail: string, remedy: string): GcpFinding => ({ check, state: 'person', detail, remedy })

/** The error of a call as a finding. */
export function missingFrom(check: string, error: unknown): GcpFinding {
  if (!(error instanceof KilnError)) throw error
  return missing(check, error.message, error.hint ?? 'correct the cause and run the same command again')
}

/** @throws KilnError E_PREFLIGHT that lists everything that is missing */
export function requireAll(findings: readonly GcpFinding[]): void {
  const wanting = findings.filter((finding) => finding.state === 'missing')
  const [first] = wanting
  if (first === undefined) return
  const lines = wanting.map((finding) => `${finding.check}: ${finding.detail}\n  ${finding.remedy ?? ''}`)
  throw new KilnError('E_PREFLIGHT', wanting.length === 1 ? `${first.check}: ${first.detail}` : `${wanting.length} things are missing; nothing was changed`, {
    hint: wanting.length === 1 && first.remedy !== undefined ? first.remedy : 'do what stands under each of them, then run the same command again',
    ...(wanting.length === 1 ? {} : { detail: lines.join('\n') }),
  })
}
