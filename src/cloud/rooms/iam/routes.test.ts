import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeRoomContract } from '../../kernel/room-contract.ts'
import { startTestCloud } from '../../kernel/testing.ts'
import type { CallResult, TestCloud } from '../../kernel/testing.ts'
import { selfSignedCertificate } from '../../kernel/x509.ts'
import { createIamRoom } from './index.ts'

const api = 'iam.googleapis.com/v1'
const inMoshi = `${api}/projects/moshi-3/serviceAccounts`
const emailOf = (name: string, project = 'moshi-3'): string => `${name}@${project}.iam.gserviceaccount.com`
let cloud: TestCloud

describeRoomContract({
  makeRooms: () => [createIamRoom()],
  params: { account: emailOf('contract-sa', 'contract-project'), key: 'abc', role: 'viewer' },
  prepare: async (contract) => {
    await contract.call('POST', `${api}/projects/contract-project/serviceAccounts`, { body: { accountId: 'contract-sa' } })
  },
})

beforeAll(async () => {
  cloud = await startTestCloud(() => [createIamRoom()])
  cloud.addProject('moshi-3')
  cloud.addProject('other-1')
})
afterAll(() => cloud.close())

async function create(accountId: string): Promise<CallResult['json']> {
  const made = await cloud.call('POST', inMoshi, { body: { accountId, serviceAccount: { displayName: accountId } } })
  expect(made.status, made.text).toBe(200)
  return made.json
}

test('an account is made once, read by e-mail and by id, with the project or with -, and survives a restart', async () => {
  const made = await create('artifact-reader')
  expect(made).toMatchObject({
    name: `projects/moshi-3/serviceAccounts/${emailOf('artifact-reader')}`,
    projectId: 'moshi-3',
    email: emailOf('artifact-reader'),
    uniqueId: expect.stringMatching(/^1\d{20}$/),
    oauth2ClientId: made.uniqueId,
  })
  expect(Buffer.from(made.etag, 'base64').toString('base64')).toBe(made.etag)
  await cloud.restart()
  for (const path of [`${inMoshi}/${made.email}`, `${api}/projects/-/serviceAccounts/${made.email}`, `${api}/projects/-/serviceAccounts/${made.uniqueId}`]) {
    expect((await cloud.call('GET', path)).json, path).toEqual(made)
  }
  expect((await cloud.call('POST', inMoshi, { body: { accountId: 'artifact-reader' } })).json.error).toMatchObject({ code: 409, status: 'ALREADY_EXISTS' })
  expect((await cloud.call('GET', `${api}/projects/other-1/serviceAccounts/${made.email}`)).status).toBe(404)
  expect((await cloud.call('GET', `${api}/projects/-/serviceAccounts/${emailOf('no-such-one')}`)).json.error).toMatchObject({
    code: 404,
    message: expect.stringContaining('Unknown service account'),
  })
  for (const accountId of ['', 'short', 'Upper-Case', 'a'.repeat(31), '1-digit', 'ends-with-'])
    expect((await cloud.call('POST', inMoshi, { body: { accountId } })).status, accountId).toBe(400)
  expect((await cloud.call('POST', inMoshi, { body: { accountId: 'long-name', serviceAccount: { displayName: 'x'.repeat(101) } } })).status).toBe(400)
})

test('pages to the end', async () => {
  cloud.addProject('paged-1')
  for (const letter of ['a', 'b', 'c', 'd', 'e']) await cloud.call('POST', `${api}/projects/paged-1/serviceAccounts`, { body: { accountId: `paged-${letter}` } })
  const seen: string[] = []
  let pageToken = ''
  do {
    const { json } = await cloud.call('GET', `${api}/projects/paged-1/serviceAccounts?pageSize=2&pageToken=${pageToken}`)
    seen.push(...json.accounts.map((account: { email: string }) => account.email.split('@')[0]))
    pageToken = json.nextPageToken ?? ''
  } while (pageToken !== '')
  expect(seen).toEqual(['paged-a', 'paged-b', 'paged-c', 'paged-d', 'paged-e'])
})

