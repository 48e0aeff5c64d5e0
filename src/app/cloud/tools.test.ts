import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { removeAll } from '../../host/files.ts'
import { kilnHome } from '../../host/home.ts'
import { ownerToken } from './control.ts'
import { serveCloud } from './daemon.ts'
import type { RunningCloud } from './daemon.ts'
import { daemonPaths, ownerCredentials } from './files.ts'
import { applyEnvironment, toolEnvironment } from './tools.ts'
import type { ToolEnvironmentOptions } from './tools.ts'

const run = promisify(execFile)
const email = 'robot-one@tools-one.iam.gserviceaccount.com'
let root: string
let home: ReturnType<typeof kilnHome>
let cloud: RunningCloud

beforeAll(async () => {
  // A space in the path: one of the variables is read as a command line.
  root = await mkdtemp(join(tmpdir(), 'kiln tools-'))
  home = kilnHome({ KILN_HOME: root })
  cloud = await serveCloud({ home, port: 0, log: pino({ level: 'silent' }) })
})
afterAll(async () => {
  await cloud.stop()
  await removeAll(root)
  await removeAll(home.sockets)
})

function environment(change: Partial<ToolEnvironmentOptions> = {}) {
  return toolEnvironment({ home, url: cloud.url, identity: { kind: 'owner' }, env: {}, ...change })
}

