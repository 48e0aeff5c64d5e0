/**
 * The sections firestore, auth, github and secrets through Google's API on the whole pocket cloud, from config to live things and back:
 * made; nothing to do at the second look; drift seen and healed; changes in place; stopped and run again; taken down whole.
 */
import { generateKeyPairSync } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, SignJWT } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readFacts } from '../src/app/stack/facts.ts'
import { createClients } from '../src/client/clients.ts'
import type { Clients } from '../src/client/clients.ts'
import { startTestCloud } from '../src/cloud/kernel/testing.ts'
import type { CallResult, TestCloud } from '../src/cloud/kernel/testing.ts'
import { compileStack } from '../src/compile/compile.ts'
import { parseStack } from '../src/config/checks.ts'
import type { StackInput } from '../src/config/schema.ts'
import { applyPlan } from '../src/engine/apply.ts'
import { destroyStack } from '../src/engine/destroy.ts'
import type { Engine } from '../src/engine/engine.ts'
import { dependenciesOf } from '../src/engine/graph.ts'
import { openInventory } from '../src/engine/inventory.ts'
import type { Inventory } from '../src/engine/inventory.ts'
import { planStack } from '../src/engine/plan.ts'
import { Gate } from '../src/engine/testing/every-stop.ts'
import type { DesiredResource, Plan } from '../src/engine/types.ts'
import { resourceKinds } from '../src/resources/kinds.ts'
import { makeAllRooms } from '../tools/whole-cloud.ts'

const projectId = 'moshi-3'
const iam = `iam.googleapis.com/v1/projects/${projectId}`
const pool = `${iam}/locations/global/workloadIdentityPools/kiln-github`
const secret = `secretmanager.googleapis.com/v1/projects/${projectId}/secrets/token`
const identity = `identitytoolkit.googleapis.com/v2/projects/${projectId}`
const firestore = `firestore.googleapis.com/v1/projects/${projectId}/databases/(default)`
const rules = `firebaserules.googleapis.com/v1/projects/${projectId}`
const values = { token: 'correct horse battery staple', google: 'google-client-secret' }

const stack: StackInput = {
  project: { id: projectId },
  location: { region: 'us-central1', zone: 'us-central1-c' },
  images: { python3: { debian: 'bookworm' }, srv: { from: 'python3', entrypoint: '/run.sh' } },
  serviceAccounts: { 'srv-sa': { roles: ['roles/datastore.user'] } },
  server: { image: 'srv', serviceAccount: 'srv-sa', domains: ['dev.example.com'] },
  firestore: { location: 'nam5', rules: './firestore.rules', indexes: './firestore.indexes.json', deleteProtection: false },
  auth: { providers: ['email', 'google'], google: { clientId: '1.apps.googleusercontent.com', clientSecret: 'env:KILN_TEST_GOOGLE' } },
  github: { repository: 'moshi/server', repositoryId: '42', environment: 'production' },
  secrets: { token: { from: 'file:./token', accessors: ['srv-sa'] } },
}
const index = {
  collectionGroup: 'lessons',
  fields: [
    { fieldPath: 'user', order: 'ASCENDING' },
    { fieldPath: 'time', order: 'DESCENDING' },
  ],
}

let folder = ''
let cloud: TestCloud
let inventory: Inventory

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-sections-'))
  await mkdir(join(folder, 'engine'))
  await writeFile(join(folder, 'firestore.rules'), 'service cloud.firestore { match /databases/{database}/documents { } }\n')
  await writeFile(join(folder, 'firestore.indexes.json'), JSON.stringify({ indexes: [index] }))
  await writeFile(join(folder, 'token'), values.token)
  process.env['KILN_TEST_GOOGLE'] = values.google
  cloud = await startTestCloud(makeAllRooms)
  inventory = openInventory({ engine: join(folder, 'engine') }, projectId)
})
afterAll(async () => {
  inventory.close()
  delete process.env['KILN_TEST_GOOGLE']
  await cloud.close()
  await rm(folder, { recursive: true, force: true })
})

