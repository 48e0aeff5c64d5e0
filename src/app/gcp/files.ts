/** The Terraform files of a stack on disk, brought to what the config says before they are used. */
import { join } from 'node:path'
import type { LoadedStack } from '../../config/load.ts'
import type { DesiredResource } from '../../engine/types.ts'
import { removeAll, writeFileDurable } from '../../host/files.ts'
import { imageVariable } from '../../synth/modules/module.ts'
import { componentsOf } from '../../synth/modules/places.ts'
import { synthStack } from '../synthesis/synth.ts'

export interface InfrastructureFiles {
  /** Folder of the root module. */
  readonly dir: string
  /** Modules that publishing and baking need, as `-target` takes them. */
  readonly base: readonly string[]
  /** The root's variable that says which image new VMs of a family begin with. */
  imageVariable(family: string): string
}

/** Components without which nothing can be published or imported. */
const baseComponents: ReadonlySet<string> = new Set(['apis', 'accounts', 'pypi', 'storage', 'secrets', 'github'])

/** @throws KilnError E_FILE_FOREIGN when a file of that name is somebody's own */
export async function writeInfrastructure(
  stack: LoadedStack,
  desired: readonly DesiredResource[],
  options: { readonly signal: AbortSignal; readonly note: (text: string) => void },
): Promise<InfrastructureFiles> {
  const dir = join(stack.dir, 'ops', 'terraform')
  await removeAll(overridePath(dir))
  const { created, updated, removed } = await synthStack(stack, { signal: options.signal })
  const changed = created.length + updated.length + removed.length
  if (changed > 0) options.note(`wrote ${changed} files of ops/ as the config says (kiln synth)`)
  const components: readonly string[] = componentsOf(desired)
  return { dir, base: components.filter((name) => baseComponents.has(name)).map((name) => `module.${name}`), imageVariable }
}

/**
 * Runs `work` while the files say that the state is on this machine: before the project and its bucket are there, a plan is made against nothing.
 * https://developer.hashicorp.com/terraform/language/files/override
 */
export async function withLocalState<T>(dir: string, work: () => Promise<T>): Promise<T> {
  await writeFileDurable(overridePath(dir), 'terraform {\n  backend "local" {}\n}\n')
  try {
    return await work()
  } finally {
    await removeAll(overridePath(dir))
  }
}

function overridePath(dir: string): string {
  return join(dir, 'kiln_preview_override.tf')
}
