/** `kiln doctor github`: a token measured against the provider that is live, before a workflow fails with it. */
import { readFile } from 'node:fs/promises'
import type { JsonWebKey } from 'node:crypto'
import { text as readStream } from 'node:stream/consumers'
import { KilnError, describeError, systemErrorCode } from '../base/errors.ts'
import { loadStack } from '../config/load.ts'
import { examineToken, issuerOf, tokenFromText } from '../github/examine.ts'
import type { TokenReport } from '../github/examine.ts'
import { chooseProvider, listProviders, providerFromJson } from '../github/provider.ts'
import type { LiveProvider } from '../github/provider.ts'
import type { KilnHome } from '../host/home.ts'
import { IssuerError, createIssuerKeys, parseKeySetText } from '../oidc/issuer-keys.ts'
import { startCloud } from './cloud/control.ts'
import { pocketClients } from './stack/cloud-clients.ts'

export interface GithubDoctorOptions {
  readonly home: KilnHome
  readonly dir: string
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
  const provider = await findProvider(options, token)
  const keys = await findKeys(options, provider)
  return { ...examineToken({ token, provider, keys, nowMs: options.nowMs ?? Date.now() }), provider: provider.name }
}

async function findProvider({ home, dir, provider }: GithubDoctorOptions, token: string): Promise<LiveProvider> {
  if (provider !== undefined && provider.endsWith('.json')) return providerFromJson(parseJson(await readNamed(provider, 'the provider'), provider))
  const project = (await loadStack(dir)).config.project.id
  const { daemon } = await startCloud({ home })
  const providers = await listProviders(pocketClients(home, daemon.url), project)
  return chooseProvider(providers, { project, issuer: issuerOf(token), ...(provider === undefined ? {} : { name: provider }) })
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
