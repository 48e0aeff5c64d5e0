import { createPrivateKey, sign, X509Certificate } from 'node:crypto'
import { JWT, OAuth2Client, UserRefreshClient } from 'google-auth-library'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { federatedPrincipal } from '../../../oidc/provider.ts'
import { describeRoomContract } from '../../kernel/room-contract.ts'
import { startTestCloud } from '../../kernel/testing.ts'
import type { CallResult, TestCloud } from '../../kernel/testing.ts'
import { createIamRoom } from '../iam/index.ts'
import { createOauth2Room } from './index.ts'

const iam = 'iam.googleapis.com/v1/projects/-/serviceAccounts'
const scope = 'https://www.googleapis.com/auth/cloud-platform'
const ownerSecret = 'the-owners-refresh-token'
let cloud: TestCloud

interface KeyFile {
  readonly client_email: string
  readonly private_key: string
  readonly private_key_id: string
  readonly token_uri: string
}

describeRoomContract({ makeRooms: () => [createOauth2Room()] })

beforeAll(async () => {
  cloud = await startTestCloud(() => [createOauth2Room({ ownerRefreshToken: () => ownerSecret }), createIamRoom()])
  cloud.addProject('moshi-3')
})
afterAll(() => cloud.close())

let count = 0
async function newKeyFile(): Promise<KeyFile> {
  count += 1
  const account = await cloud.call('POST', 'iam.googleapis.com/v1/projects/moshi-3/serviceAccounts', { body: { accountId: `token-sa-${count}` } })
  expect(account.status, account.text).toBe(200)
  return newKeyOf(account.json.email)
}

async function newKeyOf(email: string): Promise<KeyFile> {
  const key = await cloud.call('POST', `${iam}/${email}/keys`)
  return JSON.parse(Buffer.from(key.json.privateKeyData, 'base64').toString()) as KeyFile
}

function assertion(file: KeyFile, change: Record<string, unknown> = {}, header: Record<string, unknown> = {}): string {
  const now = Math.floor(Date.now() / 1000)
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const input = `${encode({ alg: 'RS256', typ: 'JWT', kid: file.private_key_id, ...header })}.${encode({ iss: file.client_email, scope, aud: 'https://oauth2.googleapis.com/token', iat: now, exp: now + 3600, ...change })}`
  return `${input}.${sign('RSA-SHA256', Buffer.from(input), createPrivateKey(file.private_key)).toString('base64url')}`
}

function exchange(jwt: string, path = 'oauth2.googleapis.com/token'): Promise<CallResult> {
  return cloud.call('POST', path, {
    token: null,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: jwt }).toString(),
  })
}

test("Google's own client exchanges a key file for a token that the other rooms take, also after a restart", async () => {
  const file = await newKeyFile()
  const client = new JWT({ email: file.client_email, key: file.private_key, keyId: file.private_key_id, scopes: [scope] })
  // The library always asks Google's own endpoint; the transport sends it here, as the proxy does.
  const { token } = await viaThisCloud(client).getAccessToken()
  expect(token).toMatch(/^ya29\./)
  const asAccount = () => cloud.call('GET', 'iam.googleapis.com/v1/projects/moshi-3/serviceAccounts', { token: token ?? '' })
  expect((await asAccount()).status).toBe(403)
  cloud.kernel().policies.grant('projects/moshi-3', 'roles/viewer', `serviceAccount:${file.client_email}`)
  expect((await asAccount()).status).toBe(200)
  await cloud.restart()
  expect((await asAccount()).status).toBe(200)
})

/** Rewrites the library's requests to googleapis.com hosts to this cloud's direct URLs. */
function viaThisCloud<Client extends OAuth2Client>(client: Client): Client {
  const { transporter } = client
  const request = transporter.request.bind(transporter)
  transporter.request = ((options: { url?: string | URL }) =>
    request({ ...options, url: String(options.url).replace(/^https:\/\/([a-z0-9]+\.googleapis\.com)/, `${cloud.url()}/$1`) })) as typeof transporter.request
  return client
}

