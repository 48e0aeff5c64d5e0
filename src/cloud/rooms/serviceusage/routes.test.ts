import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitFor } from '../../../base/wait.ts'
import { describeRoomContract } from '../../kernel/room-contract.ts'
import { startTestCloud } from '../../kernel/testing.ts'
import type { CallResult, TestCloud } from '../../kernel/testing.ts'
import { createServiceUsageRoom } from './index.ts'

const api = 'serviceusage.googleapis.com/v1'
let cloud: TestCloud

describeRoomContract({ makeRooms: () => [createServiceUsageRoom()], params: { service: 'compute.googleapis.com' } })

beforeAll(async () => {
  cloud = await startTestCloud(() => [createServiceUsageRoom()])
  cloud.addProject('moshi-3', [])
})
afterAll(() => cloud.close())

async function finished(started: CallResult): Promise<CallResult['json']> {
  expect(started.status, started.text).toBe(200)
  return await waitFor({ what: 'the operation', timeoutMs: 5000, intervalMs: 10 }, async () => {
    const { json, text } = await cloud.call('GET', `${api}/${started.json.name}`)
    return json.done === true ? { done: true, value: json } : { done: false, status: text }
  })
}

const enabled = async (project = 'moshi-3'): Promise<string[]> =>
  ((await cloud.call('GET', `${api}/projects/${project}/services?filter=state:ENABLED&pageSize=200`)).json.services ?? []).map(
    (service: { config: { name: string } }) => service.config.name,
  )

test('one service is enabled by an operation, together with what it needs, and again is nothing to do', async () => {
  const operation = await finished(await cloud.call('POST', `${api}/projects/moshi-3/services/iam.googleapis.com:enable`, { body: {} }))
  expect(operation.response).toMatchObject({
    '@type': 'type.googleapis.com/google.api.serviceusage.v1.EnableServiceResponse',
    service: { state: 'ENABLED', config: { name: 'iam.googleapis.com' } },
  })
  expect(await enabled()).toEqual(['iam.googleapis.com', 'iamcredentials.googleapis.com'])
  const again = await cloud.call('POST', `${api}/projects/moshi-3/services/iam.googleapis.com:enable`, { body: {} })
  expect(again.json).toMatchObject({ name: 'operations/noop.DONE_OPERATION', done: true })
  expect((await cloud.call('GET', `${api}/operations/noop.DONE_OPERATION`)).json.done).toBe(true)
})

test('a batch enables all or, with an unknown one in it, nothing', async () => {
  const bad = await cloud.call('POST', `${api}/projects/moshi-3/services:batchEnable`, { body: { serviceIds: ['dns.googleapis.com', 'nonesuch.googleapis.com'] } })
  expect(bad.json.error).toMatchObject({ code: 403, status: 'PERMISSION_DENIED', message: expect.stringContaining('nonesuch.googleapis.com') })
  expect(bad.json.error.details[1].reason).toBe('SERVICE_CONFIG_NOT_FOUND_OR_PERMISSION_DENIED')
  expect(await enabled()).not.toContain('dns.googleapis.com')
  const runbook = ['texttospeech', 'speech', 'translate', 'firestore', 'identitytoolkit', 'artifactregistry', 'compute', 'secretmanager', 'storage', 'logging'].map(
    (name) => `${name}.googleapis.com`,
  )
  const operation = await finished(await cloud.call('POST', `${api}/projects/moshi-3/services:batchEnable`, { body: { serviceIds: runbook } }))
  expect(operation.response.services).toHaveLength(runbook.length)
  expect(await enabled()).toEqual(expect.arrayContaining(runbook))
  expect((await cloud.call('POST', `${api}/projects/moshi-3/services:batchEnable`, { body: { serviceIds: Array(21).fill('dns.googleapis.com') } })).status).toBe(400)
})

test('lists page to the end; other filters are 400; batchGet reads by full name', async () => {
  const seen: string[] = []
  let pageToken = ''
  do {
    const { json } = await cloud.call('GET', `${api}/projects/moshi-3/services?pageSize=20&pageToken=${pageToken}`)
    seen.push(...json.services.map((service: { config: { name: string } }) => service.config.name))
    pageToken = json.nextPageToken ?? ''
  } while (pageToken !== '')
  expect(new Set(seen).size).toBe(seen.length)
  expect(seen).toEqual(expect.arrayContaining(['compute.googleapis.com', 'websecurityscanner.googleapis.com']))
  expect((await cloud.call('GET', `${api}/projects/moshi-3/services?filter=name:x`)).status).toBe(400)
  const batch = await cloud.call(
    'GET',
    `${api}/projects/moshi-3/services:batchGet?names=projects/moshi-3/services/dns.googleapis.com&names=projects/moshi-3/services/iam.googleapis.com`,
  )
  expect(batch.json.services.map((service: { state: string }) => service.state)).toEqual(['DISABLED', 'ENABLED'])
})

test('what others need is not disabled without asking; what is not enabled cannot be disabled', async () => {
  const refused = await cloud.call('POST', `${api}/projects/moshi-3/services/iamcredentials.googleapis.com:disable`, { body: {} })
  expect(refused.json.error).toMatchObject({ code: 400, status: 'FAILED_PRECONDITION', message: expect.stringContaining('iam.googleapis.com') })
  await finished(await cloud.call('POST', `${api}/projects/moshi-3/services/iamcredentials.googleapis.com:disable`, { body: { disableDependentServices: true } }))
  expect(await enabled()).not.toContain('iam.googleapis.com')
  expect((await cloud.call('POST', `${api}/projects/moshi-3/services/iam.googleapis.com:disable`, { body: {} })).json.error.status).toBe('FAILED_PRECONDITION')
})

test('listeners hear of each newly enabled service once', async () => {
  const heard: string[] = []
  cloud.kernel().projects.onServiceEnabled((project, service) => heard.push(`${project.projectId} ${service}`))
  await finished(await cloud.call('POST', `${api}/projects/moshi-3/services:batchEnable`, { body: { serviceIds: ['pubsub.googleapis.com', 'compute.googleapis.com'] } }))
  expect(heard).toEqual(['moshi-3 pubsub.googleapis.com'])
})

test('a daemon that stops right after the answer loses nothing: the next one enables the services', async () => {
  const started = await cloud.call('POST', `${api}/projects/moshi-3/services:batchEnable`, { body: { serviceIds: ['redis.googleapis.com', 'run.googleapis.com'] } })
  await cloud.restart()
  expect((await finished(started)).response.services).toHaveLength(2)
  expect(await enabled()).toEqual(expect.arrayContaining(['redis.googleapis.com', 'run.googleapis.com']))
})

test('a missing project is 403; a viewer reads but does not enable; others do not see the operation', async () => {
  expect((await cloud.call('GET', `${api}/projects/no-such-project/services`)).status).toBe(403)
  cloud.kernel().policies.grant('projects/moshi-3', 'roles/serviceusage.serviceUsageViewer', 'user:viewer@example.com')
  const token = cloud.userToken('viewer@example.com')
  expect((await cloud.call('GET', `${api}/projects/moshi-3/services/dns.googleapis.com`, { token })).json.state).toBe('DISABLED')
  expect((await cloud.call('POST', `${api}/projects/moshi-3/services/dns.googleapis.com:enable`, { token })).status).toBe(403)
  const started = await cloud.call('POST', `${api}/projects/moshi-3/services/vision.googleapis.com:enable`)
  expect((await cloud.call('GET', `${api}/${started.json.name}`, { token: cloud.userToken('other@example.com') })).status).toBe(403)
  await finished(started)
})
