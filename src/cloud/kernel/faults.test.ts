/** Each kind of fault over HTTP, its matchers, and that it outlives a restart. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openDatabase } from '../../store/database.ts'
import { createFaults } from './faults.ts'
import type { FaultCall } from './faults.ts'
import { ownerPrincipal, userPrincipal } from './principal.ts'
import type { AnyRoute, Room } from './room.ts'
import { startTestCloud } from './testing.ts'
import type { CallResult, TestCloud } from './testing.ts'

let cloud: TestCloud

function toyRoom(id: string): Room {
  return {
    id,
    service: `${id}.googleapis.com`,
    hosts: [{ name: 'api', match: `${id}.googleapis.com` }],
    migrations: { namespace: id, steps: [] },
    routes(kernel) {
      kernel.operations.register(id, 'quick', async () => ({ done: 'all of it' }))
      kernel.operations.register(id, 'slow', async (_args: never, context) => {
        context.progress(10)
        return { done: 'never under a fault' }
      })
      const route = (verb: string, method: AnyRoute['method'], handler: AnyRoute['handler']): AnyRoute => ({
        id: `${id}.things.${verb}`,
        method,
        path: `/v1/projects/:project/things/${verb}`,
        permission: 'resourcemanager.projects.get',
        handler,
      })
      const start =
        (type: string): AnyRoute['handler'] =>
        (request) =>
          kernel.operations.start({ room: id, type, projectId: 'p-one', scope: 'global', target: 'x', principal: request.principal, args: {} })
      return [route('get', 'GET', () => ({ ok: true })), route('insert', 'POST', start('quick')), route('create', 'POST', start('slow'))]
    },
  }
}

beforeAll(async () => {
  cloud = await startTestCloud(() => [toyRoom('toy'), toyRoom('compute')])
  for (const project of ['p-one', 'p-two']) cloud.addProject(project)
  for (const user of ['a', 'b']) cloud.kernel().policies.grant('projects/p-one', 'roles/owner', `user:${user}@example.com`)
})
afterEach(() => cloud.kernel().faults.clear())
afterAll(() => cloud.close())

function add(spec: object, token?: string | null): Promise<CallResult> {
  return cloud.call('POST', 'kiln/faults', { body: spec, ...(token === undefined ? {} : { token }) })
}

function get(project = 'p-one', room = 'toy', token?: string): Promise<CallResult> {
  return cloud.call('GET', `${room}.googleapis.com/v1/projects/${project}/things/get`, token === undefined ? {} : { token })
}

describe('/kiln/faults', () => {
  test('is the owner’s alone', async () => {
    expect((await add({ kind: 'latency', ms: 1 }, null)).status).toBe(401)
    expect((await add({ kind: 'latency', ms: 1 }, cloud.userToken('a@example.com'))).status).toBe(403)
    expect((await cloud.call('DELETE', 'kiln/faults', { token: null })).status).toBe(401)
    expect(cloud.kernel().faults.active).toBe(false)
  })

  test.each([
    [{ kind: 'gremlin' }, 'Kinds: api, latency'],
    [{}, 'There is no fault of kind'],
    [{ kind: 'api' }, "'status'"],
    [{ kind: 'api', status: 418 }, '418 is no status'],
    [{ kind: 'api', status: 'NOPE' }, 'UNAVAILABLE'],
    [{ kind: 'latency', ms: 10, status: 503 }, "takes no 'status'; it takes: ms, jitterMs"],
    [{ kind: 'latency', ms: -1 }, "'ms'"],
    [{ kind: 'latency' }, "needs 'ms' (a number)"],
    [{ kind: 'api', status: 503, probability: 2 }, "'probability'"],
    [{ kind: 'api', status: 503, method: 'toy.thimgs.get' }, 'No method of the pocket cloud matches "toy.thimgs.get"'],
    [{ kind: 'api', status: 503, service: 'pubsub' }, 'compute.googleapis.com, toy.googleapis.com'],
    [{ kind: 'token-expiry' }, "needs 'seconds'"],
  ])('refuses %j', async (spec, words) => {
    const answer = await add(spec)
    expect(answer.status).toBe(400)
    expect(answer.json.error.message).toContain(words)
  })

  test('refuses what is no JSON object, and tells ids that are set', async () => {
    expect((await cloud.call('POST', 'kiln/faults', { body: '[', headers: { 'content-type': 'application/json' } })).status).toBe(400)
    expect((await add([1])).status).toBe(400)
    const { id } = (await add({ kind: 'latency', ms: 1 })).json.fault
    const missing = await cloud.call('DELETE', 'kiln/faults/f999')
    expect([missing.status, missing.json.error.message]).toEqual([404, `There is no fault "f999". Set: ${id}.`])
    expect((await cloud.call('DELETE', `kiln/faults/${id}`)).json).toEqual({ removed: 1 })
    expect((await cloud.call('GET', 'kiln/faults')).json).toEqual({ faults: [] })
  })
})

describe('api', () => {
  test('answers status, Retry-After and a header that names the fault, for what matches alone', async () => {
    const { id } = (await add({ kind: 'api', status: '503', retryAfterSeconds: 7, method: 'toy.things.*', project: 'p-one' })).json.fault
    const struck = await get()
    expect([struck.status, struck.headers.get('retry-after'), struck.headers.get('x-kiln-fault')]).toEqual([503, '7', id])
    expect(struck.json.error).toMatchObject({ code: 503, status: 'UNAVAILABLE', errors: [{ reason: 'backendError' }] })
    expect((await get('p-two')).status).toBe(200)
    expect((await get('p-one', 'compute')).status).toBe(200)
    expect((await get('p-one', 'toy', 'ya29.foreign')).status).toBe(401)
  })

  test('spares calls that say so', async () => {
    await add({ kind: 'api', status: 503 })
    expect((await cloud.call('GET', 'toy.googleapis.com/v1/projects/p-one/things/get', { headers: { 'x-kiln-faults': 'off' } })).status).toBe(200)
    expect((await get()).status).toBe(503)
  })

  test('matches the project by its number too, and a principal by e-mail or member', async () => {
    await add({ kind: 'api', status: 'ABORTED', project: 'p-one', principal: 'user:a@*' })
    const number = cloud.kernel().projects.find('p-one')?.projectNumber
    expect((await get(number, 'toy', cloud.userToken('a@example.com'))).status).toBe(409)
    expect((await get('p-one', 'toy', cloud.userToken('b@example.com'))).status).toBe(200)
  })

  test('with a count ends by itself, and a restart gives nothing back', async () => {
    await add({ kind: 'api', status: 429, service: 'toy', count: 2 })
    expect((await get()).status).toBe(429)
    await cloud.restart()
    expect(cloud.kernel().faults.active).toBe(true)
    expect((await get()).status).toBe(429)
    expect((await get()).status).toBe(200)
    expect(cloud.kernel().faults.active).toBe(false)
    expect(cloud.kernel().faults.list()).toMatchObject([{ kind: 'api', seen: 2, struck: 2 }])
  })

  test('with a probability strikes the same calls for the same seed', async () => {
    const rows: number[][] = []
    for (const seed of [7, 7, 8]) {
      await add({ kind: 'api', status: 500, message: 'x', probability: 0.5, seed })
      const row: number[] = []
      for (let n = 0; n < 20; n += 1) row.push((await get()).status)
      rows.push(row)
      cloud.kernel().faults.clear()
    }
    expect(rows[0]).toEqual(rows[1])
    expect(rows[0]).not.toEqual(rows[2])
    expect(rows[0]).toContain(200)
    expect(rows[0]).toContain(500)
  })
})

test('latency holds an answer back', async () => {
  await add({ kind: 'latency', ms: 120, jitterMs: 50, service: 'toy' })
  const before = performance.now()
  expect((await get()).status).toBe(200)
  // Timers may fire a little early.
  expect(performance.now() - before).toBeGreaterThan(115)
})

test('an operation fails where it tells of progress, or at its end; others do not', async () => {
  await add({ kind: 'operation', method: '*.things.create', status: 'UNAVAILABLE', reason: 'ZONE_RESOURCE_POOL_EXHAUSTED', message: 'no room' })
  const { faults, operations } = cloud.kernel()
  const started = async (verb: string): Promise<unknown> => {
    const { name } = (await cloud.call('POST', `toy.googleapis.com/v1/projects/p-one/things/${verb}`)).json
    return operations.wait(name, 10_000)
  }
  expect(await started('create')).toMatchObject({ status: 'DONE', error: { status: 'UNAVAILABLE', httpStatus: 503, reason: 'ZONE_RESOURCE_POOL_EXHAUSTED', message: 'no room' } })
  const quick = (await started('insert')) as { error?: unknown; response: unknown }
  expect([quick.error, quick.response]).toEqual([undefined, { done: 'all of it' }])
  faults.clear()
  await add({ kind: 'operation' })
  expect(await started('insert')).toMatchObject({ status: 'DONE', error: { status: 'INTERNAL' } })
})

test('a quota lets its limit pass and counts creating methods alone', async () => {
  await add({ kind: 'quota', quota: 'CPUS', limit: 1 })
  const insert = (room: string): Promise<CallResult> => cloud.call('POST', `${room}.googleapis.com/v1/projects/p-one/things/insert`)
  expect((await insert('toy')).status).toBe(200)
  const compute = await insert('compute')
  expect(compute.json.error).toMatchObject({ code: 403, errors: [{ domain: 'usageLimits', reason: 'quotaExceeded', message: expect.stringContaining("Quota 'CPUS' exceeded") }] })
  const toy = await insert('toy')
  expect(toy.json.error).toMatchObject({ code: 429, status: 'RESOURCE_EXHAUSTED', details: [{ '@type': 'type.googleapis.com/google.rpc.QuotaFailure' }] })
  expect((await get()).status).toBe(200)
})

test('a rate limit refuses until its minute is over, each project for itself', async () => {
  let nowMs = 1_000_000
  const database = openDatabase(':memory:')
  const faults = createFaults(database, () => nowMs)
  faults.add({ kind: 'rate', perMinute: 2 })
  const call = (projectId: string): FaultCall => ({
    host: 'toy.googleapis.com',
    service: 'toy.googleapis.com',
    room: 'toy',
    method: 'toy.x.get',
    projectId,
    principal: ownerPrincipal,
  })
  const strike = (projectId: string): Promise<void> => faults.strike(call(projectId), new AbortController().signal)
  await strike('p-one')
  await strike('p-one')
  nowMs += 20_000
  await expect(strike('p-one')).rejects.toMatchObject({
    status: 'RESOURCE_EXHAUSTED',
    headers: { 'retry-after': '40' },
    details: [{ reason: 'RATE_LIMIT_EXCEEDED' }, { retryDelay: '40s' }],
  })
  await strike('p-two')
  nowMs += 40_000
  await strike('p-one')
  database.close()
})

test('machines: how long a boot is held back, and whose probes fail', () => {
  const { faults } = cloud.kernel()
  expect(faults.bootDelayMs('srv-1', 'p-one')).toBe(0)
  faults.add({ kind: 'slow-boot', seconds: 2.5, instance: 'srv-*', count: 1 })
  faults.add({ kind: 'unhealthy', instance: 'srv-*', project: 'p-one' })
  expect(faults.bootDelayMs('dev', 'p-one')).toBe(0)
  expect(faults.bootDelayMs('srv-1', 'p-one')).toBe(2500)
  expect(faults.bootDelayMs('srv-2', 'p-one')).toBe(0)
  expect(faults.isUnhealthy('srv-1', 'p-one')).toBe(true)
  expect(faults.isUnhealthy('srv-1', 'p-two')).toBe(false)
  expect(faults.list()[1]).toMatchObject({ kind: 'unhealthy', struck: 1 })
})

test('tokens live shorter, silently if wanted, and those that exist can be ended', async () => {
  const { tokens } = cloud.kernel()
  await add({ kind: 'token-expiry', seconds: 60, principal: '*@example.com' })
  expect(tokens.mint(userPrincipal('a@example.com')).expiresInSeconds).toBe(60)
  expect(tokens.mint(ownerPrincipal).expiresInSeconds).toBe(3600)
  cloud.kernel().faults.clear()
  await add({ kind: 'token-expiry', seconds: 30, silent: true })
  const minted = tokens.mint(userPrincipal('b@example.com'))
  expect(minted.expiresInSeconds).toBe(3600)
  expect(tokens.verify(minted.accessToken)?.expiresAtMs).toBeLessThan(Date.now() + 31_000)
  const ended = await add({ kind: 'token-expiry', now: true, principal: 'user:b@*' })
  expect(ended.json.endedTokens).toBeGreaterThan(0)
  expect(ended.json.fault).toBeUndefined()
  expect(tokens.verify(minted.accessToken)).toBeUndefined()
  expect((await get()).status).toBe(200)
})
