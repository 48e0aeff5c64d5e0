import assert from 'node:assert/strict'
import { authenticate } from './action.mjs'
import { owner, prepareCloud, project, startGitHub } from './github.mjs'

const github = await startGitHub()
const { provider } = await prepareCloud({ issuerUri: github.issuer.url })
const inputs = { workload_identity_provider: provider, project_id: project }

/** The action fails with `part` in what the token endpoint says; the first call shows that it is for this alone. */
async function refused(what, claims, part, change = {}) {
  github.set(claims)
  const refusal = await authenticate({ ...inputs, ...change }).then(
    () => assert.fail(`${what} was admitted`),
    (error) => error,
  )
  assert.equal(refusal.statusCode, 400, what)
  assert.match(refusal.result.error_description, part, what)
  github.set({})
}

assert.match((await authenticate(inputs)).auth_token, /^ya29\./)
await refused('another repository', { repository_id: '7', repository: 'moshi/other' }, /assertion\.repository_id is "7"/)
await refused('a repository of the same name, of somebody else', { repository_owner_id: '66' }, /assertion\.repository_owner_id is "66"/)
await refused('another branch', { ref: 'refs/heads/experiment' }, /assertion\.ref is "refs\/heads\/experiment"/)
await refused("a fork's pull request", { ref: 'refs/pull/3/merge', event_name: 'pull_request' }, /assertion\.ref is "refs\/pull\/3\/merge"/)
await refused('a token without the claim', { repository_id: undefined }, /repository_id/)
await refused('another audience', {}, /audience in ID Token \[https:\/\/example\.com\]/, { audience: 'https://example.com' })
await refused('an old token', { iat: 1_600_000_000, nbf: 1_600_000_000, exp: 1_600_000_600 }, /stale/)
await refused('another issuer', { iss: 'https://example.com' }, /issuer in ID Token/)
await refused('a provider that is none', {}, /because it doesn't exist/, { workload_identity_provider: provider.replace('/actions', '/nobody') })

const url = `https://iam.googleapis.com/v1/${provider}?updateMask=disabled`
await owner('PATCH', url, { disabled: true })
await refused('a provider that is switched off', {}, /disabled or deleted/)
await owner('PATCH', url, { disabled: false })

// A job without `permissions: id-token: write` has no such secret.
process.env.ACTIONS_ID_TOKEN_REQUEST_TOKEN = 'none'
await assert.rejects(authenticate(inputs), /ID Token|401/)
await github.close()
