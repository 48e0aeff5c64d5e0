/** A commit as files: fetched if it is not there yet, laid out in the data folder, with the lock file that earlier pipelines made. */
import { copyFile, mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { KilnError } from '../../base/errors.ts'
import { lockFileName } from '../stack/bake-queue.ts'
import { exists, readTextIfExists, removeAll } from '../../host/files.ts'
import type { KilnHome } from '../../host/home.ts'
import { SupersededError } from '../../pipeline/types.ts'
import type { Pipeline } from '../../pipeline/types.ts'
import { authorizationFor, git, tryGit } from './git.ts'
import { deliveryPaths } from './paths.ts'
import { prepareRepository } from './remote.ts'
import type { DeliverySettings } from './settings.ts'

export interface CheckoutRequest {
  readonly home: KilnHome
  readonly pipeline: Pipeline
  readonly settings: DeliverySettings
  /** The commit of the last pipeline that passed. */
  readonly delivered: string | undefined
  readonly signal: AbortSignal
  note(text: string): void
}

export interface Checkout {
  /** The stack's folder in the checkout. */
  readonly dir: string
  readonly repository: string
  /** The repository has no kiln.lock: the one that bakes make is kept beside it. */
  readonly keepsLock: boolean
}

/**
 * Lays the commit out. May run again at any point: what is there is replaced.
 * @throws SupersededError when the commit is no longer on the branch or older than what was delivered; KilnError E_REMOTE
 */
export async function checkOut(request: CheckoutRequest): Promise<Checkout> {
  const { home, pipeline, settings, signal } = request
  const paths = deliveryPaths(home).stack(pipeline.stack)
  const repository = await prepareRepository(home, pipeline.stack, settings.branch)
  if (pipeline.trigger === 'webhook') await fetchBranch(request, repository)
  if ((await tryGit(['cat-file', '-e', `${pipeline.commit}^{commit}`], { repository, signal })) === undefined)
    throw new KilnError('E_REMOTE', `the commit ${pipeline.commit} is not in ${repository}`, { hint: 'push it again' })
  const folder = paths.checkout(pipeline.id)
  const temporary = `${folder}.tmp`
  await removeAll(temporary)
  await mkdir(temporary, { recursive: true, mode: 0o700 })
  const env = { GIT_INDEX_FILE: `${temporary}.index`, GIT_WORK_TREE: temporary }
  await git(['read-tree', pipeline.commit], { repository, env, signal })
  await git(['checkout-index', '--all', '--force'], { repository, env, cwd: temporary, signal, what: 'laying out the commit' })
  await removeAll(`${temporary}.index`)
  if (await exists(join(temporary, '.gitmodules'))) request.note('submodules are not checked out')
  await removeAll(folder)
  await rename(temporary, folder)
  const dir = join(folder, settings.folder)
  const keepsLock = (await tryGit(['cat-file', '-e', `${pipeline.commit}:${join(settings.folder, lockFileName)}`], { repository, signal })) === undefined
  if (keepsLock && (await exists(paths.lock)) && (await exists(dir))) {
    await copyFile(paths.lock, join(dir, lockFileName))
    request.note(`${lockFileName} of earlier pipelines is taken: the repository has none`)
  }
  return { dir, repository, keepsLock }
}

/** After work that may have resolved versions. */
export async function keepLock(home: KilnHome, stack: string, dir: string): Promise<void> {
  const made = join(dir, lockFileName)
  const { lock } = deliveryPaths(home).stack(stack)
  if (!(await exists(made))) return
  await copyFile(made, `${lock}.tmp`)
  await rename(`${lock}.tmp`, lock)
}

/** The branch as the repository has it now: only what is on it is delivered, whatever an event says. */
async function fetchBranch({ home, pipeline, settings, delivered, signal, note }: CheckoutRequest, repository: string): Promise<void> {
  const url = settings.fetchUrl ?? `https://github.com/${settings.repository ?? ''}.git`
  const token = (await readTextIfExists(deliveryPaths(home).stack(pipeline.stack).token))?.trim()
  const ref = `refs/kiln/fetched/${settings.branch}`
  note(`fetching ${settings.branch} of ${url}`)
  try {
    await git(['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-recurse-submodules', url, `+refs/heads/${settings.branch}:${ref}`], {
      repository,
      signal,
      env: authorizationFor(url, token),
    })
  } catch (error) {
    if (!(error instanceof KilnError) || error.code !== 'E_TOOL_FAILED') throw error
    throw new KilnError('E_REMOTE', `${settings.branch} cannot be fetched from ${url}`, {
      hint:
        token === undefined
          ? 'a private repository needs a token: kiln webhook setup --token-file FILE'
          : 'the token of `kiln webhook setup --token-file FILE` may have ended, or the network is down: kiln pipelines retry',
      ...(error.detail === undefined ? {} : { detail: error.detail }),
      cause: error,
    })
  }
  if (!(await isAncestor(repository, pipeline.commit, ref))) throw new SupersededError(`the commit is no longer on ${settings.branch}, or never was`)
  if (delivered === undefined || pipeline.forced || pipeline.retryOf !== undefined || delivered === pipeline.commit) return
  if (await isAncestor(repository, pipeline.commit, delivered)) throw new SupersededError(`the commit is older than what was delivered (${delivered.slice(0, 7)})`)
}

async function isAncestor(repository: string, commit: string, of: string): Promise<boolean> {
  return (await tryGit(['merge-base', '--is-ancestor', commit, of], { repository })) !== undefined
}
