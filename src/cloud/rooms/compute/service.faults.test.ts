/** What faults on purpose do to machines: a creation that fails leaves nothing, one that is slow is slow, and quotas answer as Compute Engine does. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { TestCloud } from '../../kernel/testing.ts'
import { instanceBody, operate, startComputeCloud, succeed, zone } from './testing.ts'
import type { ComputeCloud } from './testing.ts'

let bed: ComputeCloud
let cloud: TestCloud

beforeAll(async () => {
  bed = await startComputeCloud()
  cloud = bed.cloud
})
afterEach(() => cloud.kernel().faults.clear())
afterAll(() => bed.close())

test('a creation that is made to fail says the code of the fault, and leaves neither instance nor disk', async () => {
  cloud.kernel().faults.add({ kind: 'operation', method: 'compute.instances.insert', status: 503, reason: 'ZONE_RESOURCE_POOL_EXHAUSTED', message: 'no room today', count: 1 })
  const failed = await operate(cloud, 'POST', `${zone}/instances`, instanceBody('unlucky'))
  expect(failed).toMatchObject({ status: 'DONE', httpErrorStatusCode: 503, error: { errors: [{ code: 'ZONE_RESOURCE_POOL_EXHAUSTED', message: 'no room today' }] } })
  expect((await cloud.call('GET', `${zone}/instances/unlucky`)).status).toBe(404)
  expect((await cloud.call('GET', `${zone}/disks/unlucky`)).status).toBe(404)
  await succeed(cloud, 'POST', `${zone}/instances`, instanceBody('unlucky'))
  await succeed(cloud, 'DELETE', `${zone}/instances/unlucky`)
})

test('a slow boot holds the start of the machine back, and nothing else', async () => {
  cloud.kernel().faults.add({ kind: 'slow-boot', seconds: 0.4, instance: 'slow*', project: 'p-one' })
  const time = async (name: string): Promise<number> => {
    const before = performance.now()
    await succeed(cloud, 'POST', `${zone}/instances`, instanceBody(name))
    return performance.now() - before
  }
  expect(await time('slow')).toBeGreaterThan(390)
  expect(cloud.kernel().faults.list()).toMatchObject([{ seen: 1, struck: 1 }])
  await time('quick')
  expect(cloud.kernel().faults.list()).toMatchObject([{ seen: 1, struck: 1 }])
  for (const name of ['slow', 'quick']) await succeed(cloud, 'DELETE', `${zone}/instances/${name}`)
})

test('a quota that is used up is 403 quotaExceeded, and makes nothing', async () => {
  cloud.kernel().faults.add({ kind: 'quota', quota: 'INSTANCES', method: 'compute.instances.insert' })
  const answer = await cloud.call('POST', `${zone}/instances`, { body: instanceBody('too-many') })
  expect(answer.json.error).toMatchObject({ code: 403, errors: [{ reason: 'quotaExceeded', domain: 'usageLimits' }] })
  expect((await cloud.call('GET', `${zone}/instances/too-many`)).status).toBe(404)
})
