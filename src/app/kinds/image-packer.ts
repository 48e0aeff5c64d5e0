/** Images that Packer makes in the project itself, and that a machine of the project is started from as their test. */
import type { Progress } from '../../base/progress.ts'
import type { LockedWheel } from '../../image/types.ts'
import { describeImage, imageLabels } from './image-facts.ts'
import { packagesOf } from './image-maker.ts'
import type { ImageKindProps, ImageMaker } from './image-maker.ts'
import { deleteImage, settledImage } from './live-images.ts'
import type { Context } from './live-images.ts'

/** What an image is to have when it is there. */
export interface PackerImage {
  readonly family: string
  readonly name: string
  readonly description: string
  readonly labels: Readonly<Record<string, string>>
  readonly wheels: readonly LockedWheel[]
}

/** What the maker needs of Packer and of the cloud. */
export interface PackerParts extends Pick<ImageMaker, 'keyOf'> {
  /** Waits for a Packer that a command left which died. */
  readonly settle: (family: string, progress: Progress, signal: AbortSignal) => Promise<void>
  /** Makes the image, in no family. @throws KilnError E_BAKE, E_TOOL_MISSING, E_CANCELLED */
  readonly build: (image: PackerImage, progress: Progress, signal: AbortSignal) => Promise<void>
  /** @throws KilnError E_BOOT_TEST */
  readonly bootTest: (context: Context, props: ImageKindProps, name: string) => Promise<void>
  /** Removes the VM of a test that was killed. */
  readonly cleanUp: (context: Context, family: string) => Promise<void>
}

/** Makes the maker for one stack. */
export function packerMaker(parts: PackerParts): ImageMaker {
  return {
    keyOf: parts.keyOf,
    explain: () => [],
    cleanUp: parts.cleanUp,
    async prepare(context, props) {
      const { family, wheels, projectId } = props
      const { key } = parts.keyOf(family, wheels)
      return {
        key,
        async makeAndTest(name) {
          await parts.settle(family, context.progress, context.signal)
          const existing = await settledImage(context, projectId, name)
          if (existing?.status !== 'READY') {
            if (existing !== undefined) await deleteImage(context, projectId, name)
            const description = describeImage({ family, key, digest: '', packages: packagesOf(props), tested: false })
            await parts.build({ family, name, description, labels: { ...props.labels, ...imageLabels(family, key) }, wheels }, context.progress, context.signal)
          }
          await parts.bootTest(context, props, name)
        },
      }
    },
  }
}
