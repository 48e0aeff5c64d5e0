/** Asking before a change. */
import { confirm as ask, isCancel } from '@clack/prompts'
import { KilnError } from '../base/errors.ts'

/**
 * Returns when the user said yes, on the terminal or with --yes.
 * @throws KilnError E_NOT_CONFIRMED when there is nobody to ask, E_CANCELLED on a no.
 */
export async function confirm(question: string, options: { readonly yes: boolean; readonly json: boolean }): Promise<void> {
  if (options.yes) return
  if (options.json || process.stdin.isTTY !== true) {
    throw new KilnError('E_NOT_CONFIRMED', 'this changes things, and there is no terminal to ask on', { hint: 'run it again with --yes' })
  }
  const answer = await ask({ message: question, output: process.stderr })
  if (isCancel(answer) || !answer) throw new KilnError('E_CANCELLED', 'nothing was changed')
}
