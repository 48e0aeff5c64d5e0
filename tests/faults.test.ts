/** `kiln cloud fault` against a real daemon: set, listed in status, kept over kill -9, and always possible to take back. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createWorkplace } from './support/kiln.ts'
import type { Workplace } from './support/kiln.ts'

let place: Workplace
beforeAll(async () => {
  place = await createWorkplace()
})
afterAll(() => place.remove())

test('without a daemon it says how to start one', async () => {
  const result = await place.kiln(['cloud', 'fault', 'list', '--json'])
  expect([result.exitCode, result.json.error.code, result.json.error.hint]).toEqual([1, 'E_CLOUD_NOT_RUNNING', 'start it: kiln cloud start'])
})

test('what is set strikes, is listed in status, outlives kill -9, and can be taken back even when it strikes every call', async () => {
  const { url, pid } = (await place.kiln(['cloud', 'start', '--json'])).json
  const token = (await place.kiln(['cloud', 'token'])).stdout.trim()
  const projects = async (base: string): Promise<Response> => fetch(`${base}/cloudresourcemanager.googleapis.com/v1/projects`, { headers: { authorization: `Bearer ${token}` } })
  expect((await place.kiln(['cloud', 'status'])).stdout).not.toContain('faults')

  const added = await place.kiln(['cloud', 'fault', 'add', 'api', '--status', '503', '--retry-after', '3', '--json'])
  expect(added.json.fault, added.stderr).toMatchObject({ id: 'f1', kind: 'api', status: 'UNAVAILABLE', retryAfterSeconds: 3, struck: 0 })
  const struck = await projects(url)
  expect([struck.status, struck.headers.get('retry-after'), struck.headers.get('x-kiln-fault')]).toEqual([503, '3', 'f1'])
  process.kill(pid, 'SIGKILL')
  const again = (await place.kiln(['cloud', 'start', '--json'])).json
  expect((await projects(again.url)).status).toBe(503)

  const status = await place.kiln(['cloud', 'status', '--json'])
  expect(status.json.faults).toMatchObject([{ id: 'f1', kind: 'api', struck: 2 }])
  expect((await place.kiln(['cloud', 'status'])).stdout).toMatch(/^faults on purpose:\nf1 {2}api {2}status=UNAVAILABLE retryAfterSeconds=3 {2}struck 2 of 2 matching$/m)
  expect((await place.kiln(['cloud', 'fault', 'clear'])).stdout).toBe('removed: 1\n')
  expect((await projects(again.url)).status).toBe(200)
})

test('what makes no sense is refused with what would do, and sets nothing', async () => {
  await place.kiln(['cloud', 'start'])
  const cases: readonly (readonly [args: readonly string[], words: string])[] = [
    [['gremlin'], 'Kinds: api, latency, operation, quota, rate, slow-boot, unhealthy, token-expiry'],
    [['api'], "'status'"],
    [['api', '--status', '299'], '"299" is no status'],
    [['latency', '--ms', '5', '--method', 'compute.nonsense.get'], 'No method of the pocket cloud matches'],
  ]
  for (const [args, words] of cases) {
    const result = await place.kiln(['cloud', 'fault', 'add', ...args, '--json'])
    expect([result.exitCode, result.json.error.code], result.stderr).toEqual([1, 'E_USAGE'])
    expect(result.json.error.message).toContain(words)
    expect(result.json.error.hint).toContain('--help')
  }
  const missing = await place.kiln(['cloud', 'fault', 'remove', 'f99', '--json'])
  expect([missing.exitCode, missing.json.error.code]).toEqual([1, 'E_NOT_FOUND'])
  expect((await place.kiln(['cloud', 'fault', 'list'])).stdout).toBe('no fault is set\n')
})

test('help has an example of each kind', async () => {
  const help = (await place.kiln(['cloud', 'fault', 'add', '--help'])).stdout
  for (const kind of ['api', 'latency', 'operation', 'quota', 'rate', 'slow-boot', 'unhealthy', 'token-expiry']) expect(help).toContain(`kiln cloud fault add ${kind} `)
})