test('patch changes what the mask names; an old etag is refused; twenty creations at once make one', async () => {
  const made = await create('patched-sa')
  const patched = await cloud.call('PATCH', `${inMoshi}/${made.email}`, { body: { serviceAccount: { displayName: 'ignored', description: 'new' }, updateMask: 'description' } })
  expect(patched.json).toMatchObject({ displayName: 'patched-sa', description: 'new' })
  expect((await cloud.call('PATCH', `${inMoshi}/${made.email}`, { body: { serviceAccount: { description: 'x', etag: made.etag }, updateMask: 'description' } })).status).toBe(409)
  expect((await cloud.call('PUT', `${inMoshi}/${made.email}`, { body: { displayName: 'put', etag: patched.json.etag } })).json.displayName).toBe('put')
  const answers = await Promise.all(Array.from({ length: 20 }, () => cloud.call('POST', inMoshi, { body: { accountId: 'racing-sa' } })))
  expect(answers.map((answer) => answer.status).sort()).toEqual([200, ...Array<number>(19).fill(409)])
})

test('disabling and deleting end the tokens of an account at once', async () => {
  for (const verb of ['disable', 'delete']) {
    const { email } = await create(`ending-${verb}`)
    cloud.kernel().policies.grant('projects/moshi-3', 'roles/iam.serviceAccountViewer', `serviceAccount:${email}`)
    const token = cloud.serviceAccountToken(email)
    expect((await cloud.call('GET', inMoshi, { token })).status).toBe(200)
    expect((await (verb === 'disable' ? cloud.call('POST', `${inMoshi}/${email}:disable`) : cloud.call('DELETE', `${inMoshi}/${email}`))).status).toBe(200)
    expect((await cloud.call('GET', inMoshi, { token })).status, verb).toBe(401)
  }
  expect((await cloud.call('GET', `${inMoshi}/${emailOf('ending-disable')}`)).json.disabled).toBe(true)
  await cloud.call('POST', `${inMoshi}/${emailOf('ending-disable')}:enable`)
  expect((await cloud.call('GET', `${inMoshi}/${emailOf('ending-disable')}`)).json.disabled).toBeUndefined()
})

test('an account made again under the name of a deleted one inherits nothing; undelete brings roles and policy back', async () => {
  const first = await create('again-sa')
  const { policies } = cloud.kernel()
  policies.grant('projects/moshi-3', 'roles/editor', `serviceAccount:${first.email}`)
  policies.grant(`projects/moshi-3/serviceAccounts/${first.email}`, 'roles/iam.serviceAccountUser', 'user:dev@example.com')
  await cloud.call('DELETE', `${inMoshi}/${first.email}`)
  const second = await create('again-sa')
  expect(second.uniqueId).not.toBe(first.uniqueId)
  const token = cloud.serviceAccountToken(second.email)
  expect((await cloud.call('GET', inMoshi, { token })).status).toBe(403)
  expect((await cloud.call('POST', `${inMoshi}/${second.email}:getIamPolicy`)).json.bindings).toEqual([])
  expect(JSON.stringify(policies.get('projects/moshi-3').bindings)).toContain(`deleted:serviceAccount:${first.email}?uid=${first.uniqueId}`)
  expect((await cloud.call('POST', `${inMoshi}/${first.uniqueId}:undelete`)).json.error.status).toBe('FAILED_PRECONDITION')
  await cloud.call('DELETE', `${inMoshi}/${second.email}`)
  expect((await cloud.call('POST', `${inMoshi}/${first.uniqueId}:undelete`)).json.restoredAccount.uniqueId).toBe(first.uniqueId)
  expect((await cloud.call('GET', inMoshi, { token: cloud.serviceAccountToken(first.email) })).status).toBe(200)
  expect((await cloud.call('POST', `${inMoshi}/${first.email}:getIamPolicy?options.requestedPolicyVersion=3`)).json.bindings).toHaveLength(1)
})

