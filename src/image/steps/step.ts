/** What a bake step is. `plan` is pure and tested against exact argument lists; `run` does it; `verify` looks at the result. */
import type { Command } from '../../host/exec.ts'
import type { KeyInputs } from '../types.ts'

export interface BakeStep<Context, Result> {
  readonly name: string
  /** What the result depends on, beside the results of the steps before it. */
  inputs(context: Context): KeyInputs
  /** The programs that `run` will start, in order. */
  plan(context: Context): readonly Command[]
  run(context: Context, signal?: AbortSignal): Promise<Result>
  /** @throws KilnError E_BAKE when the result is not what the step promises. */
  verify(context: Context, result: Result): Promise<void>
}