/** All that the config compiles to, without images and without what stands on them. */
async function desired(change: Partial<StackInput> = {}): Promise<readonly DesiredResource[]> {
  const config = parseStack({ ...stack, ...change })
  const all = compileStack(config, await readFacts({ config, dir: folder, file: join(folder, 'kiln.config.ts') }, new AbortController().signal))
  const left = new Set<string>(all.flatMap((one) => (one.kind === 'image' || one.kind === 'python-package' ? [one.address] : [])))
  for (const one of all) if (dependenciesOf(one).some((address) => left.has(address))) left.add(one.address)
  return all.filter((one) => !left.has(one.address))
}

function engineOf(options: { readonly gate?: Gate; readonly token?: string; readonly inventory?: Inventory } = {}): Engine<Clients> {
  const { gate } = options
  const clients = createClients({
    rootUrl: cloud.url(),
    accessToken: async () => options.token ?? cloud.ownerToken(),
    retry: { attempts: 1 },
    ...(gate === undefined ? {} : { fetch: ((input: string | URL, init?: RequestInit) => gate.pass(() => fetch(input, init))) as typeof fetch }),
  })
  return {
    stack: projectId,
    kinds: [...resourceKinds.values()].map((entry) => entry.kind),
    clients,
    inventory: options.inventory ?? inventory,
    signal: new AbortController().signal,
  }
}

async function plan(change: Partial<StackInput> = {}): Promise<Plan> {
  return (await planStack(engineOf(), await desired(change))).plan
}

/** What a plan would do, by address, with what somebody else did marked. */
async function todo(change: Partial<StackInput> = {}): Promise<Readonly<Record<string, string>>> {
  const changes = (await plan(change)).nodes.filter((node) => node.action !== 'noop')
  return Object.fromEntries(changes.map((node) => [node.address, `${node.drifted ? 'drifted ' : ''}${node.action} ${node.differences.map((one) => one.path).join(' ')}`.trim()]))
}

async function up(change: Partial<StackInput> = {}, gate?: Gate): Promise<Readonly<Record<string, string>>> {
  const engine = engineOf(gate === undefined ? {} : { gate })
  const result = await applyPlan(engine, await planStack(engine, await desired(change)))
  return Object.fromEntries(result.applied.filter((one) => one.action !== 'noop').map((one) => [one.address, one.action]))
}

async function get(path: string): Promise<CallResult['json']> {
  const answer = await cloud.call('GET', path)
  expect(answer.status, answer.text).toBe(200)
  return answer.json
}

async function change(method: string, path: string, body?: unknown): Promise<CallResult['json']> {
  const answer = await cloud.call(method, path, body === undefined ? {} : { body })
  expect(answer.status, answer.text).toBe(200)
  return answer.json
}

test('everything is made once; the second look finds nothing to do', async () => {
  const made = await up()
  expect(new Set(Object.values(made))).toEqual(new Set(['create']))
  expect(Object.keys(made)).toEqual(
    expect.arrayContaining([
      'firestore-database/default',
      'firestore-index/lessons/user-asc+time-desc',
      'firebase-release/cloud.firestore',
      `identity-platform/${projectId}`,
      'identity-provider/google.com',
      'workload-identity-provider/actions',
      'service-account-iam-member/github-deployer/github',
      'service-account-iam-member/srv-sa/github-deployer/roles/iam.serviceAccountUser',
      `bucket-iam-member/${projectId}-kiln-images/github-deployer/roles/storage.objectAdmin`,
      'secret-version/token',
      'secret-iam-member/token/srv-sa',
    ]),
  )
  expect(await todo()).toEqual({})
  expect((await get(`${identity}/config`)).authorizedDomains).toContain('dev.example.com')
  const access = await cloud.call('GET', `${secret}/versions/latest:access`, { token: cloud.serviceAccountToken(`srv-sa@${projectId}.iam.gserviceaccount.com`) })
  expect(Buffer.from(access.json.payload.data, 'base64').toString()).toBe(values.token)
  const denied = await cloud.call('GET', `${secret}/versions/latest:access`, { token: cloud.serviceAccountToken(`github-deployer@${projectId}.iam.gserviceaccount.com`) })
  expect(denied.status).toBe(403)
}, 300_000)