async function call(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const { accessToken } = await ownerToken(home, cloud.url)
  const response = await fetch(`${cloud.url}/${path}`, {
    method,
    headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  expect(response.status, text).toBe(200)
  return JSON.parse(text) as Record<string, unknown>
}

test('the project is the only one there is, or the one that is named; else its variables are taken away', async () => {
  const none = await environment()
  expect(none.project).toBeUndefined()
  expect(none.unset).toContain('GOOGLE_CLOUD_PROJECT')
  await call('POST', 'cloudresourcemanager.googleapis.com/v1/projects', { projectId: 'tools-one' })
  const one = await environment()
  expect(one.project).toBe('tools-one')
  for (const name of ['CLOUDSDK_CORE_PROJECT', 'GOOGLE_CLOUD_PROJECT', 'GOOGLE_PROJECT', 'GCLOUD_PROJECT']) expect(one.set[name]).toBe('tools-one')
  await call('POST', 'cloudresourcemanager.googleapis.com/v1/projects', { projectId: 'tools-two' })
  expect((await environment()).project).toBeUndefined()
  expect((await environment({ project: 'tools-two' })).set['GOOGLE_CLOUD_PROJECT']).toBe('tools-two')
})

test('the proxy is the cloud, or another that is given; loopback is reached without it', async () => {
  const { set } = await environment()
  for (const name of ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy']) expect(set[name]).toBe(cloud.url)
  expect(set['NO_PROXY']).toContain('127.0.0.1')
  const other = await environment({ proxyUrl: 'http://127.0.0.1:9' })
  expect(other.set['HTTPS_PROXY']).toBe('http://127.0.0.1:9')
  expect(other.set['KILN_CLOUD_URL']).toBe(cloud.url)
})

test('what would lead a tool elsewhere is taken away, and nothing else', async () => {
  const env = {
    PATH: '/bin',
    TF_VAR_name: 'x',
    CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE: 'http://elsewhere/',
    CLOUDSDK_CORE_ACCOUNT: 'somebody@example.com',
    GOOGLE_CREDENTIALS: '{}',
    GOOGLE_STORAGE_CUSTOM_ENDPOINT: 'http://elsewhere/',
    STORAGE_EMULATOR_HOST: 'elsewhere:1',
    ALL_PROXY: 'http://elsewhere/',
    GOOGLE_APPLICATION_CREDENTIALS: '/elsewhere',
  }
  const tool = await environment({ env })
  const applied = applyEnvironment(env, tool)
  expect(applied['PATH']).toBe('/bin')
  expect(applied['TF_VAR_name']).toBe('x')
  expect(applied['CLOUDSDK_CORE_ACCOUNT']).toBe('owner@kiln.local')
  expect(applied['GOOGLE_APPLICATION_CREDENTIALS']).toBe(daemonPaths(home).owner)
  for (const name of ['CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE', 'GOOGLE_CREDENTIALS', 'GOOGLE_STORAGE_CUSTOM_ENDPOINT', 'STORAGE_EMULATOR_HOST', 'ALL_PROXY']) {
    expect(applied).not.toHaveProperty(name)
    expect(tool.unset).toContain(name)
  }
  expect(
    tool.unset.filter((name) => name in tool.set),
    'taken away and set',
  ).toEqual([])
})

test("the bundle is what the machine trusts and the cloud's authority, under every library's name, and does not grow", async () => {
  const theirs = join(root, 'theirs.pem')
  await writeFile(theirs, '-----BEGIN CERTIFICATE-----\ntheirs\n-----END CERTIFICATE-----\n')
  const own = await readFile(daemonPaths(home).authority, 'utf8')
  const { set } = await environment({ env: { SSL_CERT_FILE: theirs } })
  const bundle = set['SSL_CERT_FILE'] ?? ''
  for (const name of ['REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'PIP_CERT', 'NODE_EXTRA_CA_CERTS', 'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH', 'CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE'])
    expect(set[name], name).toBe(bundle)
  const text = await readFile(bundle, 'utf8')
  expect(text).toBe(`${(await readFile(theirs, 'utf8')).trimEnd()}\n${own}`)
  expect(text).not.toContain('PRIVATE KEY')
  // As within `kiln cloud shell`: the variables name the bundle itself.
  await environment({ env: { SSL_CERT_FILE: bundle, REQUESTS_CA_BUNDLE: theirs } })
  expect(await readFile(bundle, 'utf8')).toBe(text)
})

test('no variable holds a secret, and files that do are their owner’s alone', async () => {
  await call('POST', 'serviceusage.googleapis.com/v1/projects/tools-one/services/iam.googleapis.com:enable', {})
  await call('POST', 'iam.googleapis.com/v1/projects/tools-one/serviceAccounts', { accountId: 'robot-one' })
  const owner = await environment()
  const robot = await environment({ identity: { kind: 'account', email } })
  const { refresh_token: refresh } = await ownerCredentials(home)
  const key = JSON.parse(await readFile(robot.set['GOOGLE_APPLICATION_CREDENTIALS'] ?? '', 'utf8')) as { readonly private_key: string }
  for (const { set } of [owner, robot]) {
    const all = JSON.stringify(set)
    expect(all).not.toContain(refresh)
    expect(all).not.toContain(key.private_key.split('\n')[1])
    expect(all).not.toMatch(/ya29\.|PRIVATE KEY/)
    expect((await stat(set['GOOGLE_APPLICATION_CREDENTIALS'] ?? '')).mode & 0o077).toBe(0)
    expect((await stat(set['CLOUDSDK_CONFIG'] ?? '')).mode & 0o077).toBe(0)
  }
  expect(owner.set['CLOUDSDK_CONFIG'], 'identities share no folder').not.toBe(robot.set['CLOUDSDK_CONFIG'])
})

test('an account has one key however often it is used, and a new one when that was deleted', async () => {
  const identity = { kind: 'account', email } as const
  const keyId = async (): Promise<string> => {
    const { set } = await environment({ identity })
    expect(set['CLOUDSDK_CORE_ACCOUNT']).toBe(email)
    return (JSON.parse(await readFile(set['GOOGLE_APPLICATION_CREDENTIALS'] ?? '', 'utf8')) as { readonly private_key_id: string }).private_key_id
  }
  const first = await keyId()
  expect(await keyId()).toBe(first)
  await call('DELETE', `iam.googleapis.com/v1/projects/-/serviceAccounts/${email}/keys/${first}`)
  expect(await keyId()).not.toBe(first)
})

test('accounts and files that are not there are named', async () => {
  await expect(environment({ identity: { kind: 'account', email: 'nobody@tools-one.iam.gserviceaccount.com' } })).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
  await expect(environment({ identity: { kind: 'account', email: '../../etc' } })).rejects.toMatchObject({ code: 'E_USAGE' })
  await expect(environment({ identity: { kind: 'file', path: join(root, 'none.json') } })).rejects.toMatchObject({
    code: 'E_NOT_FOUND',
    message: expect.stringContaining('none.json'),
  })
  const path = join(root, 'theirs.json')
  await writeFile(path, '{"type":"external_account"}')
  const { set } = await environment({ identity: { kind: 'file', path } })
  expect(set['CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE']).toBe(path)
  expect(set).not.toHaveProperty('CLOUDSDK_CORE_ACCOUNT')
})

describe('Node programs', () => {
  /** Runs a program as `kiln cloud exec` would; `env` is the caller's. */
  async function node(program: string, env: Record<string, string> = {}, more: Record<string, string> = {}): Promise<string> {
    const caller = { PATH: process.env['PATH'] ?? '', ...env }
    const applied = applyEnvironment(caller, await environment({ env: caller }))
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], { env: { ...applied, ...more } })
    return stdout.trim()
  }
  const get = `const get = (url, options = {}) => new Promise((done) => request(url, options, (r) => done(r.resume().statusCode)).on('error', (error) => done(error.code ?? error.message)).end());`
  const bucket = `'https://storage.googleapis.com/storage/v1/b/none'`

  test("the caller's own options stay, and ours are there once", async () => {
    const first = (await environment({ env: { NODE_OPTIONS: '--max-old-space-size=300' } })).set['NODE_OPTIONS'] ?? ''
    expect(first).toMatch(/^--max-old-space-size=300 --require ".*node-proxy\.cjs"$/)
    expect((await environment({ env: { NODE_OPTIONS: first } })).set['NODE_OPTIONS']).toBe(first)
    expect((await environment({ env: { NODE_OPTIONS: ' ' } })).set['NODE_OPTIONS']).toMatch(/^--require "/)
  })

  test('agents of their own, the global one, and fetch reach the cloud', async () => {
    const answers = await node(`import { Agent, request } from 'node:https'; ${get}
      const agent = new Agent({ keepAlive: true })
      class Mine extends Agent {}
      console.log(await get(${bucket}, { agent }), await get(${bucket}, { agent }), await get(${bucket}, { agent: new Mine() }), await get(${bucket}), (await fetch(${bucket})).status)
      agent.destroy()
      process.exit()`)
    expect(answers).toBe('401 401 401 401 401')
  })

  test('a proxy is asked for what it is for: not for loopback, hosts in NO_PROXY, or agents with a proxy of their own', async () => {
    const asked: string[] = []
    const proxy = createHttpServer().on('connect', (request, socket) => {
      asked.push(`${request.url} ${request.headers['proxy-authorization'] ?? '-'}`)
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
    })
    await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve))
    const address = `127.0.0.1:${(proxy.address() as AddressInfo).port}`
    try {
      const program = `import { Agent, request } from 'node:https'; ${get}
        const agent = () => new Agent()
        console.log(await get('https://a.example.com/', { agent: agent() }), await get('https://[2001:db8::1]:8443/', { agent: agent() }))
        console.log(await get('https://b.no.example.com/', { agent: agent() }), await get('https://other.example.com:444/', { agent: agent() }), await get('https://127.0.0.1:1/', { agent: agent() }))
        process.env.https_proxy = process.env.HTTPS_PROXY = ''
        console.log(await get('https://a.example.com/', { agent: agent() }))`
      const out = await node(program, {}, { https_proxy: `http://me:pass%20word@${address}`, no_proxy: '.no.example.com, other.example.com:444', NODE_USE_ENV_PROXY: '' })
      const [through, past, without] = out.split('\n')
      expect(through).toBe('ERR_PROXY_TUNNEL ERR_PROXY_TUNNEL')
      expect(past).not.toContain('ERR_PROXY_TUNNEL')
      expect(past).toMatch(/ECONNREFUSED$/)
      expect(without).not.toContain('ERR_PROXY_TUNNEL')
      const basic = `Basic ${Buffer.from('me:pass word').toString('base64')}`
      expect(asked).toEqual([`a.example.com:443 ${basic}`, `[2001:db8::1]:8443 ${basic}`])
    } finally {
      proxy.close()
      proxy.closeAllConnections()
    }
  })

  test('programs are as they were in everything else', async () => {
    const out = await node(`import https, { Agent } from 'node:https'
      console.log(https.Agent === Agent, https.globalAgent instanceof Agent, Agent.name, process.argv.length)`)
    expect(out).toBe('true true Agent 1')
  })
})

test('folders of tools stay when they are there already', async () => {
  const { set } = await environment()
  await mkdir(set['CLOUDSDK_CONFIG'] ?? '', { recursive: true })
  await writeFile(join(set['CLOUDSDK_CONFIG'] ?? '', 'kept'), 'x')
  expect((await environment()).set['CLOUDSDK_CONFIG']).toBe(set['CLOUDSDK_CONFIG'])
  expect(await readFile(join(set['CLOUDSDK_CONFIG'] ?? '', 'kept'), 'utf8')).toBe('x')
  await rm(join(set['CLOUDSDK_CONFIG'] ?? '', 'kept'))
})
