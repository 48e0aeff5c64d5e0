/** Programs of which not every version will do. */
import { KilnError } from '../base/errors.ts'
import { compareVersions } from '../base/versions.ts'
import { run } from './exec.ts'
import { findProgram } from './files.ts'

export interface VersionedProgram {
  readonly path: string
  readonly version: string
}

/** How a program says its version, and which one is needed. */
export interface VersionQuestion {
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Its first group is the version in what the program prints. */
  readonly pattern: RegExp
  readonly oldest: string
  /** Where to get it. */
  readonly hint: string
}

/**
 * The program of this name on the PATH with its version; undefined when there is none.
 * @throws KilnError E_TOOL_MISSING when it is too old; E_TOOL_FAILED when it does not say its version
 */
export async function findVersioned(name: string, { args, env = {}, pattern, oldest, hint }: VersionQuestion): Promise<VersionedProgram | undefined> {
  const path = await findProgram(name)
  if (path === undefined) return undefined
  const { stdout } = await run({ program: path, args, env }, { what: `asking ${path} for its version`, timeoutMs: 60_000 })
  const version = pattern.exec(stdout)?.[1]
  if (version === undefined) throw new KilnError('E_TOOL_FAILED', `${path} does not say its version`, { detail: stdout.slice(0, 500), hint })
  if (compareVersions(version, oldest) < 0) throw new KilnError('E_TOOL_MISSING', `${path} is version ${version}; ${oldest} or newer is needed`, { hint })
  return { path, version }
}