test('no value of a secret is in a plan, in the inventory, or in what compiling gives', async () => {
  const texts = [JSON.stringify(await plan()), JSON.stringify(await desired()), (await readFile(join(folder, 'engine', `${projectId}.db`))).toString('latin1')]
  for (const text of texts) for (const value of Object.values(values)) for (const form of [value, Buffer.from(value).toString('base64')]) expect(text).not.toContain(form)
})

test('what somebody changed shows as drift and is healed', async () => {
  await change('PATCH', `${pool}/providers/actions?updateMask=attributeCondition`, { attributeCondition: "assertion.repository != ''" })
  await change('PATCH', `${identity}/config?updateMask=signIn.anonymous`, { signIn: { anonymous: { enabled: true } } })
  await change('PATCH', `${identity}/defaultSupportedIdpConfigs/google.com?updateMask=clientSecret`, { clientSecret: 'another' })
  await change('POST', `${secret}:addVersion`, { payload: { data: Buffer.from('another').toString('base64') } })
  await change('PATCH', `${firestore}?updateMask=deleteProtectionState`, { deleteProtectionState: 'DELETE_PROTECTION_ENABLED' })
  await change('POST', `${secret}:setIamPolicy`, { policy: { bindings: [] } })
  const other = await change('POST', `${rules}/rulesets`, { source: { files: [{ name: 'firestore.rules', content: 'service cloud.firestore { }' }] } })
  await change('PATCH', `${rules}/releases/cloud.firestore`, { release: { rulesetName: other.name } })
  expect(await todo()).toEqual({
    'workload-identity-provider/actions': 'drifted update attributeCondition',
    [`identity-platform/${projectId}`]: 'drifted update anonymous',
    'identity-provider/google.com': 'drifted update clientSecret',
    'secret-version/token': 'drifted update value oldVersions',
    'secret-iam-member/token/srv-sa': 'drifted create',
    'firestore-database/default': 'drifted update deleteProtection',
    'firebase-release/cloud.firestore': 'drifted update rulesetId',
  })
  await up()
  expect(await todo()).toEqual({})
  const { versions } = await get(`${secret}/versions`)
  expect((versions as { state: string }[]).map((version) => version.state)).toEqual(['ENABLED', 'DISABLED', 'DISABLED'])
  await change('DELETE', `${rules}/rulesets/${String(other.name).split('/').at(-1)}`)
})

test('changes of the config: rules are released before the old ones go; a location is refused, and nothing is touched', async () => {
  await writeFile(join(folder, 'firestore.rules'), 'service cloud.firestore { match /databases/{database}/documents { match /lessons/{id} { allow read; } } }\n')
  const changed = await up({ github: { repository: 'moshi/server', repositoryId: '43', branch: 'release' } })
  const { [Object.keys(changed).find((address) => address.startsWith('firebase-ruleset/cloud.firestore~old-')) ?? '']: old, ...rest } = changed
  expect(old).toBe('delete')
  expect(rest).toEqual({
    'firebase-ruleset/cloud.firestore': 'replace',
    'firebase-release/cloud.firestore': 'update',
    'workload-identity-provider/actions': 'update',
    'service-account-iam-member/github-deployer/github': 'replace',
  })
  const { rulesets } = await get(`${rules}/rulesets`)
  expect(rulesets).toHaveLength(1)
  expect((await get(`${rules}/releases/cloud.firestore`)).rulesetName).toBe(rulesets[0].name)
  await up()
  await expect(plan({ firestore: { location: 'eur3', deleteProtection: false } })).rejects.toMatchObject({
    code: 'E_PLAN',
    message: expect.stringMatching(/firestore-database\/default exists and cannot be changed in place \(location: "nam5" -> "eur3"\), and a database with another location/),
  })
})

