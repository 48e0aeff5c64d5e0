/** Which kernel module files an initial RAM disk needs, in load order, from depmod's lists in the image's root. */
import { readFile, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { KilnError } from '../base/errors.ts'

export interface KernelFiles {
  readonly release: string
  /** Path of the kernel in the root, relative to it. */
  readonly vmlinuz: string
  /** Module files relative to usr/lib/modules/RELEASE, each after what it depends on. */
  readonly modules: readonly string[]
}

/**
 * Finds the one kernel of a root tree and the files of the wanted modules. Names that the kernel has built in are left out.
 * @throws KilnError E_BAKE when there is not exactly one kernel.
 */
export async function findKernel(tree: string, wanted: readonly string[], boot = join(tree, 'boot')): Promise<KernelFiles> {
  const kernels = (await readdir(boot)).filter((name) => name.startsWith('vmlinuz-'))
  if (kernels.length !== 1) throw new KilnError('E_BAKE', `the image must have one kernel, and has ${kernels.length}: ${kernels.join(', ')}`)
  const vmlinuz = kernels[0] ?? ''
  const release = vmlinuz.slice('vmlinuz-'.length)
  const dependencies = parseModulesDep(await readFile(join(tree, 'usr/lib/modules', release, 'modules.dep'), 'utf8'))
  return { release, vmlinuz: `boot/${vmlinuz}`, modules: loadOrder(dependencies, wanted) }
}

/** modules.dep (depmod): "FILE: DEPENDENCY …" per line. */
export function parseModulesDep(text: string): Map<string, readonly string[]> {
  const result = new Map<string, readonly string[]>()
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':')
    if (colon > 0)
      result.set(
        line.slice(0, colon),
        line
          .slice(colon + 1)
          .trim()
          .split(' ')
          .filter((part) => part !== ''),
      )
  }
  return result
}

/** The files of the wanted modules and of all they need, dependencies first. */
export function loadOrder(dependencies: ReadonlyMap<string, readonly string[]>, wanted: readonly string[]): string[] {
  const byName = new Map([...dependencies.keys()].map((file) => [moduleName(file), file]))
  const order: string[] = []
  const visit = (file: string): void => {
    if (order.includes(file)) return
    for (const dependency of dependencies.get(file) ?? []) visit(dependency)
    if (!order.includes(file)) order.push(file)
  }
  for (const name of wanted) {
    const file = byName.get(name)
    if (file !== undefined) visit(file)
  }
  return order
}

/** "kernel/fs/ext4/ext4.ko.xz" -> "ext4"; dashes count as underscores, as in the kernel. */
function moduleName(file: string): string {
  return basename(file)
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_')
}