test('the direct URL of the key file is a right audience, also when the port is another one by now', async () => {
  const file = await newKeyFile()
  for (const aud of [
    file.token_uri,
    'http://localhost:1/oauth2.googleapis.com/token',
    'https://www.googleapis.com/oauth2/v4/token',
    'https://accounts.google.com/o/oauth2/token',
  ]) {
    expect((await exchange(assertion(file, { aud }))).json, aud).toMatchObject({ access_token: expect.stringMatching(/^ya29/), expires_in: 3599, token_type: 'Bearer' })
  }
  expect((await exchange(assertion(file), 'www.googleapis.com/oauth2/v4/token')).status).toBe(200)
  expect((await exchange(assertion(file, {}, { kid: undefined }))).status, 'without a key id all keys are tried').toBe(200)
})

test('what is wrong with an assertion is said in the words of OAuth, and gives no token', async () => {
  const file = await newKeyFile()
  const other = await newKeyFile()
  const now = Math.floor(Date.now() / 1000)
  const cases: readonly [string, string, RegExp][] = [
    [assertion(file, { aud: 'https://evil.example.com/token' }), 'invalid_grant', /audience/],
    [assertion(file, { iat: now - 7200, exp: now - 3600 }), 'invalid_grant', /short-lived/],
    [assertion(file, { exp: now + 7200 }), 'invalid_grant', /short-lived/],
    [assertion(file, { iat: now + 4000, exp: now + 7000 }), 'invalid_grant', /short-lived/],
    [assertion(file, { iss: other.client_email }), 'invalid_grant', /Signature/],
    [assertion({ ...file, private_key: other.private_key }), 'invalid_grant', /Signature/],
    [assertion(file, {}, { alg: 'none' }), 'invalid_grant', /Signature/],
    [assertion(file, {}, { alg: 'HS256' }), 'invalid_grant', /Signature/],
    [`${assertion(file).split('.').slice(0, 2).join('.')}.`, 'invalid_grant', /Signature/],
    [assertion(file, { iss: 'nobody@moshi-3.iam.gserviceaccount.com' }), 'invalid_grant', /account not found/],
    [assertion(file, { scope: '' }), 'invalid_scope', /scope/],
    [assertion(file, { sub: 'boss@example.com' }), 'unauthorized_client', /unauthorized/],
    ['not-a-jwt', 'invalid_grant', /JWT/],
    ['a.b.c', 'invalid_grant', /JWT/],
  ]
  for (const [jwt, error, description] of cases) {
    const answer = await exchange(jwt)
    expect([400, 401]).toContain(answer.status)
    expect(answer.json).toEqual({ error, error_description: expect.stringMatching(description) })
    expect(answer.headers.get('cache-control')).toBe('no-store')
  }
  expect((await cloud.call('POST', 'oauth2.googleapis.com/token', { token: null, body: { grant_type: 'password' } })).json.error).toBe('unsupported_grant_type')
  expect((await cloud.call('POST', 'oauth2.googleapis.com/token', { token: null, body: {} })).status).toBe(400)
})

test('a deleted key, a disabled account, a deleted one and one of a deleted project get no tokens', async () => {
  const file = await newKeyFile()
  const path = `${iam}/${file.client_email}`
  const second = await newKeyOf(file.client_email)
  await cloud.call('DELETE', `${path}/keys/${file.private_key_id}`)
  expect((await exchange(assertion(file))).json.error_description).toMatch(/Signature/)
  expect((await exchange(assertion(second))).status).toBe(200)
  await cloud.call('POST', `${path}:disable`)
  expect((await exchange(assertion(second))).json).toEqual({ error: 'invalid_grant', error_description: expect.stringMatching(/disabled/) })
  await cloud.call('POST', `${path}:enable`)
  const project = cloud.kernel().projects.find('moshi-3')
  if (project === undefined) throw new Error('no project')
  cloud.kernel().projects.update({ ...project, state: 'DELETE_REQUESTED' })
  expect((await exchange(assertion(second))).status).toBe(400)
  cloud.kernel().projects.update(project)
  await cloud.call('DELETE', path)
  expect((await exchange(assertion(second))).json.error_description).toMatch(/account not found/)
  await cloud.call('POST', 'iam.googleapis.com/v1/projects/moshi-3/serviceAccounts', { body: { accountId: file.client_email.split('@')[0] } })
  expect((await exchange(assertion(second))).json.error_description, 'a new account of this name').toMatch(/Signature/)
})

