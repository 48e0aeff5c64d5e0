/** Settings of a repository, against a small server with GitHub's shapes. */
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { applyRepositorySettings, commandsFor } from './repository.ts'
import type { RepositorySettings, SettingRow } from './repository.ts'

interface Sodium {
  readonly ready: Promise<void>
  crypto_box_keypair(): { readonly publicKey: Uint8Array; readonly privateKey: Uint8Array }
  crypto_box_seal_open(box: Uint8Array, publicKey: Uint8Array, privateKey: Uint8Array): Uint8Array
}

interface State {
  variables: Record<string, string>
  secrets: Record<string, { readonly encrypted_value: string; readonly key_id: string }>
  environments: Record<string, { custom: boolean; branches: string[] }>
  refused: RegExp | undefined
  calls: string[]
}

let server: Server
let sodium: Sodium
let state: State
let keys: { readonly publicKey: Uint8Array; readonly privateKey: Uint8Array }
let apiUrl: string

const settings: RepositorySettings = {
  repository: 'owner/repo',
  branch: 'main',
  environment: 'production',
  variables: { KILN_SERVICE_ACCOUNT: 'a@p.iam.gserviceaccount.com' },
  secrets: { API_KEY: 'very secret' },
}

beforeEach(async () => {
  sodium = (await import('libsodium-wrappers')).default
  await sodium.ready
  keys = sodium.crypto_box_keypair()
  state = { variables: {}, secrets: {}, environments: {}, refused: undefined, calls: [] }
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      const path = (request.url ?? '').replace('/repos/owner/repo', '')
      if (request.method !== 'GET') state.calls.push(`${request.method} ${path}`)
      const [status, body] = answer(request.headers.authorization, request.method ?? '', path, text === '' ? {} : (JSON.parse(text) as Record<string, string>))
      response.writeHead(status, { 'content-type': 'application/json' }).end(status === 204 ? undefined : JSON.stringify(body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

function answer(authorization: string | undefined, method: string, path: string, body: Record<string, string>): readonly [number, unknown] {
  if (authorization !== 'Bearer good') return [401, { message: 'Bad credentials' }]
  if (state.refused?.test(path) === true) return [403, { message: 'Resource not accessible by personal access token' }]
  const named = path.split('/').at(-1) ?? ''
  if (path === '') return [200, { full_name: 'owner/repo' }]
  if (path.startsWith('/branches/')) return named === 'main' ? [200, { name: 'main' }] : [404, {}]
  if (path === '/actions/secrets/public-key') return [200, { key_id: 'key-1', key: Buffer.from(keys.publicKey).toString('base64') }]
  if (path.startsWith('/actions/secrets/')) {
    if (method === 'GET') return named in state.secrets ? [200, { name: named }] : [404, {}]
    state.secrets[named] = { encrypted_value: body['encrypted_value'] ?? '', key_id: body['key_id'] ?? '' }
    return [201, {}]
  }
  if (path === '/actions/variables') {
    state.variables[body['name'] ?? ''] = body['value'] ?? ''
    return [201, {}]
  }
  if (path.startsWith('/actions/variables/')) {
    if (method === 'GET') return named in state.variables ? [200, { name: named, value: state.variables[named] }] : [404, {}]
    state.variables[named] = body['value'] ?? ''
    return [204, undefined]
  }
  const environment = state.environments[path.split('/')[2] ?? '']
  if (path.endsWith('/deployment-branch-policies')) {
    if (environment === undefined) return [404, {}]
    if (method === 'POST') environment.branches.push(body['name'] ?? '')
    return [200, { branch_policies: environment.branches.map((name) => ({ name })) }]
  }
  if (method === 'PUT') state.environments[named] = { custom: true, branches: [] }
  else if (environment === undefined) return [404, {}]
  return [200, { name: named, deployment_branch_policy: (state.environments[named]?.custom ?? false) ? { custom_branch_policies: true } : null }]
}

const apply = (change: Partial<RepositorySettings> = {}, token = 'good'): Promise<readonly SettingRow[]> =>
  applyRepositorySettings({ ...settings, ...change }, { token, userAgent: 'kiln/test', apiUrl })

test('everything is made, and the secret can be opened by GitHub alone', async () => {
  expect(await apply()).toEqual([
    { setting: 'environment production', did: 'made' },
    { setting: 'branch main of environment production', did: 'made' },
    { setting: 'variable KILN_SERVICE_ACCOUNT', did: 'made' },
    { setting: 'secret API_KEY', did: 'made' },
  ])
  expect(state.variables).toEqual(settings.variables)
  expect(state.environments).toEqual({ production: { custom: true, branches: ['main'] } })
  const sealed = state.secrets['API_KEY']
  expect(sealed?.key_id).toBe('key-1')
  expect(sealed?.encrypted_value).not.toContain('secret')
  const opened = sodium.crypto_box_seal_open(Buffer.from(sealed?.encrypted_value ?? '', 'base64'), keys.publicKey, keys.privateKey)
  expect(Buffer.from(opened).toString()).toBe('very secret')
})

test('a second run writes only the secret, whose value cannot be read', async () => {
  await apply()
  state.calls = []
  expect((await apply()).filter((row) => row.did !== 'unchanged')).toEqual([{ setting: 'secret API_KEY', did: 'changed' }])
  expect(state.calls).toEqual(['PUT /actions/secrets/API_KEY'])
})

test('a variable that differs is changed; rules that people gave to an environment stay', async () => {
  state.variables['KILN_SERVICE_ACCOUNT'] = 'old'
  state.environments['production'] = { custom: false, branches: [] }
  expect(await apply({ secrets: {} })).toEqual([
    { setting: 'environment production', did: 'unchanged' },
    { setting: 'variable KILN_SERVICE_ACCOUNT', did: 'changed' },
  ])
  expect(state.calls).toEqual(['PATCH /actions/variables/KILN_SERVICE_ACCOUNT'])
})

test('a token without a permission: which one is missing is said, and nothing was half done that a next run does not finish', async () => {
  state.refused = /\/actions\/secrets/
  await expect(apply()).rejects.toMatchObject({ code: 'E_PERMISSION', message: expect.stringContaining('not accessible'), hint: expect.stringContaining('"Secrets"') })
  state.refused = undefined
  await apply()
  expect(Object.keys(state.secrets)).toEqual(['API_KEY'])
})

test('a token that GitHub does not know, a branch that is not there, no GitHub at all', async () => {
  await expect(apply({}, 'bad')).rejects.toMatchObject({ code: 'E_PERMISSION', hint: expect.stringContaining('new one') })
  await expect(apply({ branch: 'release' })).rejects.toMatchObject({ code: 'E_NOT_FOUND', hint: expect.stringContaining('git push') })
  await expect(applyRepositorySettings(settings, { token: 'good', userAgent: 'kiln/test', apiUrl: 'http://127.0.0.1:9' })).rejects.toMatchObject({ code: 'E_NETWORK' })
})

test('by hand: the commands, without the value of a secret', () => {
  const commands = commandsFor(settings)
  expect(commands).toContain("gh variable set KILN_SERVICE_ACCOUNT --repo owner/repo --body 'a@p.iam.gserviceaccount.com'")
  expect(commands).toContain('gh secret set API_KEY --repo owner/repo')
  expect(commands.join()).not.toContain('very secret')
})
