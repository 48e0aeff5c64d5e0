import { afterEach, beforeEach, expect, test } from 'vitest'
import { createReports } from './reports.ts'
import type { Reports } from './reports.ts'
import { startFakeGithub } from './testing.ts'
import type { FakeGithub } from './testing.ts'

let github: FakeGithub
let reports: Reports
beforeEach(async () => {
  github = await startFakeGithub()
  reports = createReports({ repository: 'moshi/moshi', token: 'ghp_example', apiUrl: `${github.url}/`, userAgent: 'kiln/0' })
})
afterEach(() => github.close())
const commit = 'a'.repeat(40)

test("a commit's status, a deployment and its state, as GitHub's API wants them", async () => {
  await reports.commitStatus(commit, { state: 'pending', context: 'kiln/moshi-3', description: 'x'.repeat(200) })
  const deployment = await reports.createDeployment(commit, { environment: 'moshi-3', description: 'pipeline 1' })
  await reports.deploymentStatus(deployment, { state: 'success', description: 'done', url: 'http://127.0.0.1:8080' })
  const authorization = 'Bearer ghp_example'
  expect(github.requests).toEqual([
    { method: 'POST', path: `/repos/moshi/moshi/statuses/${commit}`, authorization, body: { state: 'pending', context: 'kiln/moshi-3', description: `${'x'.repeat(139)}…` } },
    {
      method: 'POST',
      path: '/repos/moshi/moshi/deployments',
      authorization,
      body: { ref: commit, environment: 'moshi-3', description: 'pipeline 1', auto_merge: false, required_contexts: [] },
    },
    {
      method: 'POST',
      path: '/repos/moshi/moshi/deployments/9001/statuses',
      authorization,
      body: { state: 'success', description: 'done', environment_url: 'http://127.0.0.1:8080' },
    },
  ])
})

test('what GitHub says against it is told, without the token', async () => {
  github.failNext(403, { message: 'Resource not accessible by integration' })
  const refused = await reports.commitStatus(commit, { state: 'success', context: 'kiln', description: '' }).catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'E_NETWORK', message: expect.stringContaining('(403): Resource not accessible by integration') })
  expect(String(refused)).not.toContain('ghp_example')
  github.failNext(202, { message: 'Auto-merged main into the branch' })
  await expect(reports.createDeployment(commit, { environment: 'e', description: '' })).rejects.toMatchObject({ message: expect.stringContaining('Auto-merged') })
})

test('a server that does not answer is given up', async () => {
  const slow = createReports({
    repository: 'moshi/moshi',
    token: 't',
    userAgent: 'kiln/0',
    timeoutMs: 50,
    fetch: async (_url, init) => new Promise((_resolve, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error))),
  })
  await expect(slow.commitStatus(commit, { state: 'success', context: 'kiln', description: '' })).rejects.toMatchObject({ code: 'E_NETWORK' })
})
