import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitFor } from '../../../base/wait.ts'
import { describeRoomContract } from '../../kernel/room-contract.ts'
import { startTestCloud } from '../../kernel/testing.ts'
import type { TestCloud } from '../../kernel/testing.ts'
import { createCloudResourceManagerRoom } from './index.ts'

const api = 'cloudresourcemanager.googleapis.com'
let cloud: TestCloud

describeRoomContract({ makeRooms: () => [createCloudResourceManagerRoom()], roles: { 'cloudresourcemanager.projects.undelete': 'roles/owner' } })

beforeAll(async () => {
  cloud = await startTestCloud(() => [createCloudResourceManagerRoom()])
})
afterAll(() => cloud.close())

async function create(projectId: string, body: Record<string, unknown> = {}): Promise<void> {
  const started = await cloud.call('POST', `${api}/v1/projects`, { body: { projectId, ...body } })
  expect(started.status, started.text).toBe(200)
  await waitFor({ what: 'the project', timeoutMs: 5000, intervalMs: 10 }, async () => {
    const operation = await cloud.call('GET', `${api}/v1/${started.json.name}`)
    return operation.json.done === true ? { done: true, value: operation.json.response } : { done: false, status: operation.text }
  })
}

test('a project is made by an operation; its creator owns it; the default services are on; all survives a restart', async () => {
  await create('moshi-3', { name: 'Moshi', labels: { team: 'a' } })
  const got = await cloud.call('GET', `${api}/v1/projects/moshi-3`)
  expect(got.json).toMatchObject({ projectId: 'moshi-3', name: 'Moshi', lifecycleState: 'ACTIVE', labels: { team: 'a' }, projectNumber: expect.stringMatching(/^\d{12}$/) })
  expect((await cloud.call('GET', `${api}/v3/projects/${got.json.projectNumber}`)).json).toMatchObject({
    name: `projects/${got.json.projectNumber}`,
    projectId: 'moshi-3',
    state: 'ACTIVE',
  })
  expect((await cloud.call('POST', `${api}/v1/projects/moshi-3:getIamPolicy`)).json.bindings).toEqual([{ role: 'roles/owner', members: ['user:owner@kiln.local'] }])
  expect(cloud.kernel().projects.enabledServices('moshi-3')).toContain('storage.googleapis.com')
  await cloud.restart()
  expect((await cloud.call('GET', `${api}/v1/projects/moshi-3`)).json).toEqual(got.json)
})

test('a taken id is 409, a bad one 400, a missing project 403, a stranger may not create', async () => {
  expect((await cloud.call('POST', `${api}/v1/projects`, { body: { projectId: 'moshi-3' } })).json.error).toMatchObject({ code: 409, status: 'ALREADY_EXISTS' })
  for (const projectId of ['short', 'Upper-case', 'ends-with-', '9-starts', 'a'.repeat(31), '', 'my-google-app']) {
    expect((await cloud.call('POST', `${api}/v1/projects`, { body: { projectId } })).json.error.status, projectId).toBe('INVALID_ARGUMENT')
  }
  expect((await cloud.call('GET', `${api}/v1/projects/no-such-project`)).status).toBe(403)
  expect((await cloud.call('POST', `${api}/v1/projects`, { token: cloud.userToken('x@example.com'), body: { projectId: 'strangers' } })).status).toBe(403)
})

test('others do not see the operation of a project that they do not see', async () => {
  const started = await cloud.call('POST', `${api}/v1/projects`, { body: { projectId: 'hidden-one' } })
  expect((await cloud.call('GET', `${api}/v1/${started.json.name}`, { token: cloud.userToken('x@example.com') })).status).toBe(403)
  expect((await cloud.call('GET', `${api}/v1/operations/no-such-operation`)).status).toBe(404)
})

test('twenty creations of one id at once: one wins', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => cloud.call('POST', `${api}/v1/projects`, { body: { projectId: 'race-one' } })))
  expect(answers.map((answer) => answer.status).filter((status) => status === 200)).toHaveLength(1)
  expect(answers.map((answer) => answer.status).filter((status) => status === 409)).toHaveLength(19)
})

