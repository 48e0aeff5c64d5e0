/** Reads what synthesis needs beside the config: files of images, the lock, checksums. */
import { join } from 'node:path'
import { stackWords } from '../../compile/compilation.ts'
import { compileStack } from '../../compile/compile.ts'
import type { LoadedStack } from '../../config/load.ts'
import { readLock } from '../../image/lock-file.ts'
import { serverFolder, serverUnit, unitName } from '../../image/recipe/server-unit.ts'
import { hasAccount, serverUid } from '../../image/steps/server-root.ts'
import type { ImageSpec, LockFile } from '../../image/types.ts'
import type { ImageFacts, SynthInput } from '../../synth/input.ts'
import { lockFileName } from '../stack/bake-queue.ts'
import { readFileFacts } from '../stack/facts.ts'
import { readImageSpecs } from '../stack/image-specs.ts'

/** Everything that `synthesise` takes. @throws KilnError of the config, the lock and the files of images */
export async function readSynthInput(stack: LoadedStack, imports: boolean, signal: AbortSignal): Promise<SynthInput> {
  const { config, dir } = stack
  const facts = await readFileFacts(stack, signal)
  const lock = await readLock(join(dir, lockFileName))
  const specs = await readImageSpecs(stack)
  return {
    config,
    desired: compileStack(config, facts),
    stackDir: dir,
    ...stackWords(config, facts),
    images: Object.fromEntries(specs.families.map((family) => [family, imageFacts(specs.spec(family, []), lock, stack)])),
    imports,
  }
}

function imageFacts(spec: ImageSpec, lock: LockFile, { config }: LoadedStack): ImageFacts {
  const image = config.images[spec.name]
  // Packer runs at any time later, when the archive may have only newer versions
  const locked = image?.engine === 'packer' ? [] : (lock.images[spec.name]?.debian ?? [])
  const versions = Object.fromEntries(locked.map((one) => [one.name, one.version]))
  if (spec.type === 'base') return { type: 'base', versions }
  const locals = image !== undefined && 'from' in image ? Object.keys(image.files) : []
  return {
    type: 'server',
    versions,
    unit: serverUnit(spec),
    unitName: unitName(spec.name),
    folder: serverFolder(spec.name),
    uid: serverUid(spec),
    hasAccount: hasAccount(spec.from, spec.user),
    modes: Object.fromEntries(locals.map((local, index) => [local, spec.files[index]?.mode ?? 0o644])),
  }
}
