import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GoogleAuth } from 'google-auth-library'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeRoomContract } from '../../kernel/room-contract.ts'
import { startTestIssuer } from '../../../oidc/testing-issuer.ts'
import type { TestIssuer } from '../../../oidc/testing-issuer.ts'
import { startTestCloud } from '../../kernel/testing.ts'
import type { CallResult, TestCloud } from '../../kernel/testing.ts'
import { createIamRoom } from '../iam/index.ts'
import { createIamCredentialsRoom } from '../iamcredentials/index.ts'
import { createStsRoom } from './index.ts'

const iam = 'iam.googleapis.com/v1'
const email = 'deployer@moshi-3.iam.gserviceaccount.com'
const claims = { sub: 'repo:moshi/server:ref:refs/heads/main', repository: 'moshi/server', repository_id: '424242', ref: 'refs/heads/main' }
let cloud: TestCloud
let issuer: TestIssuer
let pools: string
let number: string

describeRoomContract({ makeRooms: () => [createStsRoom(), createIamRoom()] })

beforeAll(async () => {
  issuer = await startTestIssuer()
  cloud = await startTestCloud(() => [createStsRoom({ keys: { minRefreshMs: 0 } }), createIamRoom(), createIamCredentialsRoom()])
  cloud.addProject('moshi-3')
  number = cloud.kernel().projects.find('moshi-3')?.projectNumber ?? ''
  pools = `${iam}/projects/moshi-3/locations/global/workloadIdentityPools`
  await cloud.call('POST', `${pools}?workloadIdentityPoolId=github`, { body: {} })
  await cloud.call('POST', `${iam}/projects/moshi-3/serviceAccounts`, { body: { accountId: 'deployer' } })
  await addProvider('actions', { attributeCondition: "assertion.repository_id == '424242' && assertion.ref == 'refs/heads/main'" })
})
afterAll(async () => {
  await cloud.close()
  await issuer.close()
})

async function addProvider(id: string, change: object = {}, oidc: object = {}): Promise<void> {
  const made = await cloud.call('POST', `${pools}/github/providers?workloadIdentityPoolProviderId=${id}`, {
    body: {
      attributeMapping: { 'google.subject': 'assertion.sub', 'attribute.repository_id': 'assertion.repository_id', 'attribute.ref': 'assertion.ref' },
      oidc: { issuerUri: issuer.url, ...oidc },
      ...change,
    },
  })
  expect(made.status, made.text).toBe(200)
}

function audienceOf(provider = 'actions'): string {
  return `//iam.googleapis.com/projects/${number}/locations/global/workloadIdentityPools/github/providers/${provider}`
}

function subjectToken(change: object = {}): Promise<string> {
  return issuer.sign({ ...claims, aud: `https:${audienceOf()}`, ...change })
}

function form(token: string, change: Record<string, string> = {}): Promise<CallResult> {
  const fields = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    audience: audienceOf(),
    scope: 'https://www.googleapis.com/auth/iam',
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    subject_token: token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    ...change,
  }
  return cloud.call('POST', 'sts.googleapis.com/v1/token', {
    token: null,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(fields).toString(),
  })
}

function json(token: string): Promise<CallResult> {
  return cloud.call('POST', 'sts.googleapis.com/v1/token', {
    token: null,
    body: {
      audience: audienceOf(),
      grantType: 'urn:ietf:params:oauth:grant-type:token-exchange',
      requestedTokenType: 'urn:ietf:params:oauth:token-type:access_token',
      scope: 'https://www.googleapis.com/auth/cloud-platform',
      subjectTokenType: 'urn:ietf:params:oauth:token-type:jwt',
      subjectToken: token,
    },
  })
}