test('lists filter, page to the end, and show a caller only what is theirs', async () => {
  for (const letter of ['a', 'b', 'c', 'd', 'e']) await create(`paged-${letter}`, { labels: { kind: 'paged' } })
  const seen: string[] = []
  let pageToken = ''
  do {
    const answer = await cloud.call('GET', `${api}/v1/projects?filter=labels.kind:paged%20lifecycleState:ACTIVE&pageSize=2&pageToken=${pageToken}`)
    seen.push(...answer.json.projects.map((project: { projectId: string }) => project.projectId))
    pageToken = answer.json.nextPageToken ?? ''
  } while (pageToken !== '')
  expect(seen).toEqual(['paged-a', 'paged-b', 'paged-c', 'paged-d', 'paged-e'])
  expect((await cloud.call('GET', `${api}/v3/projects:search?query=id:paged-c`)).json.projects).toHaveLength(1)
  expect((await cloud.call('GET', `${api}/v1/projects?filter=nonsense`)).status).toBe(400)
  cloud.kernel().policies.grant('projects/paged-b', 'roles/viewer', 'user:reader@example.com')
  const theirs = await cloud.call('GET', `${api}/v1/projects`, { token: cloud.userToken('reader@example.com') })
  expect(theirs.json.projects.map((project: { projectId: string }) => project.projectId)).toEqual(['paged-b'])
})

test('concurrent policy changes: of two writers with one etag, one gets 409', async () => {
  const read = await cloud.call('POST', `${api}/v1/projects/moshi-3:getIamPolicy`, { body: { options: { requestedPolicyVersion: 3 } } })
  const write = (member: string) =>
    cloud.call('POST', `${api}/v1/projects/moshi-3:setIamPolicy`, {
      body: { policy: { version: 3, etag: read.json.etag, bindings: [...read.json.bindings, { role: 'roles/viewer', members: [member] }] } },
    })
  const answers = await Promise.all([write('user:one@example.com'), write('user:two@example.com')])
  expect(answers.map((answer) => answer.status).sort()).toEqual([200, 409])
  expect(answers.find((answer) => answer.status === 409)?.json.error.status).toBe('ABORTED')
  expect((await cloud.call('POST', `${api}/v1/projects/moshi-3:setIamPolicy`, { body: { policy: { version: 2 } } })).status).toBe(400)
})

test('testIamPermissions answers for the caller', async () => {
  cloud.kernel().policies.grant('projects/moshi-3', 'roles/editor', 'user:editor@example.com')
  const answer = await cloud.call('POST', `${api}/v1/projects/moshi-3:testIamPermissions`, {
    token: cloud.userToken('editor@example.com'),
    body: { permissions: ['resourcemanager.projects.get', 'resourcemanager.projects.setIamPolicy', 'iam.serviceAccounts.actAs', 'secretmanager.versions.access'] },
  })
  expect(answer.json.permissions).toEqual(['resourcemanager.projects.get', 'iam.serviceAccounts.actAs'])
})

test('update, delete, undelete', async () => {
  await create('life-cycle')
  expect((await cloud.call('PUT', `${api}/v1/projects/life-cycle`, { body: { name: 'New name', labels: { a: 'b' } } })).json).toMatchObject({
    name: 'New name',
    labels: { a: 'b' },
  })
  const patched = await cloud.call('PATCH', `${api}/v3/projects/life-cycle?updateMask=displayName`, { body: { displayName: 'Again new' } })
  expect(patched.status).toBe(200)
  expect((await cloud.call('GET', `${api}/v3/projects/life-cycle`)).json).toMatchObject({ displayName: 'Again new', labels: { a: 'b' } })
  expect((await cloud.call('PATCH', `${api}/v3/projects/life-cycle`, { body: { displayName: 'Stale etag', etag: 'AAAA' } })).status).toBe(409)
  expect((await cloud.call('DELETE', `${api}/v1/projects/life-cycle`)).status).toBe(200)
  expect((await cloud.call('GET', `${api}/v1/projects/life-cycle`)).json.lifecycleState).toBe('DELETE_REQUESTED')
  expect((await cloud.call('DELETE', `${api}/v1/projects/life-cycle`)).status).toBe(400)
  expect((await cloud.call('POST', `${api}/v1/projects`, { body: { projectId: 'life-cycle' } })).status).toBe(409)
  expect((await cloud.call('POST', `${api}/v1/projects/life-cycle:undelete`)).status).toBe(200)
  expect((await cloud.call('GET', `${api}/v1/projects/life-cycle`)).json.lifecycleState).toBe('ACTIVE')
})

test('a daemon that stops right after the answer loses nothing: the next one completes the operation', async () => {
  const started = await cloud.call('POST', `${api}/v1/projects`, { body: { projectId: 'cut-short' } })
  await cloud.restart()
  expect((await cloud.call('GET', `${api}/v1/projects/cut-short`)).json.lifecycleState).toBe('ACTIVE')
  const name = String(started.json.name).replace('operations/', '')
  expect(await cloud.kernel().operations.wait(name, 5000)).toMatchObject({ status: 'DONE', response: { projectId: 'cut-short' } })
  expect(cloud.kernel().policies.get('projects/cut-short').bindings).toHaveLength(1)
})
