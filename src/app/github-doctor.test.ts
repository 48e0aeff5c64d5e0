/** Against the real iam room: the provider is read as it is live. */
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../host/exec.ts'
import { removeAll } from '../host/files.ts'
import { kilnHome } from '../host/home.ts'
import { startTestIssuer } from '../oidc/testing-issuer.ts'
import type { TestIssuer } from '../oidc/testing-issuer.ts'
import { cloudStatus, ownerToken, startCloud, stopCloud } from './cloud/control.ts'
import { examineGithubToken } from './github-doctor.ts'
import type { GithubDoctorOptions } from './github-doctor.ts'

const folder = await mkdtemp(join(tmpdir(), 'kiln-oidc-'))
const home = kilnHome({ KILN_HOME: join(folder, 'home') })
let issuer: TestIssuer
let post: (path: string, body: unknown) => Promise<Record<string, unknown>>

beforeAll(async () => {
  issuer = await startTestIssuer()
  await writeFile(
    join(folder, 'kiln.config.ts'),
    `export default { project: { id: 'moshi-oidc' }, location: { region: 'us-central1' }, images: { base: { debian: 'bookworm' } } }
`,
  )
  await mkdir(home.root, { recursive: true })
  const { daemon } = await startCloud({ home, port: 0 })
  const { accessToken } = await ownerToken(home, daemon.url)
  post = async (path, body) => {
    const response = await fetch(`${daemon.url}/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' },
    })
    const answer = (await response.json()) as Record<string, unknown>
    if (!response.ok) throw new Error(`${path}: ${JSON.stringify(answer)}`)
    return answer
  }
  await post('cloudresourcemanager.googleapis.com/v3/projects', { projectId: 'moshi-oidc' })
  await post('serviceusage.googleapis.com/v1/projects/moshi-oidc/services:batchEnable', { serviceIds: ['iam.googleapis.com'] })
})
afterAll(async () => {
  await stopCloud(home)
  await issuer.close()
  await removeAll(folder)
})

async function examine(claims: Readonly<Record<string, unknown>>, more: Partial<GithubDoctorOptions> = {}): ReturnType<typeof examineGithubToken> {
  const path = join(folder, 'token')
  await writeFile(path, await issuer.sign(claims))
  return examineGithubToken({ home, dir: folder, note: () => {}, token: path, ...more })
}

test('no provider: the next action is said', async () => {
  await expect(examine({})).rejects.toMatchObject({ code: 'E_NOT_FOUND', hint: expect.stringContaining('github') })
})

test('the live provider decides, with the keys of the live issuer, also after they are rotated', async () => {
  const parent = 'iam.googleapis.com/v1/projects/moshi-oidc/locations/global/workloadIdentityPools'
  await post(`${parent}?workloadIdentityPoolId=github`, {})
  await post(`${parent}/github/providers?workloadIdentityPoolProviderId=moshi`, {
    oidc: { issuerUri: issuer.url, allowedAudiences: ['kiln'] },
    attributeMapping: { 'google.subject': 'assertion.sub' },
    attributeCondition: "assertion.repository_id == '4711' && assertion.ref == 'refs/heads/main'",
  })
  const claims = { sub: 'repo:moshi/moshi', aud: 'kiln', repository_id: '4711', ref: 'refs/heads/main' }
  const good = await examine(claims)
  expect(good).toMatchObject({ admitted: true, provider: expect.stringMatching(/workloadIdentityPools\/github\/providers\/moshi$/) })
  expect(await examine({ ...claims, repository_id: '1' })).toMatchObject({ admitted: false, failure: { name: 'condition', claim: 'assertion.repository_id' } })
  await issuer.rotate()
  expect(await examine(claims)).toMatchObject({ admitted: true })
  issuer.answerWith({ status: 503, body: 'down' })
  expect(await examine(claims)).toMatchObject({ admitted: false, failure: { name: 'key', message: expect.stringContaining('503') } })
  issuer.answerWith(undefined)
})

test('the account of the stack: its policy, or its project’s, must let the token act as it', async () => {
  await mkdir(join(folder, 'with-github'), { recursive: true })
  await writeFile(
    join(folder, 'with-github', 'kiln.config.ts'),
    `export default { project: { id: 'moshi-oidc' }, location: { region: 'us-central1' }, images: { base: { debian: 'bookworm' } }, github: { repository: 'moshi/moshi', repositoryId: '4711' } }
`,
  )
  const claims = { sub: 'repo:moshi/moshi', aud: 'kiln', repository_id: '4711', ref: 'refs/heads/main' }
  const look = (change: object = {}) => examine({ ...claims, ...change }, { dir: join(folder, 'with-github') })
  const email = 'github-deployer@moshi-oidc.iam.gserviceaccount.com'
  expect(await look()).toMatchObject({ admitted: false, failure: { name: 'account', message: `there is no service account ${email}`, next: expect.stringContaining('github') } })
  await post('iam.googleapis.com/v1/projects/moshi-oidc/serviceAccounts', { accountId: 'github-deployer' })
  expect(await look()).toMatchObject({ admitted: false, failure: { name: 'account', message: `the policy of ${email} names nobody` } })

  const { provider } = await look()
  const pool = provider.replace(/\/providers\/.*/, '')
  const allow = (member: string, on = `iam.googleapis.com/v1/projects/moshi-oidc/serviceAccounts/${email}`) =>
    post(`${on}:setIamPolicy`, { policy: { bindings: [{ role: 'roles/iam.workloadIdentityUser', members: [member] }] } })
  await allow(`principalSet://iam.googleapis.com/${pool}/attribute.repository_id/1`)
  expect((await look()).failure).toMatchObject({ name: 'account', message: expect.stringContaining('names others'), next: expect.stringContaining('add-iam-policy-binding') })
  const subject = `principal://iam.googleapis.com/${pool}/subject/${claims.sub}`
  await allow(subject)
  const good = await look()
  expect(good).toMatchObject({ admitted: true, principal: subject })
  expect(good.steps.at(-1)).toEqual({ name: 'account', status: 'ok', message: `${subject} acts as ${email} by roles/iam.workloadIdentityUser` })
  // refused before: there is nobody who could act
  expect((await look({ sub: undefined })).steps.at(-1)).toMatchObject({ name: 'account', status: 'skipped' })
})

test('--target gcp asks Google: the same provider and policy through its own API, with the credentials of this machine', { timeout: 120_000 }, async () => {
  const token = join(folder, 'token')
  await writeFile(token, await issuer.sign({ sub: 'repo:moshi/moshi', aud: 'kiln', repository_id: '4711', ref: 'refs/heads/main' }))
  await writeFile(join(folder, 'keys.json'), JSON.stringify({ keys: issuer.keys() }))
  const kiln = fileURLToPath(new URL('../../kiln', import.meta.url))
  const asked = ['doctor', 'github', '--target', 'gcp', '--json', '--token', token, '--keys', join(folder, 'keys.json'), '--stack', join(folder, 'with-github')]
  // with the data folder of another pocket cloud, which is neither asked nor started
  const elsewhere = join(folder, 'another-home')
  const { stdout } = await run({ program: kiln, args: ['cloud', 'exec', '--', 'env', `KILN_HOME=${elsewhere}`, kiln, ...asked], env: { KILN_HOME: home.root } })
  expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({
    admitted: true,
    provider: expect.stringMatching(/workloadIdentityPools\/github\/providers\/moshi$/),
    steps: expect.arrayContaining([expect.objectContaining({ name: 'condition', status: 'ok' }), expect.objectContaining({ name: 'account', status: 'ok' })]),
  })
  expect(await cloudStatus(kilnHome({ KILN_HOME: elsewhere }))).toMatchObject({ running: false })
})
