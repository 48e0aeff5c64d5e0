import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { promisify } from 'node:util'
import { GoogleAuth } from 'google-auth-library'
import { authenticate } from './action.mjs'
import { bind, email, GITHUB, owner, prepareCloud, project, startGitHub } from './github.mjs'

const run = promisify(execFile)
// GitHub's own name as the issuer, with keys given to the provider: nothing is asked of GitHub.
const github = await startGitHub({ issuer: GITHUB })
const { pool, provider } = await prepareCloud({ issuerUri: GITHUB, jwksJson: JSON.stringify({ keys: github.issuer.keys() }) })
const inputs = { workload_identity_provider: provider, service_account: email, project_id: project, token_format: 'access_token' }
const accountUrl = `https://iam.googleapis.com/v1/projects/${project}/serviceAccounts/${email}`
const bucketUrl = `https://storage.googleapis.com/storage/v1/b/${project}-data/o`

// The exchange is granted, but nobody said that this repository may be the account.
await assert.rejects(authenticate(inputs), /iam\.serviceAccounts\.getAccessToken.*roles\/iam\.workloadIdentityUser/s)
await bind(accountUrl, 'roles/iam.workloadIdentityUser', `principalSet://iam.googleapis.com/${pool}/attribute.repository_id/424242`)
await bind(`https://cloudresourcemanager.googleapis.com/v1/projects/${project}`, 'roles/storage.objectAdmin', `serviceAccount:${email}`)

const first = await authenticate(inputs)
assert.equal(github.asked.at(-1), `https://iam.googleapis.com/${provider}`)
assert.match(first.access_token, /^ya29\./)
assert.equal((await (await fetch(`https://oauth2.googleapis.com/tokeninfo?access_token=${first.access_token}`)).json()).email, email)
assert.equal((await fetch(bucketUrl, { headers: { authorization: `Bearer ${first.access_token}` } })).status, 200)
// The federated token is not the account: it may be the account, and no more.
assert.equal((await fetch(bucketUrl, { headers: { authorization: `Bearer ${first.auth_token}` } })).status, 403)

const second = await authenticate({ ...inputs, token_format: 'id_token', id_token_audience: 'https://service.example.com' })
const claims = JSON.parse(Buffer.from(second.id_token.split('.')[1], 'base64url').toString())
assert.deepEqual([claims.aud, claims.email, claims.email_verified, claims.iss], ['https://service.example.com', email, true, 'https://accounts.google.com'])

// What later steps of the job see.
const exported = readFileSync(process.env.GITHUB_ENV, 'utf8')
for (const name of ['CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE', 'GOOGLE_APPLICATION_CREDENTIALS', 'GOOGLE_GHA_CREDS_PATH', 'GOOGLE_CLOUD_PROJECT'])
  assert.match(exported, new RegExp(`^${name}<<`, 'm'))
assert.equal(process.env.GOOGLE_APPLICATION_CREDENTIALS, second.credentials_file_path)
assert.equal(statSync(second.credentials_file_path).mode & 0o007, 0)

const client = await new GoogleAuth({ scopes: ['https://www.googleapis.com/auth/cloud-platform'] }).getClient()
await client.request({
  url: `https://storage.googleapis.com/upload/storage/v1/b/${project}-data/o?uploadType=media&name=from-a-job.txt`,
  method: 'POST',
  body: 'hello',
  headers: { 'content-type': 'text/plain' },
})
assert.deepEqual(
  (await client.request({ url: bucketUrl })).data.items.map((item) => item.name),
  ['from-a-job.txt'],
)

const hasGcloud = await run('gcloud', ['version']).then(
  () => true,
  () => false,
)
if (hasGcloud) {
  const { stdout } = await run('gcloud', ['storage', 'ls', `gs://${project}-data`], {
    env: { ...process.env, CLOUDSDK_CONFIG: `${process.cwd()}/gcloud`, CLOUDSDK_CORE_ACCOUNT: '' },
  })
  assert.match(stdout, /from-a-job\.txt/)
}
console.log(`gcloud with the file: ${hasGcloud ? 'yes' : 'not installed here'}`)

// What is taken back is taken back at once.
const policy = await owner('POST', `${accountUrl}:getIamPolicy`, {})
await owner('POST', `${accountUrl}:setIamPolicy`, { policy: { ...policy, bindings: [] } })
await assert.rejects(authenticate(inputs), /iam\.serviceAccounts\.getAccessToken/)
await github.close()
