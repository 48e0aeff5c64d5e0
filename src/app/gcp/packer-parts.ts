/** What the image kind needs of Packer, for one stack: the files of `ops/packer` as the config says, and a VM of the project as the test. */
import { join } from 'node:path'
import { sha256Hex } from '../../base/ids.ts'
import { canonicalJson } from '../../base/json.ts'
import type { LoadedStack } from '../../config/load.ts'
import type { KilnHome } from '../../host/home.ts'
import { contentInputs, hashInputs, imageKey } from '../../image/key.ts'
import type { ImageSpec } from '../../image/types.ts'
import { buildWithPacker, settlePacker } from '../../packer/build.ts'
import { findPacker } from '../../packer/program.ts'
import type { SynthFile } from '../../synth/file.ts'
import { familyVariable, packerFiles, packerFolder, packerVariables, versionVariable } from '../../synth/images/templates.ts'
import type { PackerParts } from '../kinds/image-packer.ts'
import type { BakeQueue } from '../stack/bake-queue.ts'
import type { ImagePartsOptions } from '../stack/image-parts.ts'
import type { ImageSpecs } from '../stack/image-specs.ts'
import { readSynthInput } from '../synthesis/facts.ts'
import { synthStack } from '../synthesis/synth.ts'
import { removeTestVm, testImage } from './image-test.ts'

export interface PackerPartsOptions {
  readonly home: KilnHome
  readonly stack: LoadedStack
  readonly specs: ImageSpecs
  readonly queue: Pick<BakeQueue, 'lock'>
  /** Health path and port of images with a server. */
  readonly health: ImagePartsOptions['health']
  readonly signal: AbortSignal
  /** For tests. Default: that of today's recipe. */
  readonly recipeVersion?: string
}

/** Reads what is in the images of Packer. @throws KilnError of the config, the lock and the files of images */
export async function createPackerParts(options: PackerPartsOptions): Promise<PackerParts> {
  const { home, stack, specs, queue } = options
  const { config } = stack
  const templates = templateDigests(specs.families, packerFiles(await readSynthInput(stack, false, options.signal)))

  /** `kiln.lock` and the baker's recipe are no inputs: what is baked has them, and Packer takes Debian's packages of the day. */
  function keyOf(spec: ImageSpec): string {
    const own = { engine: 'packer', template: templates.get(spec.name) ?? '' }
    if (spec.type === 'base') return hashInputs(own)
    const below = config.images[spec.from.name]?.engine === 'packer' ? keyOf(spec.from) : imageKey(spec.from, queue.lock(), options.recipeVersion).key
    return hashInputs({ ...own, ...contentInputs(spec), below })
  }

  const workDir = (family: string): string => join(home.engine, 'packer', config.project.id, family)
  return {
    keyOf: (family, wheels) => ({ key: keyOf(specs.spec(family, wheels)), resolved: true }),
    settle: (family, progress, signal) => settlePacker({ dir: stack.dir, workDir: workDir(family), signal, note: progress.note }),
    async build({ family, name, description, labels, wheels }, progress, signal) {
      const program = await findPacker()
      await synthStack(stack, { signal })
      const spec = specs.spec(family, wheels)
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
          ...Object.fromEntries((spec.type === 'base' ? [] : spec.wheels).map((wheel) => [versionVariable(wheel.name), wheel.version])),
        },
        signal,
        note: progress.note,
      })
    },
    cleanUp: ({ clients, signal }, family) => removeTestVm({ clients, signal, project: config.project.id, zone: config.location.zone, family }),
    async bootTest({ clients, signal, progress }, props, name) {
      const health = options.health(props.family)
      await testImage({
        clients,
        signal,
        note: progress.note,
        project: config.project.id,
        zone: config.location.zone,
        image: name,
        family: props.family,
        ...(health === undefined ? {} : { health }),
      })
    },
  }
}

/** Of each image a digest of the files that make it: what the config says of it, and what is run in its VM. */
function templateDigests(families: readonly string[], files: readonly SynthFile[]): ReadonlyMap<string, string> {
  const isOf = (family: string, path: string): boolean => path === `${packerFolder}/${family}.pkr.hcl` || path.startsWith(`${packerFolder}/${family}/`)
  return new Map(families.map((family) => [family, sha256Hex(canonicalJson(files.filter(({ path }) => isOf(family, path)).map(({ path, text }) => [path, text])))]))
}
