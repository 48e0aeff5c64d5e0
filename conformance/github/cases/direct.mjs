import assert from 'node:assert/strict'
import { GoogleAuth } from 'google-auth-library'
import { authenticate } from './action.mjs'
import { bind, prepareCloud, project, startGitHub } from './github.mjs'

// This one is found by OpenID Connect Discovery.
const github = await startGitHub()
const { pool, provider } = await prepareCloud({ issuerUri: github.issuer.url })
const bucketUrl = `https://storage.googleapis.com/storage/v1/b/${project}-data/o`
const { auth_token: token } = await authenticate({ workload_identity_provider: provider, project_id: project })
const read = async () => (await fetch(bucketUrl, { headers: { authorization: `Bearer ${token}` } })).json()

const { error } = await read()
assert.equal(error.code, 403)
assert.match(error.message, /storage\.objects\.list/)
assert.match(error.message, /principal:\/\/iam\.googleapis\.com\/.*\/subject\/repo:moshi\/server:environment:production/)
await bind(
  `https://cloudresourcemanager.googleapis.com/v1/projects/${project}`,
  'roles/storage.objectViewer',
  `principalSet://iam.googleapis.com/${pool}/attribute.ref/refs/heads/main`,
)
assert.equal((await read()).kind, 'storage#objects')

const client = await new GoogleAuth({ scopes: ['https://www.googleapis.com/auth/cloud-platform'] }).getClient()
assert.equal((await client.request({ url: bucketUrl })).data.kind, 'storage#objects')
assert.equal(github.issuer.keyRequests(), 1)

// GitHub changes its keys now and then: the new one is asked for, once. Keys that are young are asked for again after some seconds only.
await github.issuer.rotate()
const end = Date.now() + 30_000
for (;;) {
  const again = await authenticate({ workload_identity_provider: provider, project_id: project }).catch((refusal) => refusal)
  if (again.auth_token !== undefined) break
  assert.match(again.message, /not in the issuer's key set/)
  assert.ok(Date.now() < end, 'the new key was never asked for')
  await new Promise((resolve) => setTimeout(resolve, 500))
}
assert.equal(github.issuer.keyRequests(), 2)
await github.close()
