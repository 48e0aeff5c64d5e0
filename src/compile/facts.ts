/** What compiling needs to know beside the config. The app reads it beforehand, so that compiling stays pure. */
import { resolve } from 'node:path'
import type { StackConfig } from '../config/schema.ts'

export interface FileFacts {
  /** Base64 of the MD5. */
  readonly md5: string
}

export interface StackFacts {
  /** Absolute path of the folder with `kiln.config.ts`. */
  readonly stackDir: string
  /** The stack's name, for labels. Default: the project's id. */
  readonly stack?: string
  /** The Python package's normalised name, for its address. Default: the name of its folder. */
  readonly packageName?: string
  /** By absolute path; must have every path of `filesToRead`. */
  readonly files: Readonly<Record<string, FileFacts>>
}

/** Absolute paths of the files whose checksums compiling needs: those that become objects in buckets. Sorted, without repetition. */
export function filesToRead(config: StackConfig, stackDir: string): readonly string[] {
  const paths = Object.values(config.buckets).flatMap((bucket) => Object.values(bucket.objects).map((path) => resolve(stackDir, path)))
  return [...new Set(paths)].sort()
}
