/**
 * The environment in which unmodified Google tools reach the pocket cloud: proxy, trust, credentials, project. It is the whole trick of
 * `kiln cloud exec`: no flag, no endpoint override, no change to the tool or its files.
 */
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { KilnError } from '../../base/errors.ts'
import { sha256Hex } from '../../base/ids.ts'
import { exists, readTextIfExists, writeFileDurable } from '../../host/files.ts'
import type { KilnHome } from '../../host/home.ts'
import { daemonPaths, ownerCredentials } from './files.ts'
import { accountKeyFile } from './account-key.ts'
import { ownerToken } from './control.ts'
import { listProjects } from './projects.ts'

/** Who the tools are: the owner, a service account (a key of it is made), or what a credential file says (key, workload identity …). */
export type ToolIdentity = { readonly kind: 'owner' } | { readonly kind: 'account'; readonly email: string } | { readonly kind: 'file'; readonly path: string }

export interface ToolEnvironmentOptions {
  readonly home: KilnHome
  /** The daemon's URL. */
  readonly url: string
  readonly identity: ToolIdentity
  /** Default: the cloud's project, if it has exactly one. */
  readonly project?: string
  /** The proxy to use in place of the daemon's own. */
  readonly proxyUrl?: string
  /** The caller's environment: where its trusted certificates are looked for. */
  readonly env: NodeJS.ProcessEnv
}

export interface ToolEnvironment {
  readonly set: Readonly<Record<string, string>>
  /** Variables that would lead a tool elsewhere. */
  readonly unset: readonly string[]
  readonly project?: string
}

/** Every library has a variable of its own for the same thing. A wrapper that misses one of them fails with a TLS error in that library alone. */
const trustVariables = [
  'SSL_CERT_FILE',
  'REQUESTS_CA_BUNDLE',
  'CURL_CA_BUNDLE',
  'CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE',
  'HTTPLIB2_CA_CERTS',
  'PIP_CERT',
  'TWINE_CERT',
  'NODE_EXTRA_CA_CERTS',
  'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH',
  'GIT_SSL_CAINFO',
  'DENO_CERT',
] as const

const projectVariables = ['CLOUDSDK_CORE_PROJECT', 'GOOGLE_CLOUD_PROJECT', 'GOOGLE_PROJECT', 'GCLOUD_PROJECT', 'GCP_PROJECT'] as const

/** Anything of these would win over what is set here. */
const misleading =
  /^(CLOUDSDK_.*|GOOGLE_(CREDENTIALS|CLOUD_KEYFILE_JSON|OAUTH_ACCESS_TOKEN|IMPERSONATE_SERVICE_ACCOUNT|BACKEND_CREDENTIALS|.*_CUSTOM_ENDPOINT)|GCLOUD_KEYFILE_JSON|GCE_METADATA_.*|STORAGE_EMULATOR_HOST|.*_EMULATOR_HOST|ALL_PROXY|all_proxy|grpc_proxy|no_grpc_proxy|UV_NATIVE_TLS)$/

/**
 * The environment for a tool. Makes the files that it names: certificate bundle, gcloud's config folder, a key for `--as`.
 * @throws KilnError E_NOT_FOUND for a credential file or account that is not there, E_API
 */
