import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { waitFor } from '../../base/wait.ts'
import { ApiError } from './api-error.ts'
import { describeMissingMethod } from './missing-method.ts'
import { page } from './paging.ts'
import type { Room } from './room.ts'
import { startTestCloud } from './testing.ts'
import type { TestCloud } from './testing.ts'

let cloud: TestCloud
let workRuns = 0

function toyRoom(): Room {
  return {
    id: 'toy',
    service: 'toy.googleapis.com',
    hosts: [{ name: 'api', match: 'toy.googleapis.com' }],
    migrations: { namespace: 'toy', steps: ['CREATE TABLE things (name TEXT)'] },
    routes(kernel) {
      kernel.operations.register('toy', 'work', async (args: { fail: boolean }, context) => {
        workRuns += 1
        if (args.fail) throw new ApiError('FAILED_PRECONDITION', 'it will not')
        await new Promise<void>((resolve, reject) => {
          if (workRuns > 1) resolve()
          context.signal.addEventListener('abort', () => reject(new Error('stopped')))
        })
        return { runs: workRuns }
      })
      return [
        {
          id: 'toy.things.get',
          method: 'GET',
          path: '/v1/projects/:project/things/:thing',
          permission: 'compute.instances.get',
          handler: (request) => ({ name: request.params['thing'], link: request.hostUrl }),
        },
        {
          id: 'toy.things.poke',
          method: 'POST',
          path: '/v1/projects/:project/things/:thing(^[^:/]+)::poke',
          permission: 'compute.instances.start',
          body: z.object({ times: z.number() }),
          handler: (request) => ({ thing: request.params['thing'], times: request.body.times }),
        },
        {
          id: 'toy.things.prod',
          method: 'POST',
          path: '/v1/projects/:project/things/:thing(^[^:/]+)::prod',
          permission: 'compute.instances.start',
          handler: () => {
            throw new Error('secret detail')
          },
        },
        {
          id: 'toy.work',
          method: 'POST',
          path: '/v1/projects/:project/work',
          permission: 'authenticated',
          handler: (request) =>
            kernel.operations.start({ room: 'toy', type: 'work', projectId: 'p-one', scope: 'global', target: 'x', principal: request.principal, args: request.body }),
        },
      ]
    },
  }
}

beforeAll(async () => {
  cloud = await startTestCloud(() => [toyRoom()])
  cloud.addProject('p-one')
  cloud.addProject('p-two', [])
})
afterAll(() => cloud.close())

const thing = 'toy.googleapis.com/v1/projects/p-one/things/a'

test('401 without a token and with a foreign one, 403 without the role, 200 with it', async () => {
  expect((await cloud.call('GET', thing, { token: null })).status).toBe(401)
  expect((await cloud.call('GET', thing, { token: 'ya29.foreign' })).json.error.status).toBe('UNAUTHENTICATED')
  const token = cloud.userToken('reader@example.com')
  const denied = await cloud.call('GET', thing, { token })
  expect(denied.status).toBe(403)
  expect(denied.json.error.message).toContain("Permission 'compute.instances.get' denied")
  cloud.kernel().policies.grant('projects/p-one', 'roles/viewer', 'user:reader@example.com')
  expect((await cloud.call('GET', thing, { token })).status).toBe(200)
  expect((await cloud.call('POST', `${thing}:poke`, { token, body: { times: 1 } })).status).toBe(403)
})

test('custom verbs, encoded slashes and absolute links', async () => {
  const got = await cloud.call('GET', 'toy.googleapis.com/v1/projects/p-one/things/a%2Fb')
  expect(got.json).toEqual({ name: 'a/b', link: `${cloud.url()}/toy.googleapis.com` })
  expect((await cloud.call('POST', `${thing}:poke`, { body: { times: 2 } })).json).toEqual({ thing: 'a', times: 2 })
})

