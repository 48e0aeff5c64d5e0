/** The installed Terraform or OpenTofu. */
import { KilnError } from '../base/errors.ts'
import { findVersioned } from '../host/versioned-program.ts'
import type { VersionedProgram } from '../host/versioned-program.ts'

export interface TerraformProgram extends VersionedProgram {
  readonly name: 'terraform' | 'tofu'
}

/** `init -json` and `removed` blocks. https://github.com/hashicorp/terraform/releases/tag/v1.9.0, https://github.com/opentofu/opentofu/releases/tag/v1.8.0 */
export const oldestVersions = { terraform: '1.9.0', tofu: '1.8.0' } as const

/**
 * Terraform if it is installed, else OpenTofu.
 * @throws KilnError E_TOOL_MISSING when there is neither, or one that is too old
 */
export async function findTerraform(): Promise<TerraformProgram> {
  for (const name of ['terraform', 'tofu'] as const) {
    const question = { args: ['version', '-json'], env: { CHECKPOINT_DISABLE: '1' }, pattern: /"terraform_version":\s*"([^"]+)"/, oldest: oldestVersions[name], hint: installHint }
    const found = await findVersioned(name, question)
    if (found !== undefined) return { ...found, name }
  }
  throw new KilnError('E_TOOL_MISSING', 'neither terraform nor tofu is installed', { hint: installHint })
}

const installHint = 'install it: https://developer.hashicorp.com/terraform/install or https://opentofu.org/docs/intro/install/'
