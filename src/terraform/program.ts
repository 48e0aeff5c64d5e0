/** The installed Terraform or OpenTofu. */
import { KilnError } from '../base/errors.ts'
import { findVersioned } from '../host/versioned-program.ts'
import type { VersionedProgram } from '../host/versioned-program.ts'

const names = ['terraform', 'tofu'] as const

export interface TerraformProgram extends VersionedProgram {
  readonly name: (typeof names)[number]
}

/** `init -json` and `removed` blocks. https://github.com/hashicorp/terraform/releases/tag/v1.9.0, https://github.com/opentofu/opentofu/releases/tag/v1.8.0 */
export const oldestVersions = { terraform: '1.9.0', tofu: '1.8.0' } as const

/**
 * Terraform if it is installed, else OpenTofu; or the one that the environment variable KILN_TERRAFORM names, for machines that have both.
 * @throws KilnError E_TOOL_MISSING when there is none, or one that is too old; E_USAGE when the variable names something else
 */
export async function findTerraform(env: NodeJS.ProcessEnv = process.env): Promise<TerraformProgram> {
  const wanted = env['KILN_TERRAFORM'] ?? ''
  const candidates = wanted === '' ? names : names.filter((name) => name === wanted)
  if (candidates.length === 0) throw new KilnError('E_USAGE', `KILN_TERRAFORM is '${wanted}'`, { hint: `set it to ${names.join(' or ')}, or unset it` })
  for (const name of candidates) {
    const question = { args: ['version', '-json'], env: { CHECKPOINT_DISABLE: '1' }, pattern: /"terraform_version":\s*"([^"]+)"/, oldest: oldestVersions[name], hint: installHint }
    const found = await findVersioned(name, question)
    if (found !== undefined) return { ...found, name }
  }
  throw new KilnError('E_TOOL_MISSING', wanted === '' ? 'neither terraform nor tofu is installed' : `${wanted} is not installed, and KILN_TERRAFORM asks for it`, {
    hint: installHint,
  })
}

const installHint = 'install it: https://developer.hashicorp.com/terraform/install or https://opentofu.org/docs/intro/install/'
