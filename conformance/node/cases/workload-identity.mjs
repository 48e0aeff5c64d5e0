import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { GoogleAuth } from 'google-auth-library'

const { startTestIssuer } = await import(join(process.env.ROOT, 'src/oidc/testing-issuer.ts'))
const project = process.env.PROJECT
const scopes = ['https://www.googleapis.com/auth/cloud-platform']
const owner = await new GoogleAuth({ scopes }).getClient()
const call = async (method, url, data) => (await owner.request({ method, url, ...(data === undefined ? {} : { data }) })).data

const issuer = await startTestIssuer('ES256')
const { projectNumber } = await call('GET', `https://cloudresourcemanager.googleapis.com/v1/projects/${project}`)
const pools = `https://iam.googleapis.com/v1/projects/${project}/locations/global/workloadIdentityPools`
for (const [url, body] of [
  [`${pools}?workloadIdentityPoolId=outside`, {}],
  [
    `${pools}/outside/providers?workloadIdentityPoolProviderId=issuer`,
    { attributeMapping: { 'google.subject': 'assertion.sub', 'google.groups': 'assertion.groups' }, oidc: { issuerUri: issuer.url } },
  ],
]) {
  for (let operation = await call('POST', url, body); operation.done !== true; operation = await call('GET', `https://iam.googleapis.com/v1/${operation.name}`))
    assert.equal(operation.error, undefined)
}
const pool = `projects/${projectNumber}/locations/global/workloadIdentityPools/outside`
const audience = `//iam.googleapis.com/${pool}/providers/issuer`
const email = `worker@${project}.iam.gserviceaccount.com`
await call('POST', `https://iam.googleapis.com/v1/projects/${project}/serviceAccounts`, { accountId: 'worker' })
await call('POST', `https://iam.googleapis.com/v1/projects/${project}/serviceAccounts/${email}:setIamPolicy`, {
  policy: { bindings: [{ role: 'roles/iam.workloadIdentityUser', members: [`principalSet://iam.googleapis.com/${pool}/group/workers`] }] },
})
await call('POST', `https://storage.googleapis.com/storage/v1/b?project=${project}`, { name: `${project}-data` })
const policyUrl = `https://cloudresourcemanager.googleapis.com/v1/projects/${project}`
const policy = await call('POST', `${policyUrl}:getIamPolicy`, {})
const bindings = [{ role: 'roles/storage.objectViewer', members: [`serviceAccount:${email}`, `principal://iam.googleapis.com/${pool}/subject/robot`] }, ...(policy.bindings ?? [])]
await call('POST', `${policyUrl}:setIamPolicy`, { policy: { ...policy, bindings } })

const sign = (claims = {}, header = {}) => issuer.sign({ sub: 'robot', groups: ['workers'], aud: `https:${audience}`, ...claims }, header)
let files = 0
/** What a program does with such a file: asks for a token by it, and lists a bucket. */
async function use(token, { asAccount = false } = {}) {
  files += 1
  writeFileSync(`token-${files}`, token)
  const credentials = {
    type: 'external_account',
    audience,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: 'https://sts.googleapis.com/v1/token',
    credential_source: { file: `token-${files}` },
    ...(asAccount ? { service_account_impersonation_url: `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${email}:generateAccessToken` } : {}),
  }
  writeFileSync(`credentials-${files}.json`, JSON.stringify(credentials))
  const client = await new GoogleAuth({ keyFile: `credentials-${files}.json`, scopes }).getClient()
  return (await client.request({ url: `https://storage.googleapis.com/storage/v1/b/${project}-data/o` })).data.kind
}

assert.equal(await use(await sign()), 'storage#objects')
assert.equal(await use(await sign(), { asAccount: true }), 'storage#objects')
await assert.rejects(use(await sign({ sub: 'stranger' })), /storage\.objects\.list/)
await assert.rejects(use(await sign({ groups: ['guests'] }), { asAccount: true }), /iam\.serviceAccounts\.getAccessToken/)

const now = Math.floor(Date.now() / 1000)
const plain = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
const [head, body] = (await sign()).split('.')
for (const [what, token, message] of [
  ['another audience', await sign({ aud: 'https://example.com' }), /audience in ID Token \[https:\/\/example\.com\]/],
  ['expired', await sign({ iat: now - 7200, nbf: now - 7200, exp: now - 3600 }), /stale/],
  ['not yet valid', await sign({ nbf: now + 600 }), /not valid before/],
  ['another issuer', await sign({ iss: 'https://example.com' }), /issuer in ID Token/],
  ['alg none', `${plain({ alg: 'none', typ: 'JWT' })}.${body}.`, /none|signature|alg/i],
  ['signed with the public key', `${plain({ alg: 'HS256', typ: 'JWT' })}.${body}.AAAA`, /HS256|alg/],
  ['a signature of something else', `${head}.${body}.${(await sign({ sub: 'other' })).split('.')[2]}`, /signature/],
  ['a key that nobody has', await sign({}, { kid: 'nobody' }), /"nobody".*not in the issuer's key set/],
  ['no token at all', 'hello', /parse/],
]) {
  await assert.rejects(use(token), (error) => message.test(error.message) || assert.fail(`${what}: ${error.message}`))
}

await issuer.rotate()
const end = Date.now() + 30_000
for (;;) {
  const kind = await use(await sign()).catch((error) => (/not in the issuer's key set/.test(error.message) ? undefined : Promise.reject(error)))
  if (kind === 'storage#objects') break
  assert.ok(Date.now() < end, 'the new key was never asked for')
  await new Promise((resolve) => setTimeout(resolve, 500))
}
await issuer.close()