test('bad input gets 400 in Google form, an unexpected failure hides its detail', async () => {
  expect((await cloud.call('POST', `${thing}:poke`, { body: '{"times":' })).json.error).toMatchObject({ code: 400, status: 'INVALID_ARGUMENT' })
  expect((await cloud.call('POST', `${thing}:poke`, { body: { times: 'x' } })).json.error.details[0].fieldViolations[0].field).toBe('times')
  expect((await cloud.call('POST', `${thing}:poke`, { body: 'x'.repeat(11 * 1024 * 1024) })).status).toBe(413)
  const failed = await cloud.call('POST', `${thing}:prod`)
  expect(failed.status).toBe(500)
  expect(failed.text).not.toContain('secret detail')
})

test('what is missing is 501 with the method named; unknown hosts and Host headers are refused', async () => {
  const missing = await cloud.call('POST', `${thing}:fly`)
  expect(missing.status).toBe(501)
  expect(missing.json.error.message).toContain('toy.things.fly')
  expect((await cloud.call('GET', 'evil.example.com/x')).status).toBe(404)
  expect(describeMissingMethod('compute.googleapis.com', 'GET', '/compute/v1/projects/p/zones/z/instanceGroupManagers')).toBe('compute.instanceGroupManagers.list')
  expect(describeMissingMethod('compute.googleapis.com', 'POST', '/compute/v1/projects/p/zones/z/instanceGroupManagers/g/resize')).toBe('compute.instanceGroupManagers.resize')
  expect(describeMissingMethod('compute.googleapis.com', 'DELETE', '/compute/v1/projects/p/global/routers/r')).toBe('compute.routers.delete')
})

test('a disabled service says so in the words that clients look for', async () => {
  const answer = await cloud.call('GET', 'toy.googleapis.com/v1/projects/p-two/things/a')
  expect(answer.status).toBe(403)
  expect(answer.json.error.details[0]).toMatchObject({ reason: 'SERVICE_DISABLED', metadata: { service: 'toy.googleapis.com' } })
})

test('a policy with an old etag is refused', () => {
  const { policies } = cloud.kernel()
  const before = policies.get('projects/p-two')
  policies.set('projects/p-two', { etag: before.etag, bindings: [{ role: 'roles/viewer', members: ['user:a@b.c'] }] })
  expect(() => policies.set('projects/p-two', { etag: before.etag, bindings: [] })).toThrow('concurrent policy changes')
  expect(() => policies.set('projects/p-two', { bindings: [{ role: 'roles/nonesuch', members: ['user:a@b.c'] }] })).toThrow('not supported')
})

test('paging visits everything once while items come and go', () => {
  const key = (item: string): string => item
  const one = page(['a', 'b', 'c', 'd'], { pageSize: 2 }, key)
  expect(one.items).toEqual(['a', 'b'])
  expect(page(['aa', 'b', 'bb', 'c', 'd'], { pageSize: '2', pageToken: one.nextPageToken }, key).items).toEqual(['bb', 'c'])
  expect(() => page(['a'], { pageToken: '!!' }, key)).toThrow('Invalid page token')
})

test('an operation that the daemon did not finish runs again after a restart; a failed one keeps its error', async () => {
  const started = await cloud.call('POST', 'toy.googleapis.com/v1/projects/p-one/work', { body: { fail: false } })
  await waitFor({ what: 'the first run', timeoutMs: 5000, intervalMs: 10 }, async () => (workRuns === 1 ? { done: true, value: 0 } : { done: false, status: String(workRuns) }))
  await cloud.restart()
  expect(await cloud.kernel().operations.wait(started.json.name, 10_000)).toMatchObject({ status: 'DONE', response: { runs: 2 } })
  const failed = await cloud.call('POST', 'toy.googleapis.com/v1/projects/p-one/work', { body: { fail: true } })
  expect(await cloud.kernel().operations.wait(failed.json.name, 10_000)).toMatchObject({ status: 'DONE', error: { message: 'it will not', httpStatus: 400 } })
})

test('tokens survive a restart', async () => {
  const token = cloud.ownerToken()
  await cloud.restart()
  expect((await cloud.call('GET', thing, { token })).status).toBe(200)
})
