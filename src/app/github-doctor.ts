/** `kiln doctor github`: a token measured against the provider that is live, before a workflow fails with it. */
import { readFile } from 'node:fs/promises'
import type { JsonWebKey } from 'node:crypto'
import { text as readStream } from 'node:stream/consumers'
import { KilnError, describeError, systemErrorCode } from '../base/errors.ts'
import { githubAccount } from '../config/checks.sections.ts'
import { loadStack } from '../config/load.ts'
import { readAccount } from '../github/account.ts'
import type { LiveAccount } from '../github/account.ts'
import { examineToken, issuerOf, tokenFromText } from '../github/examine.ts'
import type { TokenReport } from '../github/examine.ts'
import { chooseProvider, listProviders, providerFromJson } from '../github/provider.ts'
import type { LiveProvider } from '../github/provider.ts'
import type { KilnHome } from '../host/home.ts'
import { serviceAccountEmail } from '../resources/service-account/resource.ts'
import { IssuerError, createIssuerKeys, parseKeySetText } from '../oidc/issuer-keys.ts'
import { openCloud } from './stack/cloud.ts'
import type { StackCloud, Target } from './stack/cloud.ts'

export interface GithubDoctorOptions {
  readonly home: KilnHome
  readonly dir: string
  readonly note: (text: string) => void
  /** Whose provider and account are meant. Default: the pocket cloud. */
  readonly target?: Target
  /** In place of the target's own. */
  readonly cloud?: StackCloud
  /** File with the token; `-` reads standard input. */
  readonly token: string
  /** Name of a live provider, or a file with one in JSON. */
  readonly provider?: string
  /** A JWKS file instead of asking the issuer. */
  readonly keys?: string
  readonly nowMs?: number
  readonly stdin?: NodeJS.ReadableStream
}

/** Examines the token. Nothing is exchanged or changed. @throws KilnError E_NOT_FOUND, E_USAGE, of the config or the cloud */
export async function examineGithubToken(options: GithubDoctorOptions): Promise<TokenReport & { readonly provider: string }> {
  const token = tokenFromText(options.token === '-' ? await readStream(options.stdin ?? process.stdin) : await readNamed(options.token, 'the token'))
  const { provider, account } = await findLive(options, token)
  const keys = await findKeys(options, provider)
  const report = examineToken({ token, provider, keys, nowMs: options.nowMs ?? Date.now(), ...(account === undefined ? {} : { account }) })
  return { ...report, provider: provider.name }
}

/** The provider, and the account that workflows act as where the config has the section `github`. A provider in a file is of a cloud that is not asked. */
async function findLive(options: GithubDoctorOptions, token: string): Promise<{ readonly provider: LiveProvider; readonly account?: LiveAccount }> {
  const { dir, provider: name } = options
  if (name !== undefined && name.endsWith('.json')) return { provider: providerFromJson(parseJson(await readNamed(name, 'the provider'), name)) }
  const { config } = await loadStack(dir)
  const project = config.project.id
  const { clients } = options.cloud ?? (await openCloud(options))
  const provider = chooseProvider(await listProviders(clients, project), { project, issuer: issuerOf(token), ...(name === undefined ? {} : { name }) })
  if (config.github === undefined) return { provider }
  return { provider, account: await readAccount(clients, project, serviceAccountEmail({ projectId: project, accountId: githubAccount })) }
}

async function findKeys({ keys }: GithubDoctorOptions, { oidc }: LiveProvider): Promise<readonly JsonWebKey[] | { readonly unavailable: string }> {
  try {
    if (keys !== undefined) return parseKeySetText(await readNamed(keys, 'the keys'))
    if (oidc.jwksJson !== undefined) return parseKeySetText(oidc.jwksJson)
    return await createIssuerKeys().keysOf(oidc.issuerUri)
  } catch (error) {
    if (!(error instanceof IssuerError)) throw error
    if (keys !== undefined) throw new KilnError('E_USAGE', `${keys}: ${error.message}`, { hint: 'a JSON web key set: {"keys": […]}' })
    return { unavailable: describeError(error) }
  }
}

async function readNamed(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error
    throw new KilnError('E_NOT_FOUND', `${what} cannot be read from ${path}`, { hint: 'name a file that is there', cause: error })
  }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    throw new KilnError('E_USAGE', `${path} is not JSON`, { hint: 'as `gcloud iam workload-identity-pools providers describe --format json` prints it', cause: error })
  }
}
