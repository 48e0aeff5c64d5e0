import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeRoomContract } from '../../kernel/room-contract.ts'
import { startTestCloud } from '../../kernel/testing.ts'
import type { TestCloud } from '../../kernel/testing.ts'
import { createCloudBillingRoom } from './index.ts'

const api = 'cloudbilling.googleapis.com/v1'
const account = '000000-AAAAAA-BBBBBB'
let cloud: TestCloud

describeRoomContract({ makeRooms: () => [createCloudBillingRoom()], params: { account } })

beforeAll(async () => {
  cloud = await startTestCloud(() => [createCloudBillingRoom()])
  cloud.addProject('moshi-3', [])
  cloud.addProject('other-1', [])
})
afterAll(() => cloud.close())

test('a project is linked, shown, and unlinked; a restart keeps it', async () => {
  expect((await cloud.call('GET', `${api}/projects/moshi-3/billingInfo`)).json).toEqual({
    name: 'projects/moshi-3/billingInfo',
    projectId: 'moshi-3',
    billingAccountName: '',
    billingEnabled: false,
  })
  const linked = await cloud.call('PUT', `${api}/projects/moshi-3/billingInfo`, { body: { billingAccountName: `billingAccounts/${account}` } })
  expect(linked.json).toEqual({ name: 'projects/moshi-3/billingInfo', projectId: 'moshi-3', billingAccountName: `billingAccounts/${account}`, billingEnabled: true })
  await cloud.restart()
  expect((await cloud.call('GET', `${api}/projects/moshi-3/billingInfo`)).json).toEqual(linked.json)
  expect((await cloud.call('GET', `${api}/billingAccounts/${account}/projects`)).json.projectBillingInfo).toEqual([linked.json])
  expect((await cloud.call('PUT', `${api}/projects/moshi-3/billingInfo`, { body: { billingAccountName: '' } })).json.billingEnabled).toBe(false)
})

test('any well-formed account is there, others are 400, a missing project is 403', async () => {
  await cloud.call('PUT', `${api}/projects/other-1/billingInfo`, { body: { billingAccountName: 'billingAccounts/0123AB-CDEF01-234567' } })
  const { json } = await cloud.call('GET', `${api}/billingAccounts?pageSize=1`)
  expect(json.billingAccounts[0].name).toBe(`billingAccounts/${account}`)
  expect((await cloud.call('GET', `${api}/billingAccounts?pageToken=${json.nextPageToken}`)).json.billingAccounts[0].name).toBe('billingAccounts/0123AB-CDEF01-234567')
  expect((await cloud.call('GET', `${api}/billingAccounts/FFFFFF-FFFFFF-FFFFFF`)).json.open).toBe(true)
  for (const bad of ['billingAccounts/nope', 'billingAccounts/000000-aaaaaa-bbbbbb', '000000']) {
    expect((await cloud.call('PUT', `${api}/projects/moshi-3/billingInfo`, { body: { billingAccountName: bad } })).status, bad).toBe(400)
  }
  expect((await cloud.call('PUT', `${api}/projects/no-such-project/billingInfo`, { body: { billingAccountName: `billingAccounts/${account}` } })).status).toBe(403)
})

test('the owner of a project alone cannot spend an account: it needs a role on the account', async () => {
  const token = cloud.userToken('dev@example.com')
  const link = () => cloud.call('PUT', `${api}/projects/moshi-3/billingInfo`, { token, body: { billingAccountName: `billingAccounts/${account}` } })
  cloud.kernel().policies.grant('projects/moshi-3', 'roles/owner', 'user:dev@example.com')
  expect((await link()).json.error.message).toContain('billing.resourceAssociations.create')
  expect((await cloud.call('GET', `${api}/billingAccounts`, { token })).json.billingAccounts).toEqual([])
  const read = await cloud.call('GET', `${api}/billingAccounts/${account}:getIamPolicy`)
  await cloud.call('POST', `${api}/billingAccounts/${account}:setIamPolicy`, {
    body: { policy: { etag: read.json.etag, bindings: [{ role: 'roles/billing.user', members: ['user:dev@example.com'] }] } },
  })
  expect((await link()).status).toBe(200)
})
