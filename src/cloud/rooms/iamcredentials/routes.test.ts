import { createPublicKey, verify } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader, importSPKI, jwtVerify } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeRoomContract } from '../../kernel/room-contract.ts'
import { startTestCloud } from '../../kernel/testing.ts'
import type { CallResult, TestCloud } from '../../kernel/testing.ts'
import { createIamRoom } from '../iam/index.ts'
import { createIamCredentialsRoom } from './index.ts'

const email = 'target-sa@moshi-3.iam.gserviceaccount.com'
const scope = ['https://www.googleapis.com/auth/cloud-platform']
let cloud: TestCloud
let token: string

describeRoomContract({ makeRooms: () => [createIamCredentialsRoom(), createIamRoom()], params: { account: 'contract-sa@contract-project.iam.gserviceaccount.com' } })

beforeAll(async () => {
  cloud = await startTestCloud(() => [createIamCredentialsRoom(), createIamRoom()])
  cloud.addProject('moshi-3')
  for (const accountId of ['target-sa', 'other-sa']) await cloud.call('POST', 'iam.googleapis.com/v1/projects/moshi-3/serviceAccounts', { body: { accountId } })
  token = cloud.userToken('impersonator@example.com')
})
afterAll(() => cloud.close())

function ask(verb: string, body: unknown, options: { token?: string; account?: string; project?: string } = {}): Promise<CallResult> {
  return cloud.call('POST', `iamcredentials.googleapis.com/v1/projects/${options.project ?? '-'}/serviceAccounts/${options.account ?? email}:${verb}`, {
    body,
    token: options.token ?? token,
  })
}

