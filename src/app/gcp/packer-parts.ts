/** What the image kind needs of Packer, for one stack: the files of `ops/packer` as the config says, and a VM of the project as the test. */
import { join } from 'node:path'
import { sha256Hex } from '../../base/ids.ts'
import { canonicalJson } from '../../base/json.ts'
import type { LoadedStack } from '../../config/load.ts'
import { isServerImage } from '../../config/schema.images.ts'
import type { KilnHome } from '../../host/home.ts'
import { hashInputs, imageKey } from '../../image/key.ts'
import type { KeyInputs, LockFile } from '../../image/types.ts'
import { buildWithPacker, settlePacker } from '../../packer/build.ts'
import { findPacker } from '../../packer/program.ts'
import { familyVariable, packerFiles, packerFolder, packerVariables, versionVariable } from '../../synth/images/templates.ts'
import type { PackerParts } from '../kinds/image-packer.ts'
import type { BakeQueue } from '../stack/bake-queue.ts'
import type { ImageSpecs } from '../stack/image-specs.ts'
import { readSynthInput } from '../synthesis/facts.ts'
import { synthStack } from '../synthesis/synth.ts'
import { removeTestVm, testImage } from './image-test.ts'

export interface PackerPartsOptions {
  readonly home: KilnHome
  readonly stack: LoadedStack
  readonly specs: ImageSpecs
  readonly queue: Pick<BakeQueue, 'lock'>
  readonly signal: AbortSignal
  /** For tests. Default: that of today's recipe. */
  readonly recipeVersion?: string
}

/** Reads what is in the images of Packer. @throws KilnError of the config, the lock and the files of images */
export async function createPackerParts(options: PackerPartsOptions): Promise<PackerParts> {
  const { home, stack, specs, queue } = options
  const { config } = stack
  const templates = templateDigests(stack, packerFiles(await readSynthInput(stack, false, options.signal)))
  const workDir = (family: string): string => join(home.engine, 'packer', config.project.id, family)
  return {
    keyOf(family, wheels) {
      const { inputs } = imageKey(specs.spec(family, wheels), ofOtherImages(queue.lock(), stack), options.recipeVersion)
      return { key: hashInputs({ ...ofPacker(inputs, family, stack), engine: 'packer', template: templates.get(family) ?? '' }), resolved: true }
    },
    settle: (family, progress, signal) => settlePacker({ dir: stack.dir, workDir: workDir(family), signal, note: progress.note }),
    async build({ family, name, description, labels, wheels }, progress, signal) {
      const program = await findPacker()
      await synthStack(stack, { signal })
      const image = config.images[family]
      const wanted = image !== undefined && isServerImage(image) ? wheels.filter((wheel) => image.python.includes(wheel.name)) : []
      progress.note(`Packer ${program.version} makes ${name}`)
      await buildWithPacker({
        program,
        dir: join(stack.dir, packerFolder),
        workDir: workDir(family),
        only: `${family}.*`,
        variables: {
          [packerVariables.name]: name,
          [packerVariables.description]: description,
          [packerVariables.labels]: JSON.stringify(labels),
          [familyVariable(family)]: '',
          ...Object.fromEntries(wanted.map((wheel) => [versionVariable(wheel.name), wheel.version])),
        },
        signal,
        note: progress.note,
      })
    },
    cleanUp: ({ clients, signal }, family) => removeTestVm({ clients, signal, project: config.project.id, zone: config.location.zone, family }),
    async bootTest({ clients, signal, progress }, props, name) {
      const image = config.images[props.family]
      await testImage({
        clients,
        signal,
        note: progress.note,
        project: config.project.id,
        zone: config.location.zone,
        image: name,
        family: props.family,
        ...(image !== undefined && isServerImage(image) ? { health: image.health } : {}),
      })
    },
  }
}

/** How Kiln itself makes an image: nothing of it is in one of Packer's. */
const bakersOwn: ReadonlySet<string> = new Set(['recipe', 'boot', 'system files'])

/** The inputs of an image and of those below it (`python3: boot`), without what only a bake puts in. */
function ofPacker(inputs: KeyInputs, family: string, { config }: LoadedStack): KeyInputs {
  return Object.fromEntries(
    Object.entries(inputs).filter(([name]) => {
      const words = name.split(': ')
      const owner = words.at(-2) ?? family
      return config.images[owner]?.engine !== 'packer' || !bakersOwn.has(words.at(-1) ?? '')
    }),
  )
}

/** `kiln.lock` pins what is baked. Packer takes Debian's packages of the day, so that an entry that comes later (wheels are built in the base image) is no other image. */
function ofOtherImages(lock: LockFile, { config }: LoadedStack): LockFile {
  return { ...lock, images: Object.fromEntries(Object.entries(lock.images).filter(([family]) => config.images[family]?.engine !== 'packer')) }
}

/** For each image a digest of the files that make it, and what it is made from. */
function templateDigests(stack: LoadedStack, files: readonly { readonly path: string; readonly text: string }[]): ReadonlyMap<string, string> {
  const { images } = stack.config
  const digest = (family: string): string => {
    const image = images[family]
    const own = files.filter(({ path }) => path === `${packerFolder}/${family}.pkr.hcl` || path.startsWith(`${packerFolder}/${family}/`)).map(({ path, text }) => [path, text])
    const below = image !== undefined && isServerImage(image) && images[image.from]?.engine === 'packer' ? digest(image.from) : ''
    return sha256Hex(canonicalJson([own, below]))
  }
  return new Map(Object.keys(images).map((family) => [family, digest(family)]))
}
