/** Which VM a verb means. */
import { KilnError } from '../../base/errors.ts'
import type { StackConfig } from '../../config/schema.ts'

/** The named VM, else the dev VM of the config. @throws KilnError E_NOT_FOUND when there is neither */
export function vmName(name: string | undefined, config: StackConfig): string {
  const found = name ?? config.dev?.name
  if (found !== undefined) return found
  throw new KilnError('E_NOT_FOUND', 'the config has no dev VM, and no VM was named', { hint: 'add a `dev` section to kiln.config.ts, or name a VM' })
}
