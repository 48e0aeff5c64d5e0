/** `kiln synth`: writes the files of `src/synth` into the user's repository, or says which ones are not as the config wants them. */
import { chmod, lstat, mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { KilnError, systemErrorCode } from '../../base/errors.ts'
import { loadStack } from '../../config/load.ts'
import type { LoadedStack } from '../../config/load.ts'
import { readTextIfExists, writeFileDurable } from '../../host/files.ts'
import { isOwn } from '../../synth/file.ts'
import type { SynthFile } from '../../synth/file.ts'
import { synthesise } from '../../synth/synth.ts'
import { readSynthInput } from './facts.ts'
import { ownFiles } from './own-files.ts'

export interface SynthOptions {
  readonly signal: AbortSignal
  /** Write nothing; say what would change. */
  readonly check?: boolean
  /** Replace files that people wrote; each stays beside it as `NAME.before-kiln`. */
  readonly adopt?: boolean
  /** Write `imports.tf` too. Once it is there it is kept up to date until it is deleted. */
  readonly imports?: boolean
}

export interface SynthResult extends Record<string, unknown> {
  readonly created: readonly string[]
  readonly updated: readonly string[]
  /** Written by Kiln before, and no longer wanted. */
  readonly removed: readonly string[]
  /** Files of people that were replaced. */
  readonly adopted: readonly string[]
  readonly unchanged: number
}

type State = 'same' | 'missing' | 'differs' | 'foreign'

const importsPath = 'ops/terraform/imports.tf'
/** Where a replaced file of a person stays. */
const keptSuffix = '.before-kiln'

/**
 * Brings the files of a stack's folder to what its config says.
 * @throws KilnError E_FILE_FOREIGN, before anything is written, when a file of that name was not written by Kiln; of the config
 */
export async function synth(options: SynthOptions & { readonly dir: string }): Promise<SynthResult> {
  return synthStack(await loadStack(options.dir), options)
}

/** The same for a stack that is loaded. */
export async function synthStack(stack: LoadedStack, options: SynthOptions): Promise<SynthResult> {
  const imports = options.imports === true || (await isOwnFile(join(stack.dir, importsPath)))
  const files = synthesise(await readSynthInput(stack, imports, options.signal))
  const states = new Map(await Promise.all(files.map(async (file) => [file, await stateOf(stack.dir, file)] as const)))
  const wanted = new Set(files.map(({ path }) => path))
  const removed = (await ownFiles(stack.dir)).filter((path) => !wanted.has(path))
  const inState = (state: State): readonly SynthFile[] => files.filter((file) => states.get(file) === state)
  const foreign = inState('foreign')
  if (foreign.length > 0 && options.adopt !== true && options.check !== true) throw foreignFiles(foreign)
  const paths = (some: readonly SynthFile[]): readonly string[] => some.map(({ path }) => path)
  const result: SynthResult = {
    created: paths(inState('missing')),
    updated: paths(inState('differs')),
    removed,
    adopted: paths(foreign),
    unchanged: inState('same').length,
  }
  if (options.check === true) return result
  for (const file of foreign) await rename(join(stack.dir, file.path), join(stack.dir, `${file.path}${keptSuffix}`))
  for (const file of [...inState('missing'), ...inState('differs'), ...foreign]) await write(stack.dir, file)
  for (const path of removed) await rm(join(stack.dir, path), { force: true })
  return result
}

/** True when a check found every file as it should be. */
export function isInSync(result: SynthResult): boolean {
  return result.created.length + result.updated.length + result.removed.length + result.adopted.length === 0
}

async function stateOf(dir: string, file: SynthFile): Promise<State> {
  const path = join(dir, file.path)
  const entry = await lstat(path).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return undefined
    if (systemErrorCode(error) === 'ENOTDIR') return 'blocked' as const
    throw error
  })
  if (entry === undefined) return 'missing'
  // a folder, a link, or something where a folder is needed: not ours to replace
  if (entry === 'blocked' || !entry.isFile()) return 'foreign'
  const text = (await readTextIfExists(path)) ?? ''
  if (text === file.text) return (entry.mode & 0o100) === (file.mode & 0o100) ? 'same' : 'differs'
  return isOwn(text) ? 'differs' : 'foreign'
}

async function isOwnFile(path: string): Promise<boolean> {
  const text = await readTextIfExists(path)
  return text !== undefined && isOwn(text)
}

async function write(dir: string, file: SynthFile): Promise<void> {
  const path = join(dir, file.path)
  await mkdir(dirname(path), { recursive: true })
  await writeFileDurable(path, file.text, file.mode)
  await chmod(path, file.mode)
}

function foreignFiles(files: readonly SynthFile[]): KilnError {
  const paths = files.map(({ path }) => path)
  const [first = ''] = paths
  return new KilnError(
    'E_FILE_FOREIGN',
    `${paths.length === 1 ? first : `${first} and ${paths.length - 1} more`} ${paths.length === 1 ? 'was' : 'were'} not written by Kiln, and nothing was changed`,
    {
      hint: `move ${paths.length === 1 ? 'it' : 'them'} away, or run \`kiln synth --adopt\`: what is there stays beside it as NAME${keptSuffix}`,
      detail: paths.join('\n'),
    },
  )
}