export async function toolEnvironment(options: ToolEnvironmentOptions): Promise<ToolEnvironment> {
  const { home, env } = options
  const bundle = await writeTrustBundle(home, env)
  const owner = await ownerToken(home, options.url)
  const project = options.project ?? (await onlyProject(options.url, owner.accessToken))
  const credentials = await credentialFile(options, owner.accessToken)
  const proxy = options.proxyUrl ?? options.url
  const noProxy = 'localhost,127.0.0.1,::1,127.0.0.0/8'
  // Tools keep tokens by e-mail address, so that identities must not share a folder.
  const config = join(home.cloud, 'tools', sha256Hex(credentials.path).slice(0, 12), 'gcloud')
  await mkdir(config, { recursive: true, mode: 0o700 })
  const set: Record<string, string> = {
    HTTPS_PROXY: proxy,
    https_proxy: proxy,
    HTTP_PROXY: proxy,
    http_proxy: proxy,
    NO_PROXY: noProxy,
    no_proxy: noProxy,
    GOOGLE_APPLICATION_CREDENTIALS: credentials.path,
    CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE: credentials.path,
    CLOUDSDK_CONFIG: config,
    CLOUDSDK_CORE_DISABLE_USAGE_REPORTING: 'true',
    CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK: '1',
    CHECKPOINT_DISABLE: '1',
    // Node's own fetch and http take the proxy's variables only when they are told to (22.21, 24.5); agents of a program's own never do.
    NODE_USE_ENV_PROXY: '1',
    NODE_OPTIONS: nodeOptions(env['NODE_OPTIONS']),
    KILN_CLOUD_URL: options.url,
  }
  for (const name of trustVariables) set[name] = bundle
  if (credentials.account !== undefined) set['CLOUDSDK_CORE_ACCOUNT'] = credentials.account
  if (project !== undefined) for (const name of projectVariables) set[name] = project
  const unset = [...Object.keys(env).filter((name) => misleading.test(name)), ...(project === undefined ? projectVariables : [])].filter((name) => !(name in set))
  return { set, unset, ...(project === undefined ? {} : { project }) }
}

/** The caller's options for Node, and ours once: within `kiln cloud shell` it is there already. */
function nodeOptions(given: string | undefined): string {
  const preload = fileURLToPath(new URL('node-proxy.cjs', import.meta.url))
  const option = `--require "${preload.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
  if (given === undefined || given.trim() === '') return option
  return given.includes(option) ? given : `${given} ${option}`
}

/** `env` with a tool environment applied. */
export function applyEnvironment(env: NodeJS.ProcessEnv, tool: ToolEnvironment): NodeJS.ProcessEnv {
  const gone = new Set(tool.unset)
  return { ...Object.fromEntries(Object.entries(env).filter(([name]) => !gone.has(name))), ...tool.set }
}

/** One file with what this machine trusts and the cloud's own authority. */
async function writeTrustBundle(home: KilnHome, env: NodeJS.ProcessEnv): Promise<string> {
  const paths = daemonPaths(home)
  const candidates = [
    env['SSL_CERT_FILE'],
    env['REQUESTS_CA_BUNDLE'],
    env['CURL_CA_BUNDLE'],
    '/etc/ssl/certs/ca-certificates.crt',
    '/etc/pki/tls/certs/ca-bundle.crt',
    '/etc/ssl/cert.pem',
  ]
  let system = ''
  for (const candidate of candidates) {
    // Within `kiln cloud shell` the variables name this very file.
    if (candidate === undefined || candidate === '' || resolve(candidate) === paths.trust) continue
    system = (await readTextIfExists(candidate)) ?? ''
    if (system !== '') break
  }
  const own = (await readTextIfExists(paths.authority)) ?? ''
  const text = `${system.trimEnd()}\n${own}`
  if ((await readTextIfExists(paths.trust)) !== text) await writeFileDurable(paths.trust, text)
  return paths.trust
}

async function onlyProject(url: string, token: string): Promise<string | undefined> {
  const projects = await listProjects(url, token)
  return projects.length === 1 ? projects[0] : undefined
}

async function credentialFile(options: ToolEnvironmentOptions, token: string): Promise<{ readonly path: string; readonly account?: string }> {
  const { home, identity } = options
  if (identity.kind === 'owner') {
    await ownerCredentials(home)
    return { path: daemonPaths(home).owner, account: 'owner@kiln.local' }
  }
  if (identity.kind === 'account') return { path: await accountKeyFile(home, options.url, token, identity.email), account: identity.email }
  const path = resolve(identity.path)
  if (!(await exists(path)))
    throw new KilnError('E_NOT_FOUND', `there is no credential file ${path}`, {
      hint: 'make one: kiln cloud exec -- gcloud iam service-accounts keys create FILE --iam-account EMAIL',
    })
  return { path }
}
