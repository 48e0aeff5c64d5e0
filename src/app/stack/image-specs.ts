/** From the images of a config to what the baker takes. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { KilnError } from '../../base/errors.ts'
import type { LoadedStack } from '../../config/load.ts'
import { isServerImage } from '../../config/schema.images.ts'
import type { BaseImageSpec, ImageFile, ImageSpec, LockedWheel } from '../../image/types.ts'

/** What makes specs, with the files of the config read once. */
export interface ImageSpecs {
  readonly families: readonly string[]
  /** `wheels` are those of the stack's own package; an image takes the ones that its `python` names. */
  spec(family: string, wheels: readonly LockedWheel[]): ImageSpec
  /** The Debian image under an image. */
  base(family: string): BaseImageSpec
  /** The image whose root the stack's wheel is built in: the base of the first image that has Python packages, else of the first image. */
  builder(): BaseImageSpec
}

/** Reads the bytes and modes of all files that images take. @throws KilnError E_CONFIG_INVALID when one cannot be read */
export async function readImageSpecs(stack: LoadedStack): Promise<ImageSpecs> {
  const files = new Map<string, readonly ImageFile[]>()
  for (const [family, image] of Object.entries(stack.config.images)) {
    if (isServerImage(image)) files.set(family, await Promise.all(Object.entries(image.files).map(([local, path]) => readImageFile(resolve(stack.dir, local), path))))
  }
  return specsOf(stack, files)
}

function specsOf(stack: LoadedStack, files: ReadonlyMap<string, readonly ImageFile[]>): ImageSpecs {
  const { images } = stack.config

  function spec(family: string, wheels: readonly LockedWheel[]): ImageSpec {
    const image = images[family]
    if (image === undefined) throw new KilnError('E_NOT_FOUND', `there is no image ${family} in the config`, { hint: `it has: ${Object.keys(images).join(', ')}` })
    if (!isServerImage(image)) return { type: 'base', name: family, suite: image.debian, packages: image.packages }
    return {
      type: 'server',
      name: family,
      from: spec(image.from, wheels),
      packages: image.packages,
      wheels: wheels.filter((wheel) => image.python.includes(wheel.name)),
      files: files.get(family) ?? [],
      user: image.user,
      entrypoint: image.entrypoint,
      port: image.health.port,
      environment: image.environment,
    }
  }

  function base(family: string): BaseImageSpec {
    const made = spec(family, [])
    return made.type === 'base' ? made : base(made.from.name)
  }

  return {
    families: Object.keys(images),
    spec,
    base,
    builder() {
      const withPython = Object.entries(images).find(([, image]) => isServerImage(image) && image.python.length > 0)
      return base(withPython?.[0] ?? Object.keys(images)[0] ?? '')
    },
  }
}

async function readImageFile(source: string, path: string): Promise<ImageFile> {
  const hash = createHash('sha256')
  try {
    for await (const chunk of createReadStream(source)) hash.update(chunk as Buffer)
    const { mode } = await stat(source)
    // Only whether it may be executed matters: other bits differ between checkouts.
    return { path, source, sha256: hash.digest('hex'), mode: (mode & 0o100) === 0 ? 0o644 : 0o755 }
  } catch (error) {
    throw new KilnError('E_CONFIG_INVALID', `${source}, which an image takes as ${path}, cannot be read`, { hint: 'check that the file is there and readable', cause: error })
  }
}
