/** The stages of a delivery: checkout, publish, bake (with boot test and promotion), deploy, verify. */
import { isAbsolute, join, normalize } from 'node:path'
import { KilnError } from '../../base/errors.ts'
import { sha256Hex } from '../../base/ids.ts'
import { canonicalJson } from '../../base/json.ts'
import { loadStack } from '../../config/load.ts'
import type { LoadedStack } from '../../config/load.ts'
import { isServerImage } from '../../config/schema.images.ts'
import { readTextIfExists } from '../../host/files.ts'
import type { KilnHome } from '../../host/home.ts'
import type { Pipelines } from '../../pipeline/pipelines.ts'
import type { StageResult } from '../../pipeline/types.ts'
import type { Stage, StageContext } from '../../pipeline/worker.ts'
import { lockFileName } from '../stack/bake-queue.ts'
import type { VerbOptions } from '../up.ts'
import { kilnVersion } from '../version.ts'
import { checkOut, keepLock } from './checkout.ts'
import type { Deliver } from './deliver.ts'
import { noteEvents } from './events.ts'
import { tryGit } from './git.ts'
import { readSettings, settingsOf, writeSettings } from './settings.ts'

export interface StagesOptions {
  readonly home: KilnHome
  readonly pipelines: Pipelines
  readonly deliver: Deliver
}

/** The stages, for one worker. */
export function deliveryStages(options: StagesOptions): readonly Stage[] {
  const { home, deliver } = options
  const verb = (context: StageContext): VerbOptions => ({
    home,
    dir: dirOf(context),
    signal: context.signal,
    note: context.note,
    onEvent: noteEvents(context.note),
  })
  const keeping = async (context: StageContext, work: () => Promise<StageResult>): Promise<StageResult> => {
    try {
      return await work()
    } finally {
      // Also after a failure: the next pipeline stands on the same versions.
      if (context.results['checkout']?.['keepsLock'] === true) await keepLock(home, context.pipeline.stack, dirOf(context))
    }
  }
  return [
    { name: 'checkout', run: (context) => checkout(options, context) },
    {
      name: 'publish',
      key: (context) => inputsKey(context, 'publish'),
      holds: (context, made) => deliver.isPublished(verb(context), made),
      run: (context) => keeping(context, () => deliver.publish(verb(context))),
    },
    {
      name: 'bake',
      key: (context) => inputsKey(context, 'bake'),
      holds: (context, made) => deliver.areBaked(verb(context), made),
      run: (context) => keeping(context, () => deliver.bake(verb(context))),
    },
    { name: 'deploy', run: (context) => deploy(options, context, verb(context)) },
    { name: 'verify', run: verify },
  ]
}

function dirOf({ results }: StageContext): string {
  return String(results['checkout']?.['dir'])
}

async function checkout({ home, pipelines }: StagesOptions, context: StageContext): Promise<StageResult> {
  const { pipeline, signal, note } = context
  const settings = await readSettings(home, pipeline.stack)
  if (settings === undefined) throw new KilnError('E_NOT_FOUND', `no trigger is set up for the stack ${pipeline.stack}`, { hint: 'kiln remote add in the stack’s folder' })
  const delivered = pipelines.lastPassed(pipeline.stack, pipeline.id)?.commit
  const made = await checkOut({ home, pipeline, settings, delivered, signal, note })
  const stack = await loadStack(made.dir)
  if (stack.config.project.id !== pipeline.stack)
    throw new KilnError('E_PIPELINE', `the commit's config is of the project ${stack.config.project.id}, and this queue is of ${pipeline.stack}`, {
      hint: 'kiln remote add in the stack’s folder sets up a remote of its own',
    })
  // A change of branch or repository counts from the commit on that makes it.
  await writeSettings(home, settingsOf(stack, settings.folder, settings))
  note(`${pipeline.commit.slice(0, 7)} is in ${made.dir}`)
  return { dir: made.dir, folder: settings.folder, repository: made.repository, keepsLock: made.keepsLock, commit: pipeline.commit }
}

async function deploy({ deliver }: StagesOptions, { pipeline, results }: StageContext, options: VerbOptions): Promise<StageResult> {
  const { config } = await loadStack(options.dir)
  const family = config.server?.image ?? config.dev?.image
  const images = (results['bake']?.['images'] ?? []) as readonly { readonly family?: unknown; readonly image?: unknown }[]
  const image = images.find((each) => each.family === family)?.image
  const version = results['publish']?.['version']
  return deliver.deploy({
    ...options,
    image: typeof image === 'string' ? image : undefined,
    version: typeof version === 'string' ? version : undefined,
    who: pipeline.who,
    why: pipeline.subject,
    commit: pipeline.commit,
  })
}