test('a token of the right repository, branch and environment acts as the deployer, and can look at all that it delivers; others cannot', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'RS256', use: 'sig' }] })
  // as if GitHub had signed: its own keys cannot be had here
  await change('PATCH', `${pool}/providers/actions?updateMask=oidc`, { oidc: { issuerUri: 'https://token.actions.githubusercontent.com', jwksJson: keys } })
  const { name } = await get(`${pool}/providers/actions`)
  const claims = { sub: 'repo:moshi/server:environment:production', repository: 'moshi/server', repository_id: '42', ref: 'refs/heads/main', environment: 'production' }
  async function exchange(changed: Partial<typeof claims>): Promise<CallResult> {
    const token = await new SignJWT({ ...claims, ...changed })
      .setProtectedHeader({ alg: 'RS256', kid: 'k' })
      .setIssuer('https://token.actions.githubusercontent.com')
      .setAudience(`https://iam.googleapis.com/${name}`)
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(privateKey)
    return await cloud.call('POST', 'sts.googleapis.com/v1/token', {
      token: null,
      body: {
        grantType: 'urn:ietf:params:oauth:grant-type:token-exchange',
        audience: `//iam.googleapis.com/${name}`,
        scope: 'https://www.googleapis.com/auth/cloud-platform',
        requestedTokenType: 'urn:ietf:params:oauth:token-type:access_token',
        subjectTokenType: 'urn:ietf:params:oauth:token-type:jwt',
        subjectToken: token,
      },
    })
  }
  for (const wrong of [{ repository_id: '43' }, { ref: 'refs/heads/other' }, { environment: 'staging' }]) expect((await exchange(wrong)).status).not.toBe(200)
  const exchanged = await exchange({})
  expect(exchanged.status, exchanged.text).toBe(200)
  const account = `iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/github-deployer@${projectId}.iam.gserviceaccount.com:generateAccessToken`
  const token = await cloud.call('POST', account, { token: exchanged.json.access_token, body: { scope: ['https://www.googleapis.com/auth/cloud-platform'] } })
  expect(token.status, token.text).toBe(200)

  // what a bake and a deploy look at before they begin
  const seen = (await desired()).filter((one) => ['project', 'service', 'artifact-repository', 'artifact-repository-iam-member', 'service-account', 'bucket'].includes(one.kind))
  const { plan: looked } = await planStack(engineOf({ token: token.json.accessToken }), seen)
  expect(looked.nodes.filter((node) => node.action === 'create' || node.action === 'update').map((node) => node.address)).toEqual([])
  expect(await todo()).toEqual({ 'workload-identity-provider/actions': 'drifted update uploadedKeys' })
  await up()
})

test('taken down whole; a protected database stays, with all that it needs, until the config gives it up', async () => {
  await up({ firestore: { location: 'nam5' } })
  await expect(destroyStack(engineOf())).rejects.toMatchObject({
    message: expect.stringContaining('the Firestore database (default) is protected against deletion'),
    hint: expect.stringContaining('firestore.deleteProtection'),
  })
  await get(firestore)
  await up()
  expect(await todo()).toEqual({})
  await destroyStack(engineOf())
  expect(inventory.rows()).toEqual([])
  expect((await get(`cloudresourcemanager.googleapis.com/v1/projects/${projectId}`)).lifecycleState).toBe('DELETE_REQUESTED')
}, 300_000)

test('stopped at calls over the whole run, up and down, the next run ends the same', async () => {
  const counter = new Gate()
  await up({}, counter)
  await destroyStack(engineOf())
  for (let call = 20; call < counter.calls; call += Math.ceil(counter.calls / 3)) {
    await up({}, new Gate(call, call % 2 === 0 ? 'before' : 'after')).catch(() => {})
    await up()
    expect(await todo()).toEqual({})
    await destroyStack(engineOf({ gate: new Gate(call % 40, 'after') })).catch(() => {})
    await destroyStack(engineOf())
    expect(inventory.rows()).toEqual([])
  }
}, 600_000)
