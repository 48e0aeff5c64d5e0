import { X509Certificate } from 'node:crypto'
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, importPKCS8, importX509, jwtVerify, SignJWT } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeRoomContract } from '../../kernel/room-contract.ts'
import { startTestCloud } from '../../kernel/testing.ts'
import type { CallResult, TestCloud } from '../../kernel/testing.ts'
import { createIamRoom } from '../iam/index.ts'
import { createIdentityToolkitRoom } from './index.ts'

const HOST = 'identitytoolkit.googleapis.com'
const SIGNER = 'securetoken@system.gserviceaccount.com'

describeRoomContract({ makeRooms: () => [createIdentityToolkitRoom()], params: { account: SIGNER } })

let cloud: TestCloud
let key = ''

beforeAll(async () => {
  cloud = await startTestCloud(() => [createIdentityToolkitRoom(), createIamRoom()])
  for (const project of ['p-one', 'p-two', 'p-new', 'p-bare']) cloud.addProject(project)
  key = await initialize('p-one')
})
afterAll(() => cloud.close())

/** As Terraform does: initialise, then set the sign-in methods by mask. */
async function initialize(project: string): Promise<string> {
  expect((await cloud.call('POST', `${HOST}/v2/projects/${project}/identityPlatform:initializeAuth`)).json).toEqual({})
  const body = { signIn: { email: { enabled: true, passwordRequired: true }, anonymous: { enabled: true } } }
  const patched = await cloud.call('PATCH', `${HOST}/v2/projects/${project}/config?updateMask=signIn`, { body })
  expect(patched.status, patched.text).toBe(200)
  return String(patched.json.client.apiKey)
}

function app(verb: string, body: object, apiKey = key): Promise<CallResult> {
  return cloud.call('POST', `${HOST}/v1/accounts:${verb}?key=${apiKey}`, { token: null, body })
}

function admin(verb: string, body: object): Promise<CallResult> {
  return cloud.call('POST', `${HOST}/v1/projects/p-one/accounts${verb}`, { body })
}

function refresh(refreshToken: string, apiKey = key): Promise<CallResult> {
  return cloud.call('POST', `securetoken.googleapis.com/v1/token?key=${apiKey}`, {
    token: null,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken }).toString(),
  })
}

test('a configuration is made once, and reads back as it was set', async () => {
  const config = `${HOST}/v2/projects/p-new/config`
  expect((await cloud.call('GET', config)).json.error).toMatchObject({ code: 404, message: 'CONFIGURATION_NOT_FOUND' })
  await initialize('p-new')
  expect((await cloud.call('POST', `${HOST}/v2/projects/p-new/identityPlatform:initializeAuth`)).status).toBe(400)
  const first = await cloud.call('GET', config)
  expect(first.json).toMatchObject({
    name: expect.stringMatching(/^projects\/\d+\/config$/),
    authorizedDomains: ['localhost', 'p-new.firebaseapp.com', 'p-new.web.app'],
    signIn: { email: { enabled: true, passwordRequired: true }, anonymous: { enabled: true }, hashConfig: { algorithm: 'SCRYPT', signerKey: expect.any(String) } },
    client: { apiKey: expect.stringMatching(/^AIza[\w-]{35}$/), firebaseSubdomain: 'p-new' },
    mfa: { state: 'DISABLED' },
    subtype: 'IDENTITY_PLATFORM',
  })
  const changed = await cloud.call('PATCH', `${config}?updateMask=authorizedDomains,signIn.phone_number,client`, {
    body: {
      authorizedDomains: ['example.com'],
      signIn: { phoneNumber: { enabled: true, testPhoneNumbers: { '+15550100': '000000' } }, email: { enabled: false } },
      client: { permissions: { disabledUserSignup: true }, apiKey: 'mine' },
      mfa: { state: 'ENABLED' },
    },
  })
  expect(changed.json).toMatchObject({
    authorizedDomains: ['example.com'],
    signIn: { email: { enabled: true }, phoneNumber: { enabled: true, testPhoneNumbers: { '+15550100': '000000' } } },
    client: { permissions: { disabledUserSignup: true }, apiKey: first.json.client.apiKey },
    mfa: { state: 'DISABLED' },
  })
  expect((await cloud.call('PATCH', `${config}?updateMask=subtype`, { body: { subtype: 'X' } })).status).toBe(400)
  await cloud.restart()
  expect((await cloud.call('GET', config)).json).toEqual(changed.json)
  cloud.kernel().policies.grant('projects/p-new', 'roles/firebaseauth.viewer', 'user:viewer@example.com')
  expect((await cloud.call('GET', config, { token: cloud.userToken('viewer@example.com') })).json.signIn.hashConfig).toBeUndefined()
  expect((await app('signUp', { email: 'a@example.com', password: 'secret1' }, first.json.client.apiKey)).json.error.message).toBe('ADMIN_ONLY_OPERATION')
})

