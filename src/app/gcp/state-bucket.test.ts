/** The bucket of the state, against the real storage room. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createClients } from '../../client/clients.ts'
import type { Clients } from '../../client/clients.ts'
import { startTestCloud } from '../../cloud/kernel/testing.ts'
import type { TestCloud } from '../../cloud/kernel/testing.ts'
import { createCloudResourceManagerRoom } from '../../cloud/rooms/cloudresourcemanager/index.ts'
import { createStorageRoom } from '../../cloud/rooms/storage/index.ts'
import { ensureStateBucket, removeStateBucket, stateBucketExists } from './state-bucket.ts'

let cloud: TestCloud
let clients: Clients
const signal = new AbortController().signal
const bucket = { name: 'stack-one-kiln-state', project: 'stack-one', region: 'us-central1' }
const storage = 'storage.googleapis.com/storage/v1/b'

beforeAll(async () => {
  cloud = await startTestCloud(() => [createCloudResourceManagerRoom(), createStorageRoom()])
  for (const project of ['stack-one', 'stranger']) cloud.addProject(project)
  clients = createClients({ rootUrl: cloud.url(), accessToken: async () => cloud.ownerToken() })
})

afterAll(() => cloud.close())

test('made once: not public, every version kept; a second run writes nothing', async () => {
  expect(await stateBucketExists(clients, bucket, signal)).toBe(false)
  expect(await ensureStateBucket(clients, bucket, signal)).toBe('made')
  const { json } = await cloud.call('GET', `${storage}/${bucket.name}`)
  expect(json).toMatchObject({
    location: 'US-CENTRAL1',
    versioning: { enabled: true },
    iamConfiguration: { publicAccessPrevention: 'enforced', uniformBucketLevelAccess: { enabled: true } },
  })
  expect(await ensureStateBucket(clients, bucket, signal)).toBe('unchanged')
})

test('what somebody turned off is put right', async () => {
  await cloud.call('PATCH', `${storage}/${bucket.name}`, { body: { versioning: { enabled: false } } })
  expect(await ensureStateBucket(clients, bucket, signal)).toBe('changed')
  expect((await cloud.call('GET', `${storage}/${bucket.name}`)).json.versioning).toEqual({ enabled: true })
})

test('a bucket of another project is refused: a state holds secrets', async () => {
  const taken = { ...bucket, name: 'taken-kiln-state' }
  await cloud.call('POST', `${storage}?project=stranger`, { body: { name: taken.name } })
  await expect(ensureStateBucket(clients, taken, signal)).rejects.toMatchObject({ code: 'E_EXISTS', message: expect.stringContaining("is not the project's stack-one") })
})

test('removed with all versions of the state; gone is success', async () => {
  for (const text of ['one', 'two'])
    await cloud.call('POST', `storage.googleapis.com/upload/storage/v1/b/${bucket.name}/o?uploadType=media&name=terraform/default.tfstate`, { body: text })
  expect((await cloud.call('GET', `${storage}/${bucket.name}/o?versions=true`)).json.items).toHaveLength(2)
  expect(await removeStateBucket(clients, bucket, signal)).toBe(true)
  expect(await removeStateBucket(clients, bucket, signal)).toBe(false)
})
