/** Which wheel a source gave when it was last built, so that a plan knows without building. A hint only: publishing compares real bytes. */
import { join } from 'node:path'
import { z } from 'zod'
import { readTextIfExists, writeFileDurable } from '../../host/files.ts'
import type { KilnHome } from '../../host/home.ts'

const Memo = z.object({ sourceDigest: z.string(), name: z.string(), version: z.string(), sha256: z.string(), fileName: z.string() })
export type PackageMemo = z.output<typeof Memo>

function memoPath(home: KilnHome, stack: string): string {
  return join(home.engine, `${stack}.wheel.json`)
}

/** The last build of this very source, or undefined. */
export async function readPackageMemo(home: KilnHome, stack: string, sourceDigest: string): Promise<PackageMemo | undefined> {
  const text = await readTextIfExists(memoPath(home, stack))
  if (text === undefined) return undefined
  const parsed = Memo.safeParse(parseOrUndefined(text))
  return parsed.success && parsed.data.sourceDigest === sourceDigest ? parsed.data : undefined
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

export async function writePackageMemo(home: KilnHome, stack: string, memo: PackageMemo): Promise<void> {
  await writeFileDurable(memoPath(home, stack), `${JSON.stringify(memo)}\n`)
}
