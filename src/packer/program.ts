/** The installed Packer. */
import { KilnError } from '../base/errors.ts'
import { compareVersions } from '../base/versions.ts'
import { run } from '../host/exec.ts'
import { findProgram } from '../host/files.ts'

export interface PackerProgram {
  readonly path: string
  readonly version: string
}

/** `required_plugins` and `packer init`. https://github.com/hashicorp/packer/releases/tag/v1.7.0 */
export const oldestPacker = '1.7.0'

const hint = 'install it: https://developer.hashicorp.com/packer/install'

/** @throws KilnError E_TOOL_MISSING when there is none, or one that is too old */
export async function findPacker(): Promise<PackerProgram> {
  const path = await findProgram('packer')
  if (path === undefined) throw new KilnError('E_TOOL_MISSING', 'packer is not installed', { hint })
  const { stdout } = await run({ program: path, args: ['version'], env: { CHECKPOINT_DISABLE: '1' } }, { what: `asking ${path} for its version`, timeoutMs: 60_000 })
  const version = /^Packer v(\d+\.\d+\.\d+\S*)/m.exec(stdout)?.[1]
  if (version === undefined) throw new KilnError('E_TOOL_FAILED', `${path} does not say its version`, { detail: stdout.slice(0, 500), hint })
  if (compareVersions(version, oldestPacker) < 0) throw new KilnError('E_TOOL_MISSING', `${path} is version ${version}; ${oldestPacker} or newer is needed`, { hint })
  return { path, version }
}