test('an owner of the project alone may not impersonate; the token creator of one account may, that one', async () => {
  const { policies } = cloud.kernel()
  policies.grant('projects/moshi-3', 'roles/owner', 'user:impersonator@example.com')
  const denied = await ask('generateAccessToken', { scope })
  expect(denied.status).toBe(403)
  expect(denied.json.error.message).toContain('iam.serviceAccounts.getAccessToken')
  expect(denied.json.error.message).toContain('roles/iam.serviceAccountTokenCreator')
  policies.grant(`projects/moshi-3/serviceAccounts/${email}`, 'roles/iam.serviceAccountTokenCreator', 'user:impersonator@example.com')
  const granted = await ask('generateAccessToken', { delegates: null, scope, lifetime: '600s' })
  expect(granted.status, granted.text).toBe(200)
  const lifetimeMs = Date.parse(granted.json.expireTime) - Date.now()
  expect(lifetimeMs).toBeGreaterThan(590_000)
  expect(lifetimeMs).toBeLessThanOrEqual(600_000)
  expect(granted.json.expireTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  expect(cloud.kernel().tokens.verify(granted.json.accessToken)?.principal.email).toBe(email)
  expect((await ask('generateAccessToken', { scope }, { account: 'other-sa@moshi-3.iam.gserviceaccount.com' })).status).toBe(403)
})

test('bad requests: no scope, a long or odd lifetime, bytes that are none, a project, delegates, an unknown account', async () => {
  for (const payload of ['', 'no base64!', 'AAAA\n'])
    expect((await ask('signBlob', { payload })).json.error, payload).toMatchObject({ code: 400, message: expect.stringMatching(/base64/i) })
  for (const body of [{}, { scope, lifetime: '3601s' }, { scope, lifetime: '43200s' }, { scope, lifetime: '0s' }, { scope, lifetime: '1h' }]) {
    expect((await ask('generateAccessToken', body)).status, JSON.stringify(body)).toBe(400)
  }
  expect((await ask('generateAccessToken', { scope }, { project: 'moshi-3' })).status).toBe(400)
  expect((await ask('generateAccessToken', { scope }, { account: 'nobody@moshi-3.iam.gserviceaccount.com' })).status).toBe(403)
  expect((await ask('generateAccessToken', { scope }, { account: 'nobody@moshi-3.iam.gserviceaccount.com', token: cloud.ownerToken() })).status).toBe(404)
})

test('a chain of delegates needs every link, and the caller nothing on the account itself', async () => {
  const make = async (accountId: string): Promise<string> =>
    (await cloud.call('POST', 'iam.googleapis.com/v1/projects/moshi-3/serviceAccounts', { body: { accountId } })).json.email
  const [first, second, last] = [await make('chain-first'), await make('chain-second'), await make('chain-last')]
  const caller = cloud.userToken('chained@example.com')
  const delegates = [first, second].map((name) => `projects/-/serviceAccounts/${name}`)
  const link = (on: string, member: string) => cloud.kernel().policies.grant(`projects/moshi-3/serviceAccounts/${on}`, 'roles/iam.serviceAccountTokenCreator', member)
  const attempt = (verb = 'generateAccessToken', body: object = { scope }) => ask(verb, { ...body, delegates }, { token: caller, account: last })
  for (const [on, member, missing] of [
    [first, 'user:chained@example.com', first],
    [second, `serviceAccount:${first}`, second],
    [last, `serviceAccount:${second}`, last],
  ] as const) {
    const refused = await attempt()
    expect(refused.status).toBe(403)
    expect(refused.json.error.message).toMatch(new RegExp(`Permission 'iam\\.serviceAccounts\\.(implicitDelegation|getAccessToken)' denied on resource '.*${missing}`))
    link(on, member)
  }
  const made = await attempt()
  expect(made.status, made.text).toBe(200)
  expect(cloud.kernel().tokens.verify(made.json.accessToken)?.principal.email).toBe(last)
  expect((await attempt('signBlob', { payload: 'AAAA' })).status).toBe(200)
  expect((await attempt('signJwt', { payload: '{}' })).status).toBe(200)
  expect((await attempt('generateIdToken', { audience: 'a' })).status).toBe(200)
  expect((await ask('generateAccessToken', { scope }, { token: caller, account: last })).status, 'without the chain').toBe(403)
  for (const bad of ['x@y.z', 'projects/moshi-3/serviceAccounts/x@y.z', ''])
    expect((await ask('generateAccessToken', { scope, delegates: [bad] }, { token: caller, account: last })).status, bad).toBe(400)
  expect(
    (await ask('generateAccessToken', { scope, delegates: ['projects/-/serviceAccounts/nobody@moshi-3.iam.gserviceaccount.com'] }, { token: caller, account: last })).status,
  ).toBe(404)
  await cloud.call('POST', `iam.googleapis.com/v1/projects/-/serviceAccounts/${second}:disable`)
  expect((await attempt()).json.error.message).toContain('disabled')
})

test('identity tokens verify with the key of the issuer, JWTs and blobs with that of the account', async () => {
  const { json: id } = await ask('generateIdToken', { audience: 'https://aud.example.com', includeEmail: true })
  expect(decodeJwt(id.token)).toMatchObject({ aud: 'https://aud.example.com', iss: 'https://accounts.google.com', email })
  expect(decodeJwt((await ask('generateIdToken', { audience: 'https://aud.example.com' })).json.token)['email']).toBeUndefined()
  expect((await ask('generateIdToken', {})).status).toBe(400)

  const keys = cloud.kernel().ports.use('serviceAccountKeys')
  const issuerKey = keys.issuerKeys()[0]
  if (issuerKey === undefined) throw new Error('no issuer key')
  expect(decodeProtectedHeader(id.token).kid).toBe(issuerKey.keyId)
  await jwtVerify(id.token, await importSPKI(issuerKey.publicKeyPem, 'RS256'))

  const payload = JSON.stringify({ iss: email, hello: 'world', exp: Math.floor(Date.now() / 1000) + 60 })
  const { json: jwt } = await ask('signJwt', { payload })
  const key = keys.managedKeys(email)[0]
  if (key === undefined) throw new Error('no key')
  expect(jwt.keyId).toBe(key.keyId)
  expect(key.keyId, 'what an account signs must never pass for an identity token').not.toBe(issuerKey.keyId)
  expect((await jwtVerify(jwt.signedJwt, await importSPKI(key.publicKeyPem, 'RS256'))).payload).toEqual(JSON.parse(payload))
  for (const bad of ['', '[]', '{', JSON.stringify({ exp: Math.floor(Date.now() / 1000) + 13 * 3600 }), JSON.stringify({ exp: 'soon' })])
    expect((await ask('signJwt', { payload: bad })).status, bad).toBe(400)

  const { json: blob } = await ask('signBlob', { payload: Buffer.from('bytes').toString('base64') })
  expect(verify('RSA-SHA256', Buffer.from('bytes'), createPublicKey(key.publicKeyPem), Buffer.from(blob.signedBlob, 'base64'))).toBe(true)
  expect((await ask('signBlob', {})).status).toBe(400)
})

test('ten first signatures at once use one key, which survives a restart', async () => {
  const other = 'other-sa@moshi-3.iam.gserviceaccount.com'
  const sign = () => ask('signBlob', { payload: 'AAAA' }, { account: other, token: cloud.ownerToken() })
  const answers = await Promise.all(Array.from({ length: 10 }, sign))
  expect(new Set(answers.map((answer) => answer.json.keyId)).size).toBe(1)
  await cloud.restart()
  expect((await sign()).json).toEqual(answers[0]?.json)
})

test('a disabled account gives nothing, and the API must be enabled in its project', async () => {
  const owner = { token: cloud.ownerToken() }
  await cloud.call('POST', `iam.googleapis.com/v1/projects/-/serviceAccounts/${email}:disable`)
  for (const [verb, body] of [
    ['generateAccessToken', { scope }],
    ['generateIdToken', { audience: 'a' }],
    ['signJwt', { payload: '{}' }],
    ['signBlob', { payload: 'AAAA' }],
  ] as const) {
    expect((await ask(verb, body, owner)).status, verb).toBe(403)
  }
  await cloud.call('POST', `iam.googleapis.com/v1/projects/-/serviceAccounts/${email}:enable`)
  cloud.kernel().projects.setService('moshi-3', 'iamcredentials.googleapis.com', false)
  expect((await ask('generateAccessToken', { scope }, owner)).json.error.details[0].reason).toBe('SERVICE_DISABLED')
})
