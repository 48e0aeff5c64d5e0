/** The option that says which cloud a verb works on, and the verbs of that cloud. */
import type { Plan, Target } from '../app/plan-types.ts'
import type { DevResult } from '../app/parts.ts'
import type { StatusResult } from '../app/status.ts'
import type { UpResult, VerbOptions } from '../app/up.ts'
import type { Invocation, OptionSpec } from './define-command.ts'

export const targetOption: OptionSpec = { flags: '--target <cloud>', help: 'pocket: the pocket cloud of this KILN_HOME (default); gcp: Google Cloud', choices: ['pocket', 'gcp'] }

/** The cloud that the verb was asked to work on. */
export function targetOf({ options }: Pick<Invocation, 'options'>): Target {
  return options['target'] === 'gcp' ? 'gcp' : 'pocket'
}

/** True when the verb is for Google Cloud. */
export function isOnGoogle(invocation: Pick<Invocation, 'options'>): boolean {
  return targetOf(invocation) === 'gcp'
}

export interface StackVerbs {
  readonly up: (options: VerbOptions) => Promise<UpResult>
  readonly plan: (options: VerbOptions) => Promise<Plan>
  readonly status: (options: VerbOptions) => Promise<StatusResult>
  readonly destroy: (options: VerbOptions) => Promise<{ readonly removed: number; readonly plan: Plan }>
}

/** `kiln dev`, for the cloud that was named. */
export async function devVerb(invocation: Pick<Invocation, 'options'>): Promise<(options: VerbOptions) => Promise<DevResult>> {
  const { dev } = isOnGoogle(invocation) ? await import('../app/gcp/dev.ts') : await import('../app/parts.ts')
  return dev
}

/** The verbs over a whole stack, for the cloud that was named. */
export async function stackVerbs(invocation: Pick<Invocation, 'options'>): Promise<StackVerbs> {
  if (!isOnGoogle(invocation)) return import('../app/up.ts')
  const [{ up, plan, status }, { destroy }] = await Promise.all([import('../app/gcp/up.ts'), import('../app/gcp/destroy.ts')])
  return { up, plan, status, destroy }
}
