import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { GoogleAuth, Impersonated } from 'google-auth-library'

const scopes = ['https://www.googleapis.com/auth/cloud-platform']
const email = process.env.EMAIL
const who = async (token) => (await (await fetch(`${process.env.KILN_CLOUD_URL}/oauth2.googleapis.com/tokeninfo?access_token=${token}`)).json()).email

const owner = await new GoogleAuth({ scopes }).getClient()
assert.ok((await owner.getAccessToken()).token)

const keyed = await new GoogleAuth({ keyFile: 'key.json', scopes }).getClient()
assert.equal(await who((await keyed.getAccessToken()).token), email)

const impersonated = new Impersonated({ sourceClient: owner, targetPrincipal: email, targetScopes: scopes, lifetime: 600 })
assert.equal(await who((await impersonated.getAccessToken()).token), email)

const idClient = await new GoogleAuth({ keyFile: 'key.json' }).getIdTokenClient('https://service.example.com')
const headers = await idClient.getRequestHeaders()
const token = (headers.get?.('authorization') ?? headers.Authorization).split(' ')[1]
const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString())
assert.equal(claims.aud, 'https://service.example.com')

const key = JSON.parse(readFileSync('key.json', 'utf8'))
await owner.request({ url: `https://iam.googleapis.com/v1/projects/-/serviceAccounts/${email}/keys/${key.private_key_id}`, method: 'DELETE' })
const again = await new GoogleAuth({ keyFile: 'key.json', scopes }).getClient()
await assert.rejects(again.getAccessToken(), /invalid_grant|Invalid JWT/)