test('an account cannot sign an identity token about another: its keys are not those of the issuer', async () => {
  const file = await newKeyFile()
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: 'https://accounts.google.com', aud: 'https://moshi.example.com', sub: '1', email: 'owner@kiln.local', email_verified: true, iat: now, exp: now + 600 }
  const forged = await cloud.kernel().ports.use('serviceAccountKeys').signClaims(file.client_email, JSON.stringify(claims))
  for (const jwt of [forged.jwt, assertion(file, claims)]) {
    expect((await cloud.call('GET', `oauth2.googleapis.com/tokeninfo?id_token=${jwt}`, { token: null })).json).toEqual({
      error: 'invalid_token',
      error_description: 'Invalid Value',
    })
    await expect(viaThisCloud(new OAuth2Client()).verifyIdToken({ idToken: jwt, audience: 'https://moshi.example.com' })).rejects.toThrow('No pem found')
  }
})

test('identity tokens are JWTs that the published keys verify', async () => {
  const file = await newKeyFile()
  const answer = await exchange(assertion(file, { target_audience: 'https://moshi.example.com', scope: undefined }))
  expect(Object.keys(answer.json)).toEqual(['id_token'])
  const keys = createRemoteJWKSet(new URL(`${cloud.url()}/www.googleapis.com/oauth2/v3/certs`))
  const { payload } = await jwtVerify(answer.json.id_token, keys, { issuer: 'https://accounts.google.com', audience: 'https://moshi.example.com' })
  expect(payload).toMatchObject({ email: file.client_email, email_verified: true, sub: expect.stringMatching(/^1\d{20}$/) })
  const checked = await viaThisCloud(new OAuth2Client()).verifyIdToken({ idToken: answer.json.id_token, audience: 'https://moshi.example.com' })
  expect(checked.getPayload()?.email).toBe(file.client_email)
  const certificates = await cloud.call('GET', `www.googleapis.com/robot/v1/metadata/x509/${encodeURIComponent(file.client_email)}`, { token: null })
  expect(new X509Certificate(certificates.json[file.private_key_id]).checkPrivateKey(createPrivateKey(file.private_key))).toBe(true)
  expect((await cloud.call('GET', `oauth2.googleapis.com/tokeninfo?id_token=${answer.json.id_token}`, { token: null })).json).toMatchObject({
    email: file.client_email,
    aud: 'https://moshi.example.com',
  })
  expect((await cloud.call('GET', `oauth2.googleapis.com/tokeninfo?id_token=${assertion(file)}`, { token: null })).json.error).toBe('invalid_token')
  const own = await cloud.call('GET', `www.googleapis.com/service_accounts/v1/jwk/${file.client_email}`, { token: null })
  expect(own.json.keys.map((key: { kid: string }) => key.kid)).toContain(file.private_key_id)
})

test("the owner's refresh token gives the owner's tokens to Google's client, and nobody else's does", async () => {
  const { token } = await viaThisCloud(new UserRefreshClient({ clientId: 'kiln-owner', clientSecret: 'x', refreshToken: ownerSecret })).getAccessToken()
  expect((await cloud.call('GET', 'openidconnect.googleapis.com/v1/userinfo', { token: token ?? '' })).json).toMatchObject({ email: 'owner@kiln.local', email_verified: true })
  for (const wrong of ['', 'x', `${ownerSecret}x`]) {
    const answer = await cloud.call('POST', 'oauth2.googleapis.com/token', { token: null, body: { grant_type: 'refresh_token', refresh_token: wrong } })
    expect(answer.status).toBe(400)
    expect(answer.json.access_token).toBeUndefined()
  }
})

test('tokeninfo tells whose a token is, and nothing of others', async () => {
  const file = await newKeyFile()
  const { access_token: token } = (await exchange(assertion(file))).json
  for (const info of [
    await cloud.call('GET', `oauth2.googleapis.com/tokeninfo?access_token=${token}`, { token: null }),
    await cloud.call('POST', 'oauth2.googleapis.com/tokeninfo', { token: null, body: { access_token: token } }),
  ]) {
    expect(info.json).toMatchObject({ email: file.client_email, scope, email_verified: 'true' })
    expect(Number(info.json.expires_in)).toBeGreaterThan(3500)
  }
  const revoke = () => cloud.call('POST', 'oauth2.googleapis.com/revoke', { token: null, body: { token } })
  expect((await revoke()).status).toBe(200)
  expect((await revoke()).json.error).toBe('invalid_token')
  expect((await cloud.call('GET', 'openidconnect.googleapis.com/v1/userinfo', { token })).status).toBe(401)
  const unknown = await cloud.call('GET', 'oauth2.googleapis.com/tokeninfo?access_token=ya29.x', { token: null })
  expect(unknown.status).toBe(400)
  expect(unknown.json).toEqual({ error: 'invalid_token', error_description: 'Invalid Value' })
})

