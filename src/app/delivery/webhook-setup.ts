/** `kiln webhook …`: what GitHub has to be told, and what it sent. */
import { mkdir, readFile } from 'node:fs/promises'
import { text as readStream } from 'node:stream/consumers'
import { KilnError, systemErrorCode } from '../../base/errors.ts'
import { newSecret } from '../../base/ids.ts'
import { loadStack } from '../../config/load.ts'
import { exists, readTextIfExists, writeFileDurable } from '../../host/files.ts'
import type { KilnHome } from '../../host/home.ts'
import { openPipelines } from '../../pipeline/pipelines.ts'
import type { Delivery } from '../../pipeline/inbox.ts'
import { cloudStatus } from '../cloud/control.ts'
import { deliveryPaths } from './paths.ts'
import { prepareRepository } from './remote.ts'
import { DeliverySettings, registerStack, writeSettings } from './settings.ts'

export interface WebhookSetupOptions {
  readonly home: KilnHome
  readonly dir: string
  readonly rotate: boolean
  /** File with a token of GitHub's, `-` for standard input; kept readable by the owner only. */
  readonly tokenFile?: string
  readonly fetchUrl?: string
  readonly apiUrl?: string
}

export interface WebhookSetup extends Record<string, unknown> {
  readonly stack: string
  readonly repository: string
  readonly branch: string
  /** On the daemon's port. */
  readonly path: string
  /** When the daemon runs: where a tunnel has to lead. */
  readonly localUrl: string | undefined
  readonly secretFile: string
  /** Commits are reported back to GitHub. */
  readonly reports: boolean
}

/** Makes a stack's webhook known here. Safe to repeat; the secret stays unless it is to be rotated. @throws KilnError E_CONFIG_INVALID without a github section */
export async function setUpWebhook(options: WebhookSetupOptions): Promise<WebhookSetup> {
  const { home } = options
  const { settings } = await registerStack(home, options.dir)
  const { repository } = settings
  if (repository === undefined)
    throw new KilnError('E_CONFIG_INVALID', `the config of ${settings.stack} does not say which GitHub repository it is of`, {
      hint: "add github: { repository: 'OWNER/REPO' } to kiln.config.ts",
    })
  await writeSettings(
    home,
    checked({ ...settings, ...(options.fetchUrl === undefined ? {} : { fetchUrl: options.fetchUrl }), ...(options.apiUrl === undefined ? {} : { apiUrl: options.apiUrl }) }),
  )
  const paths = deliveryPaths(home).stack(settings.stack)
  await mkdir(paths.root, { recursive: true, mode: 0o700 })
  await prepareRepository(home, settings.stack, settings.branch)
  if (options.rotate || !(await exists(paths.secret))) await writeFileDurable(paths.secret, `${newSecret()}\n`, 0o600)
  if (options.tokenFile !== undefined) await writeFileDurable(paths.token, `${await readToken(options.tokenFile)}\n`, 0o600)
  const path = `/kiln/webhooks/github/${settings.stack}`
  const { url } = await cloudStatus(home)
  return {
    stack: settings.stack,
    repository,
    branch: settings.branch,
    path,
    localUrl: url === undefined ? undefined : `${url}${path}`,
    secretFile: paths.secret,
    reports: await exists(paths.token),
  }
}

/** The secret, for pasting into GitHub's form. @throws KilnError E_NOT_FOUND */
export async function webhookSecret(home: KilnHome, dir: string): Promise<{ readonly stack: string; readonly secret: string }> {
  const stack = (await loadStack(dir)).config.project.id
  const secret = (await readTextIfExists(deliveryPaths(home).stack(stack).secret))?.trim()
  if (secret === undefined) throw new KilnError('E_NOT_FOUND', `the stack ${stack} has no webhook`, { hint: 'kiln webhook setup' })
  return { stack, secret }
}

/** What came in, the newest first. */
export async function webhookDeliveries(home: KilnHome, limit: number): Promise<readonly Delivery[]> {
  const { database } = deliveryPaths(home)
  if (!(await exists(database))) return []
  const pipelines = openPipelines(database)
  try {
    return pipelines.inbox.list({ limit })
  } finally {
    pipelines.close()
  }
}

function checked(settings: DeliverySettings): DeliverySettings {
  const parsed = DeliverySettings.safeParse(settings)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new KilnError('E_USAGE', `${issue?.path.join('.') ?? 'a setting'} ${issue?.message ?? 'is not valid'}`, { hint: 'kiln webhook setup --help' })
}

async function readToken(file: string): Promise<string> {
  try {
    const token = (file === '-' ? await readStream(process.stdin) : await readFile(file, 'utf8')).trim()
    // It becomes a header: one word.
    if (/^[\w.-]+$/.test(token)) return token
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error
    throw new KilnError('E_NOT_FOUND', `the token cannot be read from ${file}`, { hint: 'name a file that is there, or - for standard input', cause: error })
  }
  throw new KilnError('E_USAGE', `there is no token in ${file}`, { hint: 'a GitHub token that may write commit statuses and deployments, and read the repository' })
}
