/** What a delivery needs to know of a stack before any commit of it is looked at. Read from the config when a trigger is set up, and again from each commit that is delivered. */
import { mkdir, realpath } from 'node:fs/promises'
import { z } from 'zod'
import { KilnError } from '../../base/errors.ts'
import type { LoadedStack } from '../../config/load.ts'
import { loadStack } from '../../config/load.ts'
import { readTextIfExists, writeFileDurable } from '../../host/files.ts'
import type { KilnHome } from '../../host/home.ts'
import { tryGit } from './git.ts'
import { deliveryPaths } from './paths.ts'

/** Nothing that git could take for an option or for a helper program. */
const Url = z.string().regex(/^(https?:\/\/|ssh:\/\/|file:\/\/|\/)[^\s]+$/, 'must be an https, ssh or file URL, or an absolute path')

export const DeliverySettings = z.object({
  /** The project's id: the name of the queue. */
  stack: z.string(),
  /** The stack's folder in its repository; empty for the root. */
  folder: z.string().regex(/^(?!\/)(?!.*(^|\/)\.\.(\/|$)).*$/, 'must lie in the repository'),
  /** Commits of this branch are delivered, others only stored. */
  branch: z.string(),
  /** OWNER/REPO on GitHub. */
  repository: z.string().optional(),
  /** Where a webhook's commits are fetched from. Default: https://github.com/OWNER/REPO.git. */
  fetchUrl: Url.optional(),
  /** GitHub's REST API. Default: https://api.github.com. */
  apiUrl: z
    .string()
    .regex(/^(https:\/\/|http:\/\/(127\.0\.0\.1|localhost)(:|\/|$))\S*$/, 'must be an https URL: a token is sent there')
    .optional(),
})
export type DeliverySettings = z.output<typeof DeliverySettings>

/** What is known of a stack; undefined when no trigger was set up for it. @throws KilnError E_DATA_BROKEN */
export async function readSettings(home: Pick<KilnHome, 'root'>, stack: string): Promise<DeliverySettings | undefined> {
  const path = deliveryPaths(home).stack(stack).settings
  const text = await readTextIfExists(path)
  if (text === undefined) return undefined
  try {
    return DeliverySettings.parse(JSON.parse(text))
  } catch (error) {
    throw new KilnError('E_DATA_BROKEN', `${path} cannot be read`, { hint: '`kiln remote add` or `kiln webhook setup` in the stack’s folder writes it anew', cause: error })
  }
}

export async function writeSettings(home: Pick<KilnHome, 'root'>, settings: DeliverySettings): Promise<void> {
  const paths = deliveryPaths(home).stack(settings.stack)
  await mkdir(paths.root, { recursive: true, mode: 0o700 })
  await writeFileDurable(paths.settings, `${JSON.stringify(DeliverySettings.parse(settings), null, 2)}\n`, 0o600)
}

/** The settings that a stack's config asks for; what was set up by hand (URLs) is kept. */
export function settingsOf(stack: LoadedStack, folder: string, before: DeliverySettings | undefined): DeliverySettings {
  const { project, github } = stack.config
  return {
    ...(before?.fetchUrl === undefined ? {} : { fetchUrl: before.fetchUrl }),
    ...(before?.apiUrl === undefined ? {} : { apiUrl: before.apiUrl }),
    stack: project.id,
    folder,
    branch: github?.branch ?? 'main',
    ...(github === undefined ? {} : { repository: github.repository }),
  }
}

export interface Registered {
  readonly settings: DeliverySettings
  /** The root of the user's clone; undefined when the stack is in no git repository. */
  readonly clone: string | undefined
}

/** Makes a stack known from its folder on this machine. @throws KilnError of the config */
export async function registerStack(home: KilnHome, dir: string): Promise<Registered> {
  const stack = await loadStack(dir)
  const top = await tryGit(['rev-parse', '--show-toplevel', '--show-prefix'], { cwd: await realpath(stack.dir) })
  const [clone, prefix = ''] = top?.split('\n') ?? []
  const settings = settingsOf(stack, prefix.replace(/\/$/, ''), await readSettings(home, stack.config.project.id))
  await writeSettings(home, settings)
  return { settings, clone }
}
