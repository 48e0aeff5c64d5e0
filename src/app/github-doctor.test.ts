/** Against the real iam room: the provider is read as it is live. */
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { removeAll } from '../host/files.ts'
import { kilnHome } from '../host/home.ts'
import { startTestIssuer } from '../oidc/testing-issuer.ts'
import type { TestIssuer } from '../oidc/testing-issuer.ts'
import { ownerToken, startCloud, stopCloud } from './cloud/control.ts'
import { examineGithubToken } from './github-doctor.ts'

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

async function examine(claims: Readonly<Record<string, unknown>>): ReturnType<typeof examineGithubToken> {
  const path = join(folder, 'token')
  await writeFile(path, await issuer.sign(claims))
  return examineGithubToken({ home, dir: folder, token: path })
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