/** The version that answers is the one that was published. Health was waited for by the deploy. */
async function verify(context: StageContext): Promise<StageResult> {
  const { results, signal, note } = context
  const url = results['deploy']?.['url']
  if (typeof url !== 'string' || url === '') return { verified: false, reason: 'what was deployed has no URL' }
  const health = await healthPath(dirOf(context))
  if (health !== undefined) {
    const { status, text } = await fetchText(`${url}${health}`, signal)
    if (status !== 200) throw new KilnError('E_NOT_HEALTHY', `${url}${health} answers ${status}`, { hint: 'kiln logs shows what the server writes', detail: text.slice(0, 2000) })
  }
  const wanted = results['publish']?.['version']
  const { status, text } = await fetchText(`${url}/version`, signal)
  if (status !== 200 || typeof wanted !== 'string') {
    note(`${url} is healthy${status === 200 ? '' : ` and has no /version (${status})`}`)
    return { verified: true, url }
  }
  const said = versionIn(text)
  if (said !== undefined && said !== wanted)
    throw new KilnError('E_PIPELINE', `${url}/version answers ${said}, and ${wanted} was delivered`, {
      hint: 'kiln pipelines retry; kiln status shows what runs',
      detail: text.slice(0, 2000),
    })
  note(`${url}/version answers ${said ?? text.slice(0, 100)}`)
  return { verified: true, url, ...(said === undefined ? {} : { version: said }) }
}

function versionIn(text: string): string | undefined {
  try {
    const { version } = JSON.parse(text) as { readonly version?: unknown }
    return typeof version === 'string' ? version : undefined
  } catch {
    return undefined
  }
}

async function healthPath(dir: string): Promise<string | undefined> {
  const { config } = await loadStack(dir)
  const image = config.images[config.server?.image ?? config.dev?.image ?? '']
  return image !== undefined && isServerImage(image) ? image.health.path : undefined
}

/**
 * A hash over what publishing or baking depends on: the config as it evaluates, git's own ids of the source and of files that go into images, pins, and
 * Kiln itself. Undefined, which skips nothing, when something lies outside of the repository.
 */
async function inputsKey(context: StageContext, stage: 'publish' | 'bake'): Promise<string | undefined> {
  const dir = dirOf(context)
  const stack = await loadStack(dir)
  const paths = [stack.config.package.source, ...(stage === 'publish' ? [] : filesOfImages(stack))]
  const ids: string[] = []
  for (const path of paths) {
    const id = await idInCommit(context, path)
    if (id === undefined) return undefined
    ids.push(`${path} ${id}`)
  }
  const lock = (await readTextIfExists(join(dir, lockFileName))) ?? ''
  return sha256Hex(canonicalJson({ stage, kiln: kilnVersion, config: stack.config, ids, lock: sha256Hex(lock) }))
}

function filesOfImages({ config }: LoadedStack): readonly string[] {
  return Object.values(config.images).flatMap((image) => (isServerImage(image) ? Object.keys(image.files) : []))
}

/** Mode and id of a path, as the commit has it. */
async function idInCommit({ pipeline, results }: StageContext, path: string): Promise<string | undefined> {
  const inRepository = normalize(join(String(results['checkout']?.['folder'] ?? ''), path)).replace(/\/$/, '')
  if (isAbsolute(path) || inRepository.startsWith('..')) return undefined
  const repository = String(results['checkout']?.['repository'])
  const line = await tryGit(inRepository === '.' ? ['rev-parse', `${pipeline.commit}^{tree}`] : ['ls-tree', pipeline.commit, '--', inRepository], { repository })
  return line === '' ? undefined : line
}

/** @throws KilnError E_NETWORK */
async function fetchText(url: string, signal: AbortSignal): Promise<{ readonly status: number; readonly text: string }> {
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(30_000)]) })
    return { status: response.status, text: await response.text() }
  } catch (error) {
    signal.throwIfAborted()
    throw new KilnError('E_NETWORK', `${url} does not answer`, { hint: 'kiln status; kiln logs shows what the server writes', cause: error })
  }
}
