/**
 * The pocket cloud's own git remote: a bare repository in the data folder, reached by its path. Who may write the data folder may push, and nobody else can
 * even see it; it works while the daemon is down, and no push has a limit or a token to lose. Its hook hands the commit to the queue and shows the pipeline.
 */
import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { KilnError } from '../../base/errors.ts'
import { commandLine } from '../../host/exec.ts'
import { exists, writeFileDurable } from '../../host/files.ts'
import type { KilnHome } from '../../host/home.ts'
import { git, tryGit } from './git.ts'
import { deliveryPaths } from './paths.ts'
import { registerStack } from './settings.ts'

export interface RemoteOptions {
  readonly home: KilnHome
  /** Folder of kiln.config.ts, in a clone. */
  readonly dir: string
  /** Name of the remote in the clone. */
  readonly name: string
  /** The program of the hook. */
  readonly receiver?: string
}

export interface RemoteResult extends Record<string, unknown> {
  readonly stack: string
  readonly name: string
  readonly url: string
  readonly branch: string
  /** The stack's folder in the repository. */
  readonly folder: string
  readonly added: boolean
}

/**
 * Sets the remote up and names it in the clone. Safe to repeat: the hook is written anew.
 * @throws KilnError E_REMOTE when the stack is in no git repository, or the name is another remote's
 */
export async function addRemote(options: RemoteOptions): Promise<RemoteResult> {
  const { settings, clone } = await registerStack(options.home, options.dir)
  if (clone === undefined) throw new KilnError('E_REMOTE', `${options.dir} is in no git repository`, { hint: 'git init, commit, and run this again' })
  const repository = await prepareRepository(options.home, settings.stack, settings.branch)
  await writeHook(options.home, settings.stack, repository, options.receiver ?? fileURLToPath(new URL('receive.ts', import.meta.url)))
  const now = await tryGit(['remote', 'get-url', '--', options.name], { cwd: clone })
  if (now !== undefined && now !== repository)
    throw new KilnError('E_REMOTE', `the remote ${options.name} of ${clone} is another one: ${now}`, {
      hint: `choose another name: kiln remote add --name NAME; or git remote set-url ${options.name} ${repository}`,
    })
  if (now === undefined) await git(['remote', 'add', '--', options.name, repository], { cwd: clone })
  return { stack: settings.stack, name: options.name, url: repository, branch: settings.branch, folder: settings.folder, added: now === undefined }
}

/** Makes the bare repository of a stack if it is not there. Returns its path. */
export async function prepareRepository(home: KilnHome, stack: string, branch: string): Promise<string> {
  const { root, repository } = deliveryPaths(home).stack(stack)
  await mkdir(root, { recursive: true, mode: 0o700 })
  // One made by a killed `git init` has no HEAD yet; init mends it.
  if (!(await exists(join(repository, 'HEAD'))))
    await git(['init', '--quiet', '--bare', '--template=', `--initial-branch=${branch}`, repository], { what: 'making the git remote' })
  return repository
}

async function writeHook(home: KilnHome, stack: string, repository: string, receiver: string): Promise<void> {
  const hooks = join(repository, 'hooks')
  // Said here, so that a hooks folder of the user's own git configuration does not take its place.
  await git(['config', 'core.hooksPath', hooks], { repository })
  const hook = join(hooks, 'post-receive')
  await writeFileDurable(hook, hookText(home, stack, receiver))
  await chmod(hook, 0o700)
}

/** In a session of its own: a Ctrl-C at the push must not strike between the commit and the queue. */
function hookText(home: KilnHome, stack: string, receiver: string): string {
  const words = (args: readonly string[]): string => commandLine({ program: args[0] ?? '', args: args.slice(1) })
  return `#!/bin/sh
# Written by \`kiln remote add\`; run it again when Kiln or Node has moved.
[ -e ${words([receiver])} ] && [ -x ${words([process.execPath])} ] || { echo "kiln: the commits are stored, and nothing runs: Kiln is no longer at ${words([receiver])}. Run 'kiln remote add' in the stack's folder."; exit 0; }
exec setsid --wait ${words([process.execPath, '--disable-warning=ExperimentalWarning', receiver, home.root, stack])}
`
}
