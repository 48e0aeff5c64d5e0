/** The installed Terraform or OpenTofu. */
import { KilnError } from '../base/errors.ts'
import { compareVersions } from '../base/versions.ts'
import { findProgram } from '../host/files.ts'
import { run } from '../host/exec.ts'

export interface TerraformProgram {
  readonly path: string
  /** `terraform` or `tofu`. */
  readonly name: 'terraform' | 'tofu'
  readonly version: string
}

/** `init -json` and `removed` blocks. https://github.com/hashicorp/terraform/releases/tag/v1.9.0, https://github.com/opentofu/opentofu/releases/tag/v1.8.0 */
export const oldestVersions = { terraform: '1.9.0', tofu: '1.8.0' } as const

/**
 * Terraform if it is installed, else OpenTofu.
 * @throws KilnError E_TOOL_MISSING when there is neither, or one that is too old
 */
export async function findTerraform(): Promise<TerraformProgram> {
  for (const name of ['terraform', 'tofu'] as const) {
    const path = await findProgram(name)
    if (path === undefined) continue
    const version = await versionOf(path)
    if (compareVersions(version, oldestVersions[name]) < 0) {
      throw new KilnError('E_TOOL_MISSING', `${path} is version ${version}; ${oldestVersions[name]} or newer is needed`, { hint: installHint })
    }
    return { path, name, version }
  }
  throw new KilnError('E_TOOL_MISSING', 'neither terraform nor tofu is installed', { hint: installHint })
}

const installHint = 'install it: https://developer.hashicorp.com/terraform/install or https://opentofu.org/docs/intro/install/'

async function versionOf(path: string): Promise<string> {
  const { stdout } = await run({ program: path, args: ['version', '-json'], env: { CHECKPOINT_DISABLE: '1' } }, { what: `asking ${path} for its version`, timeoutMs: 60_000 })
  const version = /"terraform_version":\s*"([^"]+)"/.exec(stdout)?.[1]
  if (version === undefined) throw new KilnError('E_TOOL_FAILED', `${path} does not say its version`, { detail: stdout.slice(0, 500), hint: installHint })
  return version
}