test('its own policy lets others act on one account only; writers race for the etag; members must exist', async () => {
  const { email } = await create('policy-sa')
  await create('policy-two')
  const token = cloud.userToken('actor@example.com')
  const test = (account: string) =>
    cloud.call('POST', `${inMoshi}/${account}:testIamPermissions`, { token, body: { permissions: ['iam.serviceAccounts.actAs', 'iam.serviceAccounts.delete'] } })
  expect((await test(email)).json).toEqual({})
  const { etag } = (await cloud.call('POST', `${inMoshi}/${email}:getIamPolicy`)).json
  const set = (member: string) =>
    cloud.call('POST', `${inMoshi}/${email}:setIamPolicy`, { body: { policy: { version: 3, etag, bindings: [{ role: 'roles/iam.serviceAccountUser', members: [member] }] } } })
  expect((await set(`serviceAccount:${emailOf('no-such-one')}`)).json.error).toMatchObject({ status: 'INVALID_ARGUMENT', message: expect.stringContaining('does not exist') })
  const answers = await Promise.all([set('user:actor@example.com'), set('user:actor@example.com')])
  expect(answers.map((answer) => answer.status).sort()).toEqual([200, 409])
  expect((await test(email)).json).toEqual({ permissions: ['iam.serviceAccounts.actAs'] })
  expect((await test(emailOf('policy-two'))).json).toEqual({})
})

test('a key file proves itself to the port, until the key or the account goes', async () => {
  const { email } = await create('keyed-sa')
  const made = await cloud.call('POST', `${api}/projects/-/serviceAccounts/${email}/keys`, { body: { privateKeyType: 'TYPE_GOOGLE_CREDENTIALS_FILE' } })
  expect(made.status, made.text).toBe(200)
  const text = Buffer.from(made.json.privateKeyData, 'base64').toString()
  const file = JSON.parse(text) as Record<string, string>
  expect(file).toMatchObject({ type: 'service_account', project_id: 'moshi-3', client_email: email, token_uri: `${cloud.url()}/oauth2.googleapis.com/token` })
  const port = cloud.kernel().ports.use('serviceAccounts')
  expect((await port.verifyKeyFile(text))?.email).toBe(email)

  const other = await cloud.call('POST', `${inMoshi}/${email}/keys`)
  const otherFile = JSON.parse(Buffer.from(other.json.privateKeyData, 'base64').toString()) as Record<string, string>
  for (const bad of [
    JSON.stringify({ ...file, private_key: otherFile['private_key'] }),
    JSON.stringify({ ...file, client_email: emailOf('artifact-reader') }),
    JSON.stringify({ ...file, private_key_id: 'ff' }),
    '{',
    'null',
    JSON.stringify({ ...file, private_key: 'x' }),
  ]) {
    expect(await port.verifyKeyFile(bad)).toBeUndefined()
  }
  const got = await cloud.call('GET', `${api}/${made.json.name}?publicKeyType=TYPE_RAW_PUBLIC_KEY`)
  expect(got.json.privateKeyData).toBeUndefined()
  expect(Buffer.from(got.json.publicKeyData, 'base64').toString()).toBe(
    createPublicKey(file['private_key'] ?? '')
      .export({ type: 'spki', format: 'pem' })
      .toString(),
  )

  await cloud.call('POST', `${api}/${made.json.name}:disable`)
  expect(await port.verifyKeyFile(text)).toBeUndefined()
  await cloud.call('POST', `${api}/${made.json.name}:enable`)
  expect(await port.verifyKeyFile(text)).toBeDefined()
  expect((await cloud.call('DELETE', `${api}/${made.json.name}`)).status).toBe(200)
  expect((await cloud.call('DELETE', `${api}/${made.json.name}`)).status).toBe(404)
  expect(await port.verifyKeyFile(text)).toBeUndefined()
  const otherText = JSON.stringify(otherFile)
  expect(await port.verifyKeyFile(otherText)).toBeDefined()
  await cloud.call('DELETE', `${inMoshi}/${email}`)
  expect(await port.verifyKeyFile(otherText)).toBeUndefined()
  await create('keyed-sa')
  expect(await port.verifyKeyFile(otherText), 'a new account of this name').toBeUndefined()
})

test('no private key of a user is kept, and the database is closed to others', async () => {
  const { email } = await create('secret-sa')
  const made = await cloud.call('POST', `${inMoshi}/${email}/keys`)
  const file = JSON.parse(Buffer.from(made.json.privateKeyData, 'base64').toString()) as Record<string, string>
  const row = cloud.kernel().database.get<{ private_pem: string | null }>('SELECT private_pem FROM service_account_keys WHERE key_id = ?', file['private_key_id'] ?? '')
  expect(row).toEqual({ private_pem: null })
  const { statSync } = await import('node:fs')
  for (const suffix of ['', '-wal', '-shm']) expect(statSync(`${cloud.kernel().database.path}${suffix}`).mode & 0o077, suffix).toBe(0)
})

