/** What a failed rollout says to whoever asked for more than a rollout. */
import { KilnError } from '../../base/errors.ts'
import { ApplyError } from '../../engine/apply.ts'

/** When the rollout alone failed, its own error says it better. */
export function throwReleaseError(error: unknown): never {
  const only = error instanceof ApplyError && error.failures.length === 1 ? error.failures[0] : undefined
  if (only !== undefined && only.address.startsWith('release/') && only.error instanceof KilnError) throw only.error
  throw error
}
