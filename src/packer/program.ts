/** The installed Packer. */
import { KilnError } from '../base/errors.ts'
import { findVersioned } from '../host/versioned-program.ts'
import type { VersionedProgram } from '../host/versioned-program.ts'

export type PackerProgram = VersionedProgram

const hint = 'install it: https://developer.hashicorp.com/packer/install'

/** @throws KilnError E_TOOL_MISSING when there is none, or one that is too old */
export async function findPacker(): Promise<PackerProgram> {
  // `required_plugins` and `packer init`: https://github.com/hashicorp/packer/releases/tag/v1.7.0
  const found = await findVersioned('packer', { args: ['version'], env: { CHECKPOINT_DISABLE: '1' }, pattern: /^Packer v(\d+\.\d+\.\d+\S*)/m, oldest: '1.7.0', hint })
  if (found === undefined) throw new KilnError('E_TOOL_MISSING', 'packer is not installed', { hint })
  return found
}
