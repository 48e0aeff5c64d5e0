/**
 * What a GitHub repository must know so that its workflows deliver: variables, secrets, the environment and the branch that may use it.
 * https://docs.github.com/en/rest/actions/variables, …/actions/secrets, …/deployments/environments
 */
import { request } from '@octokit/request'
import { KilnError, describeError } from '../base/errors.ts'

export interface RepositorySettings {
  /** OWNER/REPO. */
  readonly repository: string
  readonly branch: string
  /** The environment of deliveries, if they have one; only `branch` may use it. */
  readonly environment: string | undefined
  /** Names, no secrets. */
  readonly variables: Readonly<Record<string, string>>
  readonly secrets: Readonly<Record<string, string>>
}

export interface GithubAccess {
  readonly token: string
  readonly userAgent: string
  /** Default: https://api.github.com. */
  readonly apiUrl?: string
  readonly fetch?: typeof fetch
}

export interface SettingRow {
  readonly setting: string
  readonly did: 'made' | 'changed' | 'unchanged'
}

/** Calls answer within this. */
const TIMEOUT_MS = 30_000

type Parameters = Readonly<Record<string, unknown>>

interface Client {
  /** The answer's body; undefined for 404. @throws KilnError E_PERMISSION, E_NETWORK, E_API */
  readonly ask: (route: string, parameters?: Parameters) => Promise<Readonly<Record<string, unknown>> | undefined>
}

/**
 * Brings the repository to these settings. What is so already is not written; a secret's value cannot be read, so that it is always written.
 * @throws KilnError E_PERMISSION when the token lacks a permission, with the one that is missing; E_NOT_FOUND for repository or branch; E_NETWORK
 */
export async function applyRepositorySettings(settings: RepositorySettings, access: GithubAccess): Promise<readonly SettingRow[]> {
  const client = createClient(settings.repository, access)
  await requireBranch(client, settings)
  const rows: SettingRow[] = [...(await setEnvironment(client, settings))]
  for (const [name, value] of Object.entries(settings.variables)) rows.push({ setting: `variable ${name}`, did: await setVariable(client, name, value) })
  const secrets = Object.entries(settings.secrets)
  if (secrets.length > 0) {
    const key = await expected(client, 'the key for secrets', 'GET /repos/{owner}/{repo}/actions/secrets/public-key')
    for (const [name, value] of secrets) rows.push({ setting: `secret ${name}`, did: await setSecret(client, name, value, { id: String(key['key_id']), key: String(key['key']) }) })
  }
  return rows
}

/** The same as commands of GitHub's own tool, for a person. Values of secrets are asked for by the tool. */
export function commandsFor(settings: RepositorySettings): readonly string[] {
  const { repository, environment, branch } = settings
  const own =
    environment === undefined
      ? []
      : [
          `gh api -X PUT repos/${repository}/environments/${environment} -F 'deployment_branch_policy[protected_branches]=false' -F 'deployment_branch_policy[custom_branch_policies]=true'`,
          `gh api -X POST repos/${repository}/environments/${environment}/deployment-branch-policies -f name=${branch}`,
        ]
  return [
    ...own,
    ...Object.entries(settings.variables).map(([name, value]) => `gh variable set ${name} --repo ${repository} --body '${value}'`),
    ...Object.keys(settings.secrets).map((name) => `gh secret set ${name} --repo ${repository}`),
  ]
}

async function requireBranch(client: Client, { repository, branch }: RepositorySettings): Promise<void> {
  if ((await client.ask('GET /repos/{owner}/{repo}')) === undefined) {
    throw new KilnError('E_NOT_FOUND', `GitHub has no repository ${repository}, or the token may not see it`, {
      hint: 'check github.repository, and which repositories the token is for',
    })
  }
  if ((await client.ask('GET /repos/{owner}/{repo}/branches/{branch}', { branch })) !== undefined) return
  throw new KilnError('E_NOT_FOUND', `${repository} has no branch ${branch}`, { hint: `push it: git push origin HEAD:${branch}; or change github.branch` })
}

/** Rules that people gave to an environment stay: only one that is not there is made. */
async function setEnvironment(client: Client, { environment, branch }: RepositorySettings): Promise<readonly SettingRow[]> {
  if (environment === undefined) return []
  const setting = `environment ${environment}`
  const there = await client.ask('GET /repos/{owner}/{repo}/environments/{environment}', { environment })
  if (there === undefined) {
    const policy = { protected_branches: false, custom_branch_policies: true }
    await expected(client, setting, 'PUT /repos/{owner}/{repo}/environments/{environment}', { environment, deployment_branch_policy: policy })
  } else if (!hasOwnBranches(there)) return [{ setting, did: 'unchanged' }]
  const listed = await expected(client, setting, 'GET /repos/{owner}/{repo}/environments/{environment}/deployment-branch-policies', { environment })
  const names = ((listed['branch_policies'] ?? []) as readonly { readonly name?: string }[]).map((policy) => policy.name)
  const did = there === undefined ? 'made' : 'unchanged'
  if (names.includes(branch)) return [{ setting, did }]
  await expected(client, setting, 'POST /repos/{owner}/{repo}/environments/{environment}/deployment-branch-policies', { environment, name: branch })
  return [
    { setting, did },
    { setting: `branch ${branch} of environment ${environment}`, did: 'made' },
  ]
}

