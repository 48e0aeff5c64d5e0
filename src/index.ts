/** What a `kiln.config.ts` imports: `import { defineStack } from 'kiln'`. */
import type { StackInput } from './config/stack-input.ts'

/**
 * Describes a stack, and gives completion, types and the documented defaults in an editor. The value is checked when Kiln loads the file.
 * Example: `export default defineStack({ project: { id: 'moshi-3' }, … })`.
 */
export function defineStack(stack: StackInput): StackInput {
  return stack
}

export type { StackInput } from './config/stack-input.ts'
