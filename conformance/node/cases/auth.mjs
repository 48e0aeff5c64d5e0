import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Storage } from '@google-cloud/storage'
import { GoogleAuth, Impersonated, JWT } from 'google-auth-library'

const scopes = ['https://www.googleapis.com/auth/cloud-platform']
const email = process.env.EMAIL
const who = async (token) => (await (await fetch(`${process.env.KILN_CLOUD_URL}/oauth2.googleapis.com/tokeninfo?access_token=${token}`)).json()).email

const owner = await new GoogleAuth({ scopes }).getClient()
assert.ok((await owner.getAccessToken()).token)

const keyed = await new GoogleAuth({ keyFile: 'key.json', scopes }).getClient()
assert.equal(await who((await keyed.getAccessToken()).token), email)

// No token endpoint: the request carries a JWT that the key has signed for this API, or for a scope.
const key = JSON.parse(readFileSync('key.json', 'utf8'))
const list = `https://iam.googleapis.com/v1/projects/${process.env.PROJECT}/serviceAccounts`
for (const own of [{}, { scopes }]) {
  const ask = async (as) => {
    const jwt = new JWT({ email: as, key: key.private_key, keyId: key.private_key_id, ...own })
    jwt.useJWTAccessWithScope = own.scopes !== undefined
    return (await fetch(list, { headers: await jwt.getRequestHeaders('https://iam.googleapis.com/') })).json()
  }
  // Known, but without a role.
  assert.match((await ask(email)).error.message, /iam\.serviceAccounts\.list.*Roles that have it/)
  assert.equal((await ask(`other-${email}`)).error.code, 401)
}

const impersonated = new Impersonated({ sourceClient: owner, targetPrincipal: email, targetScopes: scopes, lifetime: 600 })
assert.equal(await who((await impersonated.getAccessToken()).token), email)

const idClient = await new GoogleAuth({ keyFile: 'key.json' }).getIdTokenClient('https://service.example.com')
const headers = await idClient.getRequestHeaders()
const token = (headers.get?.('authorization') ?? headers.Authorization).split(' ')[1]
const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString())
assert.equal(claims.aud, 'https://service.example.com')

const [signed] = await new Storage({ keyFilename: 'key.json' })
  .bucket('any')
  .file('one')
  .getSignedUrl({ version: 'v4', action: 'read', expires: Date.now() + 60_000 })
// Not served yet: a signature in the URL counts as no token.
assert.equal((await fetch(signed)).status, 401)

await owner.request({ url: `https://iam.googleapis.com/v1/projects/-/serviceAccounts/${email}/keys/${key.private_key_id}`, method: 'DELETE' })
const again = await new GoogleAuth({ keyFile: 'key.json', scopes }).getClient()
await assert.rejects(again.getAccessToken(), /invalid_grant|Invalid JWT/)