function hasOwnBranches(environment: Readonly<Record<string, unknown>>): boolean {
  const policy = environment['deployment_branch_policy'] as { readonly custom_branch_policies?: boolean } | null | undefined
  return policy?.custom_branch_policies === true
}

async function setVariable(client: Client, name: string, value: string): Promise<SettingRow['did']> {
  const there = await client.ask('GET /repos/{owner}/{repo}/actions/variables/{name}', { name })
  if (there === undefined) {
    await expected(client, `variable ${name}`, 'POST /repos/{owner}/{repo}/actions/variables', { name, value })
    return 'made'
  }
  if (there['value'] === value) return 'unchanged'
  await expected(client, `variable ${name}`, 'PATCH /repos/{owner}/{repo}/actions/variables/{name}', { name, value })
  return 'changed'
}

async function setSecret(client: Client, name: string, value: string, key: { readonly id: string; readonly key: string }): Promise<SettingRow['did']> {
  const there = await client.ask('GET /repos/{owner}/{repo}/actions/secrets/{secret_name}', { secret_name: name })
  const parameters = { secret_name: name, key_id: key.id, encrypted_value: await seal(value, key.key) }
  await expected(client, `secret ${name}`, 'PUT /repos/{owner}/{repo}/actions/secrets/{secret_name}', parameters)
  return there === undefined ? 'made' : 'changed'
}

/** A sealed box for the repository's key: only GitHub can open it. https://doc.libsodium.org/public-key_cryptography/sealed_boxes */
export async function seal(value: string, publicKeyBase64: string): Promise<string> {
  const { default: sodium } = await import('libsodium-wrappers')
  await sodium.ready
  return Buffer.from(sodium.crypto_box_seal(Buffer.from(value), Buffer.from(publicKeyBase64, 'base64'))).toString('base64')
}

async function expected(client: Client, what: string, route: string, parameters?: Parameters): Promise<Readonly<Record<string, unknown>>> {
  const answer = await client.ask(route, parameters)
  if (answer !== undefined) return answer
  throw new KilnError('E_PERMISSION', `GitHub did not take ${what}: 404`, { hint: hintFor(route) })
}

function createClient(repository: string, access: GithubAccess): Client {
  const [owner = '', repo = ''] = repository.split('/')
  const send = request.defaults({
    baseUrl: (access.apiUrl ?? 'https://api.github.com').replace(/\/$/, ''),
    owner,
    repo,
    headers: { authorization: `Bearer ${access.token}`, 'user-agent': access.userAgent, 'x-github-api-version': '2022-11-28' },
  })
  return {
    async ask(route, parameters = {}) {
      try {
        const limits = { signal: AbortSignal.timeout(TIMEOUT_MS), ...(access.fetch === undefined ? {} : { fetch: access.fetch }) }
        const { data }: { readonly data: unknown } = await send(route, { ...parameters, request: limits })
        return typeof data === 'object' && data !== null ? (data as Readonly<Record<string, unknown>>) : {}
      } catch (error) {
        const status = statusOf(error)
        if (status === 404) return undefined
        if (status === 401)
          throw new KilnError('E_PERMISSION', 'GitHub does not know the token in GITHUB_TOKEN', { hint: 'it is mistyped, withdrawn or expired: make a new one', cause: error })
        if (status === 403)
          throw new KilnError('E_PERMISSION', `GitHub refused ${route.split(' ')[0]} on ${repository}: ${describeError(error)}`, { hint: hintFor(route), cause: error })
        if (status === undefined)
          throw new KilnError('E_NETWORK', `GitHub could not be reached: ${describeError(error)}`, { hint: 'check the network, then run the same command again', cause: error })
        throw new KilnError('E_API', `GitHub answered ${status} to ${route}: ${describeError(error)}`, { cause: error })
      }
    },
  }
}

/** The library says 500 of its own where no answer came. */
function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('status' in error) || !('response' in error) || error.response === undefined) return undefined
  return typeof error.status === 'number' ? error.status : undefined
}

/** Permissions of fine-grained tokens; a classic token needs the scope `repo`. */
function hintFor(route: string): string {
  const permission = /variables/.test(route) ? 'Variables' : /secrets/.test(route) ? 'Secrets' : /environments/.test(route) ? 'Administration' : 'Contents (read)'
  return `the token lacks the permission "${permission}" of this repository; a classic token needs the scope repo: https://github.com/settings/tokens`
}