test('a user signs up, in, looks up, refreshes; the ID token is verified by the published keys', async () => {
  const made = await app('signUp', { email: 'Ann@Example.com', password: 'secret1', returnSecureToken: true })
  expect(made.json).toMatchObject({ kind: 'identitytoolkit#SignupNewUserResponse', email: 'ann@example.com', localId: expect.stringMatching(/^\w{28}$/), expiresIn: '3600' })
  const inside = await app('signInWithPassword', { email: 'ann@example.com', password: 'secret1', returnSecureToken: true })
  expect(inside.json).toMatchObject({ kind: 'identitytoolkit#VerifyPasswordResponse', registered: true, localId: made.json.localId })
  const { idToken, refreshToken } = inside.json

  const expected = { issuer: 'https://securetoken.google.com/p-one', audience: 'p-one' }
  const certificates = await cloud.call('GET', `www.googleapis.com/robot/v1/metadata/x509/${SIGNER}`, { token: null })
  expect(certificates.headers.get('cache-control')).toContain('max-age=')
  const pem = certificates.json[decodeProtectedHeader(idToken).kid ?? '']
  expect(new X509Certificate(pem).publicKey.asymmetricKeyType).toBe('rsa')
  const { payload } = await jwtVerify(idToken, await importX509(pem, 'RS256'), expected)
  expect(payload).toMatchObject({
    sub: made.json.localId,
    user_id: made.json.localId,
    email: 'ann@example.com',
    email_verified: false,
    firebase: { sign_in_provider: 'password', identities: { email: ['ann@example.com'] } },
  })
  const jwks = createRemoteJWKSet(new URL(`${cloud.url()}/www.googleapis.com/service_accounts/v1/jwk/${encodeURIComponent(SIGNER)}`))
  expect((await jwtVerify(idToken, jwks, expected)).payload.sub).toBe(made.json.localId)

  expect((await app('lookup', { idToken })).json.users).toMatchObject([
    { localId: made.json.localId, email: 'ann@example.com', providerUserInfo: [{ providerId: 'password' }], lastLoginAt: expect.stringMatching(/^\d{13}$/) },
  ])
  await cloud.restart()
  const renewed = await refresh(refreshToken)
  expect(renewed.json).toMatchObject({ token_type: 'Bearer', expires_in: '3600', user_id: made.json.localId, project_id: expect.stringMatching(/^\d+$/) })
  expect(decodeJwt(renewed.json.id_token)['auth_time']).toBe(payload['auth_time'])
  expect((await app('lookup', { idToken: renewed.json.id_token })).status).toBe(200)
})