test('a key may be brought along as a certificate; the eleventh key is refused; the kinds are told apart', async () => {
  const { email } = await create('many-keys')
  for (const publicKeyData of ['bm90IGEgY2VydA==', 'no base64!'])
    expect((await cloud.call('POST', `${inMoshi}/${email}/keys:upload`, { body: { publicKeyData } })).json.error, publicKeyData).toMatchObject({
      code: 400,
      message: expect.stringContaining('publicKeyData'),
    })
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const certificate = selfSignedCertificate({ commonName: 'mine', privateKey, validFrom: new Date(Date.now() - 1000), validTo: new Date(Date.now() + 86_400_000) })
  const upload = () => cloud.call('POST', `${inMoshi}/${email}/keys:upload`, { body: { publicKeyData: Buffer.from(certificate).toString('base64') } })
  const uploaded = await upload()
  expect(uploaded.json, uploaded.text).toMatchObject({ keyOrigin: 'USER_PROVIDED', keyType: 'USER_MANAGED' })
  expect((await upload()).status).toBe(409)
  const text = JSON.stringify({
    type: 'service_account',
    client_email: email,
    private_key_id: uploaded.json.name.split('/').at(-1),
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  })
  expect((await cloud.kernel().ports.use('serviceAccounts').verifyKeyFile(text))?.email).toBe(email)
  const shown = await cloud.call('GET', `${api}/${uploaded.json.name}?publicKeyType=TYPE_X509_PEM_FILE`)
  expect(Buffer.from(shown.json.publicKeyData, 'base64').toString()).toBe(certificate)

  const made = await Promise.all(Array.from({ length: 10 }, () => cloud.call('POST', `${inMoshi}/${email}/keys`)))
  expect(made.map((answer) => answer.status).sort()).toEqual([...Array<number>(9).fill(200), 429])
  await cloud.kernel().ports.use('serviceAccountKeys').signBytes(email, Buffer.from('x'))
  expect((await cloud.call('GET', `${inMoshi}/${email}/keys`)).json.keys).toHaveLength(11)
  const managed = (await cloud.call('GET', `${inMoshi}/${email}/keys?keyTypes=SYSTEM_MANAGED`)).json.keys
  expect(managed).toHaveLength(1)
  expect((await cloud.call('DELETE', `${api}/${managed[0].name}`)).json.error.status).toBe('FAILED_PRECONDITION')
})

test("Compute Engine's default account appears with its API, as an editor", () => {
  const { projects, policies, ports } = cloud.kernel()
  projects.setService('other-1', 'compute.googleapis.com', true)
  const email = `${projects.find('other-1')?.projectNumber}-compute@developer.gserviceaccount.com`
  expect(ports.use('serviceAccounts').find(email)).toMatchObject({ projectId: 'other-1', disabled: false })
  expect(policies.get('projects/other-1').bindings).toContainEqual({ role: 'roles/editor', members: [`serviceAccount:${email}`] })
  projects.setService('other-1', 'compute.googleapis.com', false)
  projects.setService('other-1', 'compute.googleapis.com', true)
})

test('predefined roles are listed with their permissions; a project without the API is told so', async () => {
  expect((await cloud.call('GET', `${api}/roles/iam.serviceAccountUser`)).json.includedPermissions).toContain('iam.serviceAccounts.actAs')
  expect((await cloud.call('GET', `${api}/roles/no.such`)).status).toBe(404)
  const listed = await cloud.call('GET', `${api}/roles?pageSize=2`)
  expect(listed.json.roles).toHaveLength(2)
  expect(listed.json.roles[0].includedPermissions).toBeUndefined()
  cloud.addProject('no-iam-1', [])
  expect((await cloud.call('POST', `${api}/projects/no-iam-1/serviceAccounts`, { body: { accountId: 'not-yet' } })).json.error.details[0].reason).toBe('SERVICE_DISABLED')
})
