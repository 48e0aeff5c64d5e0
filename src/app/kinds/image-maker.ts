/** What makes the images of a family: the baker of this machine, or Packer on Google. The kind does what is the same for both. */
import { z } from 'zod'
import type { LockedWheel } from '../../image/types.ts'
import type { Context } from './live-images.ts'

const Wheel = z.object({ name: z.string(), version: z.string(), fileName: z.string(), sha256: z.string() })

export const ImageKindProps = z.looseObject({
  family: z.string(),
  projectId: z.string(),
  location: z.string(),
  bucket: z.string(),
  labels: z.record(z.string(), z.string()),
  /** Wheels of the stack's own repository, as published. */
  wheels: z.array(Wheel).default([]),
})
export type ImageKindProps = z.output<typeof ImageKindProps>

/** An image whose inputs are all known. */
export interface PreparedImage {
  /** The key of all inputs, hex. */
  readonly key: string
  /**
   * Makes the image of this name, in no family, unless an earlier run has, and tests it.
   * @throws KilnError E_BOOT_TEST when it does not become healthy
   */
  readonly makeAndTest: (name: string) => Promise<void>
}

export interface ImageMaker {
  /** The key that an image of the family would have now; pure and quick. */
  readonly keyOf: (family: string, wheels: readonly LockedWheel[]) => { readonly key: string; readonly resolved: boolean }
  /** Why the key is another than the live image's. */
  readonly explain: (family: string, wheels: readonly LockedWheel[]) => readonly string[]
  readonly prepare: (context: Context, props: ImageKindProps) => Promise<PreparedImage>
  /** Removes what making an image may have left beside images, when the family goes. */
  readonly cleanUp?: (context: Context, family: string) => Promise<void>
}

/** The packages of an image, as `NAME VERSION`. */
export function packagesOf(props: ImageKindProps): readonly string[] {
  return props.wheels.map((wheel) => `${wheel.name} ${wheel.version}`)
}