test('what is wrong is refused in the words that client libraries know', async () => {
  const message = async (verb: string, body: object, apiKey?: string): Promise<string> => (await app(verb, body, apiKey)).json.error.message
  await app('signUp', { email: 'taken@example.com', password: 'secret1' })
  expect(await message('signUp', { email: 'TAKEN@example.com', password: 'secret1' })).toBe('EMAIL_EXISTS')
  expect(await message('signUp', { email: 'nonsense', password: 'secret1' })).toBe('INVALID_EMAIL')
  expect(await message('signUp', { email: 'weak@example.com', password: 'short' })).toBe('WEAK_PASSWORD : Password should be at least 6 characters')
  expect(await message('signUp', { email: 'nopw@example.com' })).toBe('MISSING_PASSWORD')
  expect(await message('signInWithPassword', { email: 'taken@example.com', password: 'wrong-one' })).toBe('INVALID_LOGIN_CREDENTIALS')
  expect(await message('signInWithPassword', { email: 'unknown@example.com', password: 'secret1' })).toBe('INVALID_LOGIN_CREDENTIALS')
  expect(await message('lookup', { idToken: 'x.y.z' })).toBe('INVALID_ID_TOKEN')
  expect(await message('lookup', {})).toBe('INVALID_ID_TOKEN')
  expect(await message('signUp', {}, 'AIzaWrong')).toBe('API key not valid. Please pass a valid API key.')
  expect((await cloud.call('POST', `${HOST}/v1/accounts:signUp`, { token: null, body: {} })).status).toBe(403)
  expect((await refresh('AMf-unknown')).json.error.message).toBe('INVALID_REFRESH_TOKEN')
  const foreignKey = await initialize('p-two')
  const other = await app('signUp', {}, foreignKey)
  expect(await message('lookup', { idToken: other.json.idToken })).toBe('INVALID_ID_TOKEN')
  expect((await refresh(other.json.refreshToken)).json.error.message).toBe('INVALID_REFRESH_TOKEN')
  const [head = '', , signature = ''] = other.json.idToken.split('.')
  const forged = `${head}.${Buffer.from(JSON.stringify({ ...decodeJwt(other.json.idToken), sub: 'somebody' })).toString('base64url')}.${signature}`
  expect(await message('lookup', { idToken: forged }, foreignKey)).toBe('INVALID_ID_TOKEN')
  const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${other.json.idToken.split('.')[1]}.`
  expect(await message('lookup', { idToken: unsigned }, foreignKey)).toBe('INVALID_ID_TOKEN')
})

test('an anonymous user becomes one with e-mail and password, changes itself, and goes', async () => {
  const anonymous = await app('signUp', { returnSecureToken: true })
  expect(decodeJwt(anonymous.json.idToken)).toMatchObject({ provider_id: 'anonymous', firebase: { sign_in_provider: 'anonymous' } })
  const linked = await app('signUp', { idToken: anonymous.json.idToken, email: 'linked@example.com', password: 'secret1' })
  expect(linked.json.localId).toBe(anonymous.json.localId)
  const named = await app('update', {
    idToken: linked.json.idToken,
    displayName: 'Linked',
    photoUrl: 'https://example.com/x.png',
    emailVerified: true,
    customAttributes: '{"admin":true}',
    returnSecureToken: true,
  })
  expect(decodeJwt(named.json.idToken)).toMatchObject({ name: 'Linked', picture: 'https://example.com/x.png', email_verified: false })
  expect(decodeJwt(named.json.idToken)['admin']).toBeUndefined()
  expect((await app('update', { idToken: named.json.idToken, deleteAttribute: ['DISPLAY_NAME'] })).json.displayName).toBeUndefined()
  expect((await app('delete', { idToken: named.json.idToken })).json).toEqual({ kind: 'identitytoolkit#DeleteAccountResponse' })
  expect((await app('lookup', { idToken: named.json.idToken })).json.error.message).toBe('USER_NOT_FOUND')
  expect((await refresh(named.json.refreshToken)).json.error.message).toBe('INVALID_REFRESH_TOKEN')
})

test('administrators make, find, change, disable and delete users', async () => {
  const made = await admin('', { localId: 'chosen', email: 'staff@example.com', password: 'secret1', displayName: 'Staff', phoneNumber: '+15550111' })
  expect(made.json).toMatchObject({ localId: 'chosen', email: 'staff@example.com' })
  expect((await admin('', { localId: 'chosen' })).json.error.message).toBe('DUPLICATE_LOCAL_ID')
  expect((await admin('', { phoneNumber: '+15550111' })).json.error.message).toBe('PHONE_NUMBER_EXISTS')
  for (const query of [{ localId: ['chosen', 'chosen'] }, { email: ['STAFF@example.com'] }, { phoneNumber: ['+15550111'] }]) {
    expect((await admin(':lookup', query)).json.users.map((user: { localId: string }) => user.localId)).toEqual(['chosen'])
  }
  expect((await admin(':lookup', { localId: ['nobody'] })).json.users).toBeUndefined()
  await admin(':update', { localId: 'chosen', customAttributes: '{"role":"admin"}', emailVerified: true })
  const session = (await app('signInWithPassword', { email: 'staff@example.com', password: 'secret1' })).json
  expect(decodeJwt(session.idToken)).toMatchObject({ role: 'admin', email_verified: true, phone_number: '+15550111' })
  expect((await admin(':update', { localId: 'chosen', customAttributes: '{"sub":"x"}' })).json.error.message).toContain('FORBIDDEN_CLAIM')
  await admin(':update', { localId: 'chosen', validSince: Math.floor(Date.now() / 1000) + 1 })
  expect((await app('lookup', { idToken: session.idToken })).json.error.message).toBe('TOKEN_EXPIRED')
  expect((await refresh(session.refreshToken)).json.error.message).toBe('TOKEN_EXPIRED')
  await admin(':update', { localId: 'chosen', validSince: 0, disableUser: true })
  expect((await app('signInWithPassword', { email: 'staff@example.com', password: 'secret1' })).json.error.message).toBe('USER_DISABLED')
  const all = await cloud.call('GET', `${HOST}/v1/projects/p-one/accounts:batchGet?maxResults=1`)
  expect(all.json.users).toHaveLength(1)
  expect(all.json.nextPageToken).toEqual(expect.any(String))
  expect((await admin(':delete', { localId: 'chosen' })).json).toEqual({ kind: 'identitytoolkit#DeleteAccountResponse' })
  expect((await admin(':delete', { localId: 'chosen' })).json.error.message).toBe('USER_NOT_FOUND')
  await admin('', { localId: 'live' })
  expect((await admin(':batchDelete', { localIds: ['live'] })).json.errors).toHaveLength(1)
  expect((await admin(':batchDelete', { localIds: ['live'], force: true })).json).toEqual({})
  expect((await cloud.call('POST', `${HOST}/v1/projects/p-bare/accounts`, { body: {} })).json.error.message).toBe('CONFIGURATION_NOT_FOUND')
})

test('a custom token of a service account of the project signs its user in', async () => {
  const accounts = 'iam.googleapis.com/v1/projects/p-one/serviceAccounts'
  const email = (await cloud.call('POST', accounts, { body: { accountId: 'token-maker' } })).json.email
  const key = JSON.parse(Buffer.from((await cloud.call('POST', `${accounts}/${email}/keys`)).json.privateKeyData, 'base64').toString())
  const make = async (change: object = {}, lifetime = '1h'): Promise<string> =>
    new SignJWT({
      iss: email,
      sub: email,
      aud: 'https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit',
      uid: 'player-1',
      claims: { premium: true },
      ...change,
    })
      .setProtectedHeader({ alg: 'RS256', kid: key.private_key_id })
      .setIssuedAt()
      .setExpirationTime(lifetime)
      .sign(await importPKCS8(key.private_key, 'RS256'))
  const first = await app('signInWithCustomToken', { token: await make(), returnSecureToken: true })
  expect(first.json).toMatchObject({ kind: 'identitytoolkit#VerifyCustomTokenResponse', isNewUser: true, expiresIn: '3600' })
  expect(decodeJwt(first.json.idToken)).toMatchObject({ sub: 'player-1', premium: true, firebase: { sign_in_provider: 'custom' } })
  expect((await app('signInWithCustomToken', { token: await make() })).json.isNewUser).toBe(false)
  expect(decodeJwt((await refresh(first.json.refreshToken)).json.id_token)).toMatchObject({ sub: 'player-1', premium: true })
  // Firebase's libraries name no key; without a key file they let the account's Google-managed key sign (signBlob).
  const noKeyId = await new SignJWT(decodeJwt(await make())).setProtectedHeader({ alg: 'RS256', typ: 'JWT' }).sign(await importPKCS8(key.private_key, 'RS256'))
  expect((await app('signInWithCustomToken', { token: noKeyId })).status).toBe(200)
  const input = `${Buffer.from('{"alg":"RS256","typ":"JWT"}').toString('base64url')}.${Buffer.from(JSON.stringify(decodeJwt(noKeyId))).toString('base64url')}`
  const { signature } = await cloud.kernel().ports.use('serviceAccountKeys').signBytes(email, Buffer.from(input))
  expect((await app('signInWithCustomToken', { token: `${input}.${Buffer.from(signature).toString('base64url')}` })).status).toBe(200)
  const message = async (token: string): Promise<string> => (await app('signInWithCustomToken', { token })).json.error.message
  expect(await message('nonsense')).toContain('INVALID_CUSTOM_TOKEN')
  expect(await message(await make({ aud: 'https://example.com' }))).toContain('INVALID_CUSTOM_TOKEN')
  expect(await message(await make({ uid: undefined }))).toContain('INVALID_CUSTOM_TOKEN')
  expect(await message(await make({ claims: { sub: 'x' } }))).toContain('FORBIDDEN_CLAIM')
  expect(await message(await make({}, '-10m'))).toContain('INVALID_CUSTOM_TOKEN')
  const [head = '', body = ''] = (await make()).split('.')
  expect(await message(`${head}.${body}.${Buffer.alloc(256).toString('base64url')}`)).toContain('INVALID_CUSTOM_TOKEN')
  const foreign = 'iam.googleapis.com/v1/projects/p-two/serviceAccounts'
  const other = (await cloud.call('POST', foreign, { body: { accountId: 'other-maker' } })).json.email
  expect(await message(await make({ iss: other, sub: other }))).toBe('CREDENTIAL_MISMATCH')
})