test('what an account signs by signJwt is an assertion too, until the account is disabled', async () => {
  const file = await newKeyFile()
  const now = Math.floor(Date.now() / 1000)
  const claims = JSON.stringify({ iss: file.client_email, sub: file.client_email, scope, aud: 'https://oauth2.googleapis.com/token', iat: now, exp: now + 600 })
  const { jwt } = await cloud.kernel().ports.use('serviceAccountKeys').signClaims(file.client_email, claims)
  expect((await exchange(jwt)).json.access_token).toMatch(/^ya29\./)
  await cloud.call('POST', `${iam}/${file.client_email}:disable`)
  expect((await exchange(jwt)).json).toEqual({ error: 'invalid_grant', error_description: expect.stringMatching(/disabled/) })
})

function selfSigned(file: KeyFile, change: Record<string, unknown> = {}, header: Record<string, unknown> = {}): string {
  return assertion(file, { sub: file.client_email, aud: 'https://iam.googleapis.com/', scope: undefined, ...change }, header)
}

test('an account calls with a JWT that it signed itself for that service', async () => {
  const file = await newKeyFile()
  const other = await newKeyFile()
  cloud.kernel().policies.grant('projects/moshi-3', 'roles/iam.serviceAccountViewer', `serviceAccount:${file.client_email}`)
  const call = (token: string) => cloud.call('GET', 'iam.googleapis.com/v1/projects/moshi-3/serviceAccounts', { token })
  const now = Math.floor(Date.now() / 1000)
  for (const good of [
    selfSigned(file),
    selfSigned(file, { aud: 'https://iam.googleapis.com/v1/projects' }),
    selfSigned(file, { aud: `${cloud.url()}/iam.googleapis.com/v1/x` }),
    selfSigned(file, { aud: undefined, scope }),
    selfSigned(file, {}, { kid: undefined }),
  ]) {
    expect((await call(good)).status, good).toBe(200)
  }
  for (const [bad, message] of [
    [selfSigned(file, { aud: 'https://storage.googleapis.com/' }), /audience/],
    [selfSigned(file, { aud: `${cloud.url()}/storage.googleapis.com/` }), /audience/],
    [selfSigned(file, { aud: 'iam.googleapis.com' }), /audience/],
    [selfSigned(file, { aud: undefined }), /audience/],
    [selfSigned(file, { iat: now - 7200, exp: now - 3600 }), /expired/],
    [selfSigned(file, { iat: now + 1000, exp: now + 2000 }), /future/],
    [selfSigned(file, { exp: now + 7200 }), /more than an hour/],
    [selfSigned(file, { exp: undefined }), /iat and exp/],
    [selfSigned(file, { sub: 'boss@example.com' }), /iss and sub/],
    [selfSigned(file, { iss: other.client_email, sub: other.client_email }), /signature/],
    [selfSigned({ ...file, private_key: other.private_key }), /signature/],
    [selfSigned(file, {}, { alg: 'none' }), /RS256/],
    [selfSigned(file, {}, { alg: 'HS256' }), /RS256/],
    [selfSigned(file, {}, { kid: other.private_key_id }), /signature/],
    [selfSigned(file, { iss: 'owner@kiln.local', sub: 'owner@kiln.local' }), /signature/],
  ] as const) {
    const answer = await call(bad)
    expect(answer.status).toBe(401)
    expect(answer.json.error).toMatchObject({ status: 'UNAUTHENTICATED', message: expect.stringMatching(message) })
  }
  const client = new JWT({ email: file.client_email, key: file.private_key, keyId: file.private_key_id })
  const headers = await client.getRequestHeaders(`${cloud.url()}/iam.googleapis.com/v1/projects/moshi-3/serviceAccounts`)
  expect((await call((headers.get('authorization') ?? '').replace('Bearer ', ''))).status, "Google's library without scopes").toBe(200)
  await cloud.call('POST', `${iam}/${file.client_email}:disable`)
  expect((await call(selfSigned(file))).status).toBe(401)
  await cloud.call('POST', `${iam}/${file.client_email}:enable`)
  expect((await call(selfSigned(file))).status).toBe(200)
  await cloud.call('DELETE', `${iam}/${file.client_email}/keys/${file.private_key_id}`)
  expect((await call(selfSigned(file))).status).toBe(401)
})

