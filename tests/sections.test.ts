/**
 * The sections firestore, auth, github and secrets through Google's API on the whole pocket cloud, from config to live things and back:
 * made; nothing to do at the second look; drift seen and healed; changes in place; stopped and run again; taken down whole.
 */
import { generateKeyPairSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exportJWK, SignJWT } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CallResult } from '../src/cloud/kernel/testing.ts'
import type { StackInput } from '../src/config/schema.ts'
import { destroyStack } from '../src/engine/destroy.ts'
import { planStack } from '../src/engine/plan.ts'
import { Gate } from '../src/engine/testing/every-stop.ts'
import { createStackWorld } from './support/stack-world.ts'
import type { StackWorld } from './support/stack-world.ts'

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

let world: StackWorld
beforeAll(async () => {
  process.env['KILN_TEST_GOOGLE'] = values.google
  world = await createStackWorld(projectId, {
    'firestore.rules': 'service cloud.firestore { match /databases/{database}/documents { } }\n',
    'firestore.indexes.json': JSON.stringify({ indexes: [index] }),
    token: values.token,
  })
})
afterAll(async () => {
  delete process.env['KILN_TEST_GOOGLE']
  await world.close()
})

const todo = (changed: Partial<StackInput> = {}) => world.todo({ ...stack, ...changed })
const up = (changed: Partial<StackInput> = {}, gate?: Gate) => world.up({ ...stack, ...changed }, gate)
const get = (path: string) => world.get(path)
const change = (method: string, path: string, body?: unknown) => world.change(method, path, body)

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
  const access = await world.cloud.call('GET', `${secret}/versions/latest:access`, { token: world.cloud.serviceAccountToken(`srv-sa@${projectId}.iam.gserviceaccount.com`) })
  expect(Buffer.from(access.json.payload.data, 'base64').toString()).toBe(values.token)
  const denied = await world.cloud.call('GET', `${secret}/versions/latest:access`, {
    token: world.cloud.serviceAccountToken(`github-deployer@${projectId}.iam.gserviceaccount.com`),
  })
  expect(denied.status).toBe(403)
}, 300_000)

test('no value of a secret is in a plan, in the inventory, or in what compiling gives', async () => {
  const texts = [
    JSON.stringify(await world.plan(stack)),
    JSON.stringify(await world.desired(stack)),
    (await readFile(join(world.folder, 'engine', `${projectId}.db`))).toString('latin1'),
  ]
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
  await writeFile(join(world.folder, 'firestore.rules'), 'service cloud.firestore { match /databases/{database}/documents { match /lessons/{id} { allow read; } } }\n')
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
  await expect(world.plan({ ...stack, firestore: { location: 'eur3', deleteProtection: false } })).rejects.toMatchObject({
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
    return await world.cloud.call('POST', 'sts.googleapis.com/v1/token', {
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
  const token = await world.cloud.call('POST', account, { token: exchanged.json.access_token, body: { scope: ['https://www.googleapis.com/auth/cloud-platform'] } })
  expect(token.status, token.text).toBe(200)

  // what a bake and a deploy look at before they begin: the places that wheels and disks go into, and nothing of accounts and policies
  const seen = (await world.desired(stack)).filter((one) => ['project', 'artifact-repository', 'bucket'].includes(one.kind)).map((one) => ({ ...one, dependsOn: [] }))
  expect(seen.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['artifact-repository', 'bucket']))
  const { plan: looked } = await planStack(world.engine({ token: token.json.accessToken }), seen)
  expect(looked.nodes.filter((node) => node.action === 'create' || node.action === 'update').map((node) => node.address)).toEqual([])
  expect(await todo()).toEqual({ 'workload-identity-provider/actions': 'drifted update uploadedKeys' })
  await up()
})

test('taken down whole; a protected database stays, with all that it needs, until the config gives it up', async () => {
  await up({ firestore: { location: 'nam5' } })
  await expect(destroyStack(world.engine())).rejects.toMatchObject({
    message: expect.stringContaining('the Firestore database (default) is protected against deletion'),
    hint: expect.stringContaining('firestore.deleteProtection'),
  })
  await get(firestore)
  await up()
  expect(await todo()).toEqual({})
  await destroyStack(world.engine())
  expect(world.inventory.rows()).toEqual([])
  expect((await get(`cloudresourcemanager.googleapis.com/v1/projects/${projectId}`)).lifecycleState).toBe('DELETE_REQUESTED')
}, 300_000)

test('stopped at calls over the whole run, up and down, the next run ends the same', async () => {
  const counter = new Gate()
  await up({}, counter)
  await destroyStack(world.engine())
  for (let call = 20; call < counter.calls; call += Math.ceil(counter.calls / 3)) {
    await up({}, new Gate(call, call % 2 === 0 ? 'before' : 'after')).catch(() => {})
    await up()
    expect(await todo()).toEqual({})
    await destroyStack(world.engine({ gate: new Gate(call % 40, 'after') })).catch(() => {})
    await destroyStack(world.engine())
    expect(world.inventory.rows()).toEqual([])
  }
}, 600_000)
