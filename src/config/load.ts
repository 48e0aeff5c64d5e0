/** Finds, runs and checks a stack's `kiln.config.ts`. Node itself runs the file; nothing is compiled or cached on disk. */
import { readFile, stat } from 'node:fs/promises'
import { registerHooks } from 'node:module'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { KilnError } from '../base/errors.ts'
import { parseStack } from './checks.ts'
import { parseFirestoreIndexes } from './firestore-indexes.ts'
import { explainLoadError } from './load-errors.ts'
import { localPathProblems } from './local-paths.ts'
import { invalidConfig } from './problems.ts'
import type { StackConfig } from './schema.ts'

export const configFileName = 'kiln.config.ts'

/** A stack as it lies on this machine. Paths in `config` are relative to `dir`. */
export interface LoadedStack {
  /** Absolute path of the stack's folder. */
  readonly dir: string
  /** Absolute path of the config file. */
  readonly file: string
  readonly config: StackConfig
}

/**
 * Loads the stack of a folder. Reads the file (and what it imports) anew each time.
 * @throws KilnError E_CONFIG_NOT_FOUND; E_CONFIG_SYNTAX when it cannot be run (file, line, column and code frame in `detail`);
 *   E_CONFIG_INVALID with key paths, also for local paths that do not exist; E_CONFIG_CYCLE.
 */
export async function loadStack(dir: string): Promise<LoadedStack> {
  const folder = resolve(dir)
  const file = join(folder, configFileName)
  await requireConfigFile(folder, file)
  const config = parseStack(await loadDefaultExport(file), configFileName)
  const problems = await localPathProblems(config, folder)
  if (problems.length > 0) throw invalidConfig(problems, configFileName)
  const indexes = config.firestore?.indexes
  if (typeof indexes === 'string') parseFirestoreIndexes(await readFile(resolve(folder, indexes), 'utf8'), indexes)
  return { dir: folder, file, config }
}

async function requireConfigFile(folder: string, file: string): Promise<void> {
  const kind = await stat(file).then(
    (entry) => (entry.isFile() ? 'file' : 'other'),
    () => 'none',
  )
  if (kind === 'file') return
  const isFolder = await stat(folder).then(
    (entry) => entry.isDirectory(),
    () => false,
  )
  const why = isFolder ? `there is no ${configFileName} in ${folder}` : `${folder} is not a folder`
  const named =
    basename(folder) === configFileName ? 'name the folder, not the file' : 'run this in the folder of a stack, or name it with --stack DIR; examples/moshi is a complete one'
  throw new KilnError('E_CONFIG_NOT_FOUND', why, { hint: named })
}

async function loadDefaultExport(file: string): Promise<unknown> {
  installHooks()
  loads += 1
  let module: unknown
  try {
    module = await import(/* @vite-ignore */ `${pathToFileURL(file).href}?${marker}=${loads}`)
  } catch (error) {
    throw await explainLoadError(error, file, marker)
  }
  const value = typeof module === 'object' && module !== null && 'default' in module ? module.default : undefined
  if (value !== undefined) return value
  throw new KilnError('E_CONFIG_SYNTAX', `${file} has no default export`, { hint: 'write `export default defineStack({ … })`' })
}

/** In the query of every module that belongs to a load: makes Node run it anew, and tells the hook below which modules those are. */
const marker = 'kiln-load'
let loads = 0
let hooksInstalled = false

/**
 * Lets configs import 'kiln' although their folder has no node_modules, and runs what they import by relative path anew too.
 * https://nodejs.org/docs/latest-v24.x/api/module.html#moduleregisterhooksoptions
 */
function installHooks(): void {
  if (hooksInstalled) return
  hooksInstalled = true
  const entry = new URL('../index.ts', import.meta.url).href
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const parent = context.parentURL === undefined ? null : new URL(context.parentURL).searchParams.get(marker)
      if (specifier === 'kiln' && parent !== null) return { url: entry, format: 'module-typescript', shortCircuit: true }
      const result = nextResolve(specifier, context)
      const url = new URL(result.url)
      if (url.protocol !== 'file:' || fileURLToPath(url).includes('/node_modules/')) return result
      if (parent !== null) url.searchParams.set(marker, parent)
      if (!url.searchParams.has(marker)) return result
      // The format is said here, so that Node does not look for a package.json and warn that the user has none.
      return { ...result, url: url.href, ...(url.pathname.endsWith('.ts') ? { format: 'module-typescript' } : {}) }
    },
  })
}
