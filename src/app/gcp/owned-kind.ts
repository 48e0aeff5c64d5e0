/**
 * On Google Terraform owns the infrastructure. The direct engine still has to know it: what it does itself (wheels, images, releases) refers
 * to it. So it sees these kinds, and never changes them.
 */
import { KilnError } from '../../base/errors.ts'
import type { Clients } from '../../client/clients.ts'
import type { AnyKind } from '../../engine/types.ts'

/** What must be there before Terraform can run, since its state lies in the project. */
export const beforeTerraform: ReadonlySet<string> = new Set(['project', 'billing'])
/** The direct engine's own: that, and what holds a secret, which would lie in Terraform's state. */
const ownKinds: ReadonlySet<string> = new Set([...beforeTerraform, 'secret-version', 'identity-provider'])

/** True for kinds of which Terraform makes the things. */
export function isOwnedByTerraform(kind: string, resourceKinds: ReadonlyMap<string, unknown>): boolean {
  return resourceKinds.has(kind) && !ownKinds.has(kind)
}

/** The kind as the direct engine has it on Google: it looks, and changes nothing. */
export function ownedByTerraform(kind: AnyKind<Clients>): AnyKind<Clients> {
  if (ownKinds.has(kind.kind)) return kind
  return {
    ...kind,
    keepOnDestroy: true,
    diff: () => [],
    create(_context, props) {
      // parse() of the kind has checked the props: they name the thing
      throw new KilnError('E_PLAN', `Terraform has not made the ${kind.kind} ${JSON.stringify(kind.identity(props))}`, {
        hint: 'run `kiln up --target gcp`; if it says the same, look whether ops/terraform has it',
      })
    },
    update: (_context, _props, observed) => Promise.resolve(observed),
    remove: () => Promise.resolve(),
  }
}