test('a token of the issuer is exchanged, as form and as JSON, and what it opens is decided by policies', async () => {
  const token = await subjectToken()
  const exchanged = await form(token)
  expect(exchanged.json, exchanged.text).toEqual({
    access_token: expect.stringMatching(/^ya29\./),
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: 'Bearer',
    expires_in: 3599,
  })
  expect(exchanged.headers.get('cache-control')).toBe('no-store')
  expect((await json(token)).status).toBe(200)
  expect((await form(await subjectToken({ aud: audienceOf() }), { subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' })).status).toBe(200)

  const list = () => cloud.call('GET', `${iam}/projects/moshi-3/serviceAccounts`, { token: exchanged.json.access_token })
  const refused = await list()
  expect(refused.json.error.message).toContain(`for principal://iam.googleapis.com/projects/${number}/locations/global/workloadIdentityPools/github/subject/${claims.sub}`)
  const member = `principalSet://iam.googleapis.com/projects/${number}/locations/global/workloadIdentityPools/github/attribute.ref/refs/heads/main`
  cloud.kernel().policies.set('projects/moshi-3', { bindings: [{ role: 'roles/iam.serviceAccountViewer', members: [member] }] })
  expect((await list()).status).toBe(200)
  await cloud.restart()
  expect((await list()).status, 'after a restart').toBe(200)
  cloud.kernel().policies.set('projects/moshi-3', { bindings: [] })
  expect((await list()).status).toBe(403)
})

test("Google's client library exchanges and impersonates with an external account file", async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-sts-'))
  try {
    await writeFile(join(folder, 'token'), await subjectToken())
    const credentials = {
      type: 'external_account' as const,
      audience: audienceOf(),
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${cloud.url()}/sts.googleapis.com/v1/token`,
      service_account_impersonation_url: `${cloud.url()}/iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${email}:generateAccessToken`,
      credential_source: { file: join(folder, 'token') },
    }
    const ask = async () => (await (await new GoogleAuth({ credentials, scopes: ['https://www.googleapis.com/auth/cloud-platform'] }).getClient()).getAccessToken()).token ?? ''
    await expect(ask()).rejects.toThrow(/iam\.serviceAccounts\.getAccessToken/)
    const set = await cloud.call('POST', `${iam}/projects/moshi-3/serviceAccounts/${email}:setIamPolicy`, {
      body: {
        policy: {
          bindings: [
            {
              role: 'roles/iam.workloadIdentityUser',
              members: [`principalSet://iam.googleapis.com/projects/${number}/locations/global/workloadIdentityPools/github/attribute.repository_id/424242`],
            },
          ],
        },
      },
    })
    expect(set.status, set.text).toBe(200)
    cloud.kernel().policies.grant('projects/moshi-3', 'roles/iam.serviceAccountViewer', `serviceAccount:${email}`)
    expect((await cloud.call('GET', `${iam}/projects/moshi-3/serviceAccounts`, { token: await ask() })).status).toBe(200)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('what is wrong with a token is said in OAuth’s form, with the claim', async () => {
  const now = Math.floor(Date.now() / 1000)
  for (const [token, error, description] of [
    ['not-a-jwt', 'invalid_grant', /Unable to parse/],
    [await subjectToken({ aud: 'https://other.example.com' }), 'invalid_grant', /audience in ID Token \[https:\/\/other\.example\.com\] does not match/],
    [await subjectToken({ iss: 'https://other.example.com' }), 'invalid_grant', /issuer in ID Token/],
    [await subjectToken({ iat: now - 7200, nbf: now - 7200, exp: now - 3600 }), 'invalid_grant', /stale to sign-in/],
    [await subjectToken({ nbf: now + 600 }), 'invalid_grant', /not valid before/],
    [await subjectToken({ repository_id: '1' }), 'unauthorized_client', /rejected by the attribute condition.*assertion\.repository_id is "1"/],
    [await subjectToken({ ref: 'refs/heads/x' }), 'unauthorized_client', /assertion\.ref is "refs\/heads\/x"/],
    [await subjectToken({ sub: 'x'.repeat(200) }), 'invalid_grant', /127 bytes/],
    [`${(await subjectToken()).split('.').slice(0, 2).join('.')}.AAAA`, 'invalid_grant', /signature/],
  ] as const) {
    const answer = await form(token)
    expect(answer.json, token.slice(0, 60)).toEqual({ error, error_description: expect.stringMatching(description) })
    expect(answer.status).toBe(400)
  }
})

test('requests that are none are refused', async () => {
  const token = await subjectToken()
  for (const [change, error] of [
    [{ grant_type: 'password' }, 'unsupported_grant_type'],
    [{ grant_type: '' }, 'invalid_request'],
    [{ audience: '' }, 'invalid_request'],
    [{ audience: 'https://example.com' }, 'invalid_request'],
    [{ audience: audienceOf('nobody') }, 'invalid_target'],
    [{ audience: audienceOf().replace(number, '999999999999') }, 'invalid_target'],
    [{ audience: audienceOf().replace(number, 'moshi-3') }, 'invalid_request'],
    [{ requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }, 'invalid_request'],
    [{ subject_token_type: 'urn:ietf:params:aws:token-type:aws4_request' }, 'invalid_request'],
    [{ subject_token: '' }, 'invalid_request'],
  ] as const) {
    const answer = await form(token, change)
    expect({ status: answer.status, error: answer.json.error }, JSON.stringify(change)).toEqual({ status: 400, error })
  }
  expect((await cloud.call('POST', 'sts.googleapis.com/v1/token', { token: null, body: 'not json' })).status).toBe(400)
})

test('a rotated key is found by asking the issuer again; the old key is good no more', async () => {
  const old = await subjectToken()
  expect((await form(old)).status).toBe(200)
  const before = issuer.keyRequests()
  await issuer.rotate()
  expect((await form(await subjectToken())).status).toBe(200)
  expect(issuer.keyRequests()).toBe(before + 1)
  expect((await form(old)).json).toEqual({ error: 'invalid_grant', error_description: expect.stringMatching(/key "test-key-\d+".*not in the issuer's key set/) })
})

test('an issuer that cannot be asked is named; keys that came with the provider need no issuer', async () => {
  const closed = await startTestIssuer()
  await addProvider('gone', {}, { issuerUri: closed.url })
  await addProvider('inline', {}, { issuerUri: closed.url, jwksJson: JSON.stringify({ keys: closed.keys() }) })
  await closed.close()
  const sign = (provider: string, header = {}) => closed.sign({ ...claims, aud: audienceOf(provider) }, header)
  const answer = await form(await sign('gone'), { audience: audienceOf('gone') })
  expect(answer.json).toEqual({ error: 'invalid_grant', error_description: expect.stringMatching(/Error connecting to the given credential's issuer\..*could not be read/) })
  expect((await form(await sign('inline'), { audience: audienceOf('inline') })).status).toBe(200)
  expect((await form(await sign('inline', { kid: 'other' }), { audience: audienceOf('inline') })).json.error_description).toContain('"other"')
})

test('allowed audiences replace the default ones', async () => {
  await addProvider('custom', {}, { allowedAudiences: ['sigstore', 'deploy'] })
  const exchange = async (aud: string) => (await form(await subjectToken({ aud }), { audience: audienceOf('custom') })).status
  expect([await exchange('deploy'), await exchange(`https:${audienceOf('custom')}`)]).toEqual([200, 400])
})

test('a disabled or deleted provider exchanges nothing more, while tokens of its pool live on', async () => {
  await addProvider('switched', {}, { allowedAudiences: ['a'] })
  const token = await subjectToken({ aud: 'a' })
  const exchange = () => form(token, { audience: audienceOf('switched') })
  const first = await exchange()
  await cloud.call('PATCH', `${pools}/github/providers/switched?updateMask=disabled`, { body: { disabled: true } })
  expect((await exchange()).json).toEqual({ error: 'invalid_target', error_description: expect.stringContaining('disabled or deleted') })
  const use = async () => (await cloud.call('GET', `${iam}/roles/viewer`, { token: first.json.access_token })).status
  expect(await use()).toBe(200)
  await cloud.call('PATCH', `${pools}/github/providers/switched?updateMask=disabled`, { body: { disabled: false } })
  expect((await exchange()).status).toBe(200)
  await cloud.call('DELETE', `${pools}/github/providers/switched`)
  expect((await exchange()).json.error).toBe('invalid_target')
})

test('introspection tells whose a token is, and nothing of others', async () => {
  const { access_token: token } = (await form(await subjectToken())).json
  const ask = (text: string) =>
    cloud.call('POST', 'sts.googleapis.com/v1/introspect', {
      token: null,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ token: text }).toString(),
    })
  expect((await ask(token)).json).toMatchObject({
    active: true,
    username: expect.stringMatching(/^principal:\/\/.*\/subject\/repo:moshi/),
    scope: 'https://www.googleapis.com/auth/iam',
  })
  expect((await ask('ya29.x')).json).toEqual({ active: false })
})
