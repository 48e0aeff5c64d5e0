/** A stand-in for GitHub Actions: the runner's token endpoint, and an issuer with GitHub's claims. And what an owner prepares in the cloud. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { join } from 'node:path'

const { startTestIssuer } = await import(join(process.env.ROOT, 'src/oidc/testing-issuer.ts'))
/** What GitHub's own tokens say: https://docs.github.com/actions/reference/openid-connect-reference */
export const GITHUB = 'https://token.actions.githubusercontent.com'
export const project = process.env.PROJECT
export const email = `deployer@${project}.iam.gserviceaccount.com`

const defaults = {
  actor: 'octo',
  actor_id: '12',
  base_ref: '',
  environment: 'production',
  event_name: 'push',
  head_ref: '',
  job_workflow_ref: 'moshi/server/.github/workflows/deploy.yml@refs/heads/main',
  ref: 'refs/heads/main',
  ref_protected: 'true',
  ref_type: 'branch',
  repository: 'moshi/server',
  repository_id: '424242',
  repository_owner: 'moshi',
  repository_owner_id: '65',
  repository_visibility: 'private',
  run_attempt: '1',
  run_id: '1',
  run_number: '1',
  runner_environment: 'github-hosted',
  sha: '9a49b3d6f8e06b4a5d2bd7ca4ba2df2a2a0c2ee9',
  workflow: 'deploy',
}

/** `issuer`: what tokens say that they are from; default: the loopback issuer itself. `set` changes the claims of the next tokens. */
export async function startGitHub({ issuer: name } = {}) {
  const issuer = await startTestIssuer()
  const secret = randomUUID()
  let changes = {}
  const asked = []
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://runner')
    if (request.headers.authorization !== `Bearer ${secret}`) return void response.writeHead(401, { 'content-type': 'application/json' }).end('{}')
    asked.push(url.searchParams.get('audience'))
    const all = { ...defaults, ...changes }
    const sub = all.environment === undefined ? `repo:${all.repository}:ref:${all.ref}` : `repo:${all.repository}:environment:${all.environment}`
    const value = await issuer.sign({
      iss: name ?? issuer.url,
      aud: url.searchParams.get('audience') ?? `https://github.com/${all.repository_owner}`,
      jti: randomUUID(),
      sub,
      ...all,
    })
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ count: value.length, value }))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  process.env.ACTIONS_ID_TOKEN_REQUEST_URL = `http://127.0.0.1:${server.address().port}/token?api-version=2.0`
  process.env.ACTIONS_ID_TOKEN_REQUEST_TOKEN = secret
  return {
    issuer,
    asked,
    set: (claims) => void (changes = claims),
    async close() {
      server.closeAllConnections()
      server.close()
      await issuer.close()
    },
  }
}

/** A call as the owner. */
export async function owner(method, url, body) {
  const response = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${process.env.OWNER_TOKEN}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  assert.ok(response.ok, `${method} ${url}: ${response.status} ${text}`)
  return text === '' ? {} : JSON.parse(text)
}

async function done(operation) {
  for (let name = operation.name; operation.done !== true; operation = await owner('GET', `https://iam.googleapis.com/v1/${name}`))
    await new Promise((resolve) => setTimeout(resolve, 100))
  assert.equal(operation.error, undefined)
}

/** A pool with a provider, as a team makes them for its repository: by ids, which nobody else can register, and for one branch. Gives the provider's and the pool's names. */
export async function prepareCloud(oidc) {
  const { projectNumber } = await owner('GET', `https://cloudresourcemanager.googleapis.com/v1/projects/${project}`)
  const pools = `https://iam.googleapis.com/v1/projects/${project}/locations/global/workloadIdentityPools`
  await done(await owner('POST', `${pools}?workloadIdentityPoolId=github`, { displayName: 'GitHub' }))
  await done(
    await owner('POST', `${pools}/github/providers?workloadIdentityPoolProviderId=actions`, {
      attributeMapping: { 'google.subject': 'assertion.sub', 'attribute.repository_id': 'assertion.repository_id', 'attribute.ref': 'assertion.ref' },
      attributeCondition: "assertion.repository_owner_id == '65' && assertion.repository_id == '424242' && assertion.ref == 'refs/heads/main'",
      oidc,
    }),
  )
  const pool = `projects/${projectNumber}/locations/global/workloadIdentityPools/github`
  await owner('POST', `https://iam.googleapis.com/v1/projects/${project}/serviceAccounts`, { accountId: 'deployer' })
  await owner('POST', `https://storage.googleapis.com/storage/v1/b?project=${project}`, { name: `${project}-data` })
  return { pool, provider: `${pool}/providers/actions` }
}

/** Adds one member to a policy, as every tool does it: read, change, write with the etag. */
export async function bind(url, role, member) {
  const policy = await owner('POST', `${url}:getIamPolicy`, {})
  await owner('POST', `${url}:setIamPolicy`, { policy: { ...policy, bindings: [...(policy.bindings ?? []), { role, members: [member] }] } })
}
