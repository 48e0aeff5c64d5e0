/** Reads from this machine what compiling needs to know beside the config. */
import { readFile } from 'node:fs/promises'
import { checksumFile } from '../../client/checksums.ts'
import { readSecretValue, secretDigest } from '../../client/secret-values.ts'
import { filesToRead, secretsToRead, textsToRead } from '../../compile/facts.ts'
import type { StackFacts } from '../../compile/facts.ts'
import type { LoadedStack } from '../../config/load.ts'

/** Checksums of objects, texts of rules and indexes, digests of secrets. No value of a secret is kept. @throws KilnError E_CONFIG_INVALID for an empty secret */
export async function readFacts(stack: LoadedStack, signal: AbortSignal): Promise<StackFacts> {
  const digests = secretsToRead(stack.config, stack.dir).map(async ({ name, from }) => {
    const value = await readSecretValue(from)
    return value === undefined ? [] : [[name, await secretDigest(value, name)] as const]
  })
  return { ...(await readFileFacts(stack, signal)), secretDigests: Object.fromEntries((await Promise.all(digests)).flat()) }
}

/** The same without secrets: what is the same on every machine that has the code. */
export async function readFileFacts({ config, dir }: LoadedStack, signal: AbortSignal): Promise<StackFacts> {
  const files = filesToRead(config, dir).map(async (path) => [path, { md5: (await checksumFile(path, signal)).md5 }] as const)
  const texts = textsToRead(config, dir).map(async (path) => [path, await readFile(path, 'utf8')] as const)
  return { stackDir: dir, files: Object.fromEntries(await Promise.all(files)), texts: Object.fromEntries(await Promise.all(texts)) }
}
