/** Which QEMU accelerator to use on this machine. */
import { join } from 'node:path'
import { readTextIfExists } from '../host/files.ts'
import type { KilnHome } from '../host/home.ts'

export type Accelerator = 'kvm' | 'tcg'

/** Where the probe's result is kept. */
export function acceleratorFile(home: KilnHome): string {
  return join(home.root, 'accelerator.json')
}

/** What the last probe found; TCG, which works everywhere, before any probe was made. */
export async function rememberedAccelerator(home: KilnHome): Promise<Accelerator> {
  const text = await readTextIfExists(acceleratorFile(home))
  if (text === undefined) return 'tcg'
  try {
    return (JSON.parse(text) as { accelerator?: unknown }).accelerator === 'kvm' ? 'kvm' : 'tcg'
  } catch {
    return 'tcg'
  }
}
