/** What synthesis is made from: the config, what compiling gave, and what was read from the machine beforehand. */
import type { StackConfig } from '../config/schema.ts'
import type { DesiredResource } from '../engine/types.ts'

export interface SynthInput {
  readonly config: StackConfig
  readonly desired: readonly DesiredResource[]
  /** Absolute path of the folder with `kiln.config.ts`. */
  readonly stackDir: string
  readonly labels: Readonly<Record<string, string>>
  readonly description: string
  /** By the image's name in the config. */
  readonly images: Readonly<Record<string, ImageFacts>>
  /** Write `imports.tf`, by which Terraform takes over what exists. */
  readonly imports: boolean
}

export type ImageFacts =
  | {
      readonly type: 'base'
      /** Versions that `kiln.lock` pins, by package; empty without a lock. */
      readonly versions: Readonly<Record<string, string>>
    }
  | {
      readonly type: 'server'
      readonly versions: Readonly<Record<string, string>>
      /** Text of the systemd unit, and its name. */
      readonly unit: string
      readonly unitName: string
      /** Folder of the server in the image, with its virtual environment. */
      readonly folder: string
      readonly uid: number
      /** True when an image below has made the account. */
      readonly hasAccount: boolean
      /** Modes of the files of the config, by their local path. */
      readonly modes: Readonly<Record<string, number>>
    }
