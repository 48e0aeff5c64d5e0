/** What the verbs that change a stack share: they show the plan, ask, and render progress until the work has ended. */
import type { VerbOptions } from '../app/up.ts'
import { confirm } from './confirm.ts'
import type { Invocation } from './define-command.ts'
import { renderPlan } from './render/plan.ts'
import { createProgress } from './render/progress.ts'
import type { ProgressRenderer } from './render/progress.ts'
import { targetOf } from './target.ts'

/** Options of a verb without progress: for those that change nothing. */
export function verbOptions(invocation: Invocation, dir: string): VerbOptions {
  return { home: invocation.home, target: targetOf(invocation), dir, signal: invocation.signal, note: invocation.note }
}

/** Runs `work` with the plan shown, the question asked when something would change, and the terminal restored at the end. */
export async function withProgress<T>(invocation: Invocation, dir: string, question: string, work: (options: VerbOptions) => Promise<T>): Promise<T> {
  let renderer: ProgressRenderer | undefined
  try {
    return await work({
      ...verbOptions(invocation, dir),
      async onPlan(plan) {
        invocation.note(renderPlan(plan))
        if (plan.nodes.some((node) => node.action !== 'noop')) await confirm(question, invocation)
        renderer = createProgress(plan)
      },
      onEvent: (event) => renderer?.onEvent(event),
    })
  } finally {
    await renderer?.end()
  }
}
