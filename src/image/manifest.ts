/** What is kept beside a disk: all that went into it. */
import { z } from 'zod'
import type { BakedImage } from './types.ts'
import { readJsonFile } from './cache-store.ts'
import { join } from 'node:path'

const Debian = z.array(z.object({ name: z.string(), version: z.string(), architecture: z.string(), sha256: z.string() }))
const Wheels = z.array(z.object({ name: z.string(), version: z.string(), fileName: z.string(), sha256: z.string() }))
const Manifest = z.object({
  name: z.string(),
  key: z.object({ key: z.string(), inputs: z.record(z.string(), z.string()) }),
  digest: z.string(),
  sizeBytes: z.number(),
  debian: Debian,
  wheels: Wheels,
  durations: z.array(z.object({ step: z.string(), durationMs: z.number() })),
})
const LayerFacts = z.object({ debian: Debian, sources: z.array(z.string()), contentBytes: z.number() })

/** What a cached layer says about itself, in `layer.json`. */
export type LayerFacts = z.infer<typeof LayerFacts>

/** A cached image, or undefined when the folder has none that can be read. */
export async function readImage(folder: string): Promise<BakedImage | undefined> {
  const parsed = Manifest.safeParse(await readJsonFile(join(folder, 'manifest.json')))
  return parsed.success ? { ...parsed.data, diskPath: join(folder, 'disk.raw'), cached: true } : undefined
}

/** The manifest's text. Paths of this machine and whether it came from the cache are not part of it. */
export function manifestText(image: BakedImage): string {
  const { diskPath: _path, cached: _cached, ...rest } = image
  return `${JSON.stringify(rest, undefined, 1)}\n`
}

/** The facts of a cached layer, or undefined. */
export async function readLayer(folder: string): Promise<LayerFacts | undefined> {
  const parsed = LayerFacts.safeParse(await readJsonFile(join(folder, 'layer.json')))
  return parsed.success ? parsed.data : undefined
}