test('user info, token info, revocation and key sets answer under all their names', async () => {
  const file = await newKeyFile()
  const token = (await exchange(assertion(file))).json.access_token
  for (const method of ['GET', 'POST']) {
    for (const path of ['openidconnect.googleapis.com/v1/userinfo', 'www.googleapis.com/oauth2/v3/userinfo'])
      expect((await cloud.call(method, path, { token })).json, path).toMatchObject({ email: file.client_email, email_verified: true, sub: expect.any(String) })
    for (const version of ['v1', 'v2'])
      expect((await cloud.call(method, `www.googleapis.com/oauth2/${version}/userinfo`, { token })).json).toMatchObject({
        email: file.client_email,
        verified_email: true,
        id: expect.any(String),
      })
  }
  expect((await cloud.call('GET', `www.googleapis.com/oauth2/v1/tokeninfo?access_token=${token}`, { token: null })).json).toMatchObject({
    email: file.client_email,
    verified_email: true,
    expires_in: expect.any(Number),
  })
  // Google describes this one: the replies are compared with that too.
  const info = await cloud.call('POST', `www.googleapis.com/oauth2/v2/tokeninfo?access_token=${token}`, { token: null })
  expect(info.json).toMatchObject({ email: file.client_email, verified_email: true, expires_in: expect.any(Number), user_id: expect.any(String), scope })
  const { id_token: idToken } = (await exchange(assertion(file, { scope: undefined, target_audience: 'https://example.com' }))).json
  const idInfo = await cloud.call('POST', 'www.googleapis.com/oauth2/v2/tokeninfo', { token: null, body: { id_token: idToken } })
  expect(idInfo.json).toEqual({
    issued_to: expect.any(String),
    audience: 'https://example.com',
    user_id: info.json.user_id,
    expires_in: expect.any(Number),
    email: file.client_email,
    verified_email: true,
  })
  expect((await cloud.call('GET', 'www.googleapis.com/userinfo/v2/me', { token })).json).toEqual({ id: info.json.user_id, email: file.client_email, verified_email: true })
  expect((await cloud.call('GET', `www.googleapis.com/oauth2/v3/tokeninfo?access_token=${token}`, { token: null })).json).toMatchObject({
    email_verified: 'true',
    expires_in: expect.any(String),
  })
  const discovery = (await cloud.call('GET', 'accounts.google.com/.well-known/openid-configuration', { token: null })).json
  expect(discovery).toMatchObject({ issuer: 'https://accounts.google.com', jwks_uri: 'https://www.googleapis.com/oauth2/v3/certs' })
  for (const path of ['service_accounts/v1/jwk', 'service_accounts/v1/metadata/jwk', 'robot/v1/metadata/jwk'])
    expect((await cloud.call('GET', `www.googleapis.com/${path}/${file.client_email}`, { token: null })).json.keys[0].kid, path).toBe(file.private_key_id)
  expect(Object.keys((await cloud.call('GET', `www.googleapis.com/service_accounts/v1/metadata/x509/${file.client_email}`, { token: null })).json)).toEqual([file.private_key_id])
  expect((await cloud.call('GET', `accounts.google.com/o/oauth2/revoke?token=${token}`, { token: null })).status).toBe(200)
  expect((await cloud.call('GET', 'www.googleapis.com/oauth2/v3/userinfo', { token })).status).toBe(401)
})

test('a federated identity has no e-mail, and its token is none of this endpoint', async () => {
  const principal = federatedPrincipal(
    { projectNumber: cloud.kernel().projects.find('moshi-3')?.projectNumber ?? '', poolId: 'github' },
    { subject: 's', groups: [], attributes: {} },
  )
  await cloud.call('POST', 'iam.googleapis.com/v1/projects/moshi-3/locations/global/workloadIdentityPools?workloadIdentityPoolId=github', { body: {} })
  const token = cloud.tokenFor(principal)
  expect((await cloud.call('GET', `oauth2.googleapis.com/tokeninfo?access_token=${token}`, { token: null })).json.error).toBe('invalid_token')
  expect((await cloud.call('GET', 'openidconnect.googleapis.com/v1/userinfo', { token })).json).toEqual({ sub: expect.any(String) })
})
