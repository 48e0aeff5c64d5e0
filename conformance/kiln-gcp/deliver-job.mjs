import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { GITHUB, owner, project, startGitHub } from './github.mjs'
import { runJob } from './job.mjs'

const made = JSON.parse(readFileSync('up.json', 'utf8'))
const { provider, serviceAccount } = made.github
const stack = join(process.cwd(), 'stack')
// where `npm ci` puts it
mkdirSync(join(stack, 'node_modules/.bin'), { recursive: true })
symlinkSync(process.env.KILN, join(stack, 'node_modules/.bin/kiln'))

const server = await startGitHub({ issuer: GITHUB })
const claims = { repository: 'moshi/server', repository_id: '424242', environment: undefined }
server.set(claims)
// GitHub's own name stands in the provider; its keys are those of the stand-in, so that nothing is asked of GitHub
await owner('PATCH', `https://iam.googleapis.com/v1/${provider}?updateMask=oidc.jwksJson`, { oidc: { jwksJson: JSON.stringify({ keys: server.issuer.keys() }) } })

const sha = '9a49b3d6f8e06b4a5d2bd7ca4ba2df2a2a0c2ee9'
const common = {
  cwd: stack,
  home: join(process.cwd(), 'runner'),
  vars: { KILN_WORKLOAD_IDENTITY_PROVIDER: provider, KILN_SERVICE_ACCOUNT: serviceAccount, PROJECT: project },
  github: { GITHUB_SHA: sha, GITHUB_ACTOR: 'octo', GITHUB_REPOSITORY: 'moshi/server', GITHUB_RUN_NUMBER: '7', GITHUB_WORKFLOW: 'deliver' },
}
const deliver = join(stack, '.github/workflows/deliver.yml')
const pyproject = join(stack, 'server/pyproject.toml')
const version = async () => (await (await fetch(`${made.url}/version`)).json()).version
const files = async () => (await owner('GET', `https://artifactregistry.googleapis.com/v1/projects/${project}/locations/us-central1/repositories/pypi/files`)).files.length
writeFileSync(pyproject, readFileSync(pyproject, 'utf8').replace(/^version = .*$/m, 'version = "0.2.0"'))

// The same workflow of somebody else's repository does not get beyond signing in.
const before = await files()
server.set({ ...claims, repository: 'mallory/server', repository_id: '666' })
await assert.rejects(runJob(deliver, common), /repository_id|Error code|invalid_grant|unauthorized_client|condition/)
server.set(claims)
assert.equal(await files(), before)
assert.equal(await version(), '0.1.0')

const said = await runJob(deliver, common)
assert.deepEqual(
  said.map(({ name }) => name),
  ["Install what is missing, from Debian's packages", 'Publish', 'Bake, boot test, promote', 'Deploy, behind health gates', 'Verify'],
)
assert.equal(await version(), '0.2.0')
assert.ok((await files()) > before)
assert.deepEqual(server.asked.at(-1), `https://iam.googleapis.com/${provider}`)

await runJob(join(stack, '.github/workflows/rollback.yml'), { ...common, inputs: { release: '' } })
assert.equal(await version(), '0.1.0')

// No key was ever made, and what the account may do ends at delivering.
const keys = await owner('GET', `https://iam.googleapis.com/v1/projects/${project}/serviceAccounts/${serviceAccount}/keys?keyTypes=USER_MANAGED`)
assert.equal((keys.keys ?? []).length, 0)
const { accessToken } = await owner('POST', `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${serviceAccount}:generateAccessToken`, {
  scope: ['https://www.googleapis.com/auth/cloud-platform'],
})
const refused = async (method, url) => assert.equal((await fetch(url, { method, headers: { authorization: `Bearer ${accessToken}` } })).status, 403, url)
await refused('GET', `https://storage.googleapis.com/storage/v1/b/${project}-storage/o`)
await refused('GET', `https://storage.googleapis.com/storage/v1/b/${project}-kiln-state/o`)
await refused('POST', `https://cloudresourcemanager.googleapis.com/v1/projects/${project}:getIamPolicy`)
await server.close()
