/** What comes before the rooms have started. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { removeAll } from '../../host/files.ts'
import { kilnHome } from '../../host/home.ts'
import { openKernel } from './kernel.ts'
import type { Kernel } from './kernel.ts'
import type { Room } from './room.ts'
import { createServer } from './server.ts'
import type { CloudServer } from './server.ts'

let folder: string
let kernel: Kernel
let server: CloudServer
let hasStarted = false
/** Called for each request as it comes in. */
let onSeen: () => void = () => {}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-opening-'))
  kernel = await openKernel({ home: kilnHome({ KILN_HOME: folder }), log: pino({ level: 'fatal' }), rootUrl: () => `http://127.0.0.1:${server.port()}` })
  hasStarted = false
})
afterEach(async () => {
  await server.close()
  await kernel.close()
  await removeAll(folder)
})

const room: Room = {
  id: 'toy',
  service: 'toy.googleapis.com',
  alwaysEnabled: true,
  hosts: [{ name: 'api', match: 'toy.googleapis.com' }],
  migrations: { namespace: 'toy', steps: [] },
  routes: () => [{ id: 'toy.get', method: 'GET', path: '/state', permission: 'public', handler: () => ({ hasStarted }) }],
}

async function listen(startTimeoutMs?: number): Promise<void> {
  server = await createServer({
    kernel,
    rooms: [room],
    ...(startTimeoutMs === undefined ? {} : { startTimeoutMs }),
    extra: (app) =>
      app.addHook('onRequest', (_request, _reply, done) => {
        onSeen()
        done()
      }),
  })
  await server.listen(0)
}

const ask = (): Promise<Response> => fetch(`${kernel.rootUrl()}/toy.googleapis.com/state`)

/** A request that is in the server, and had time to be answered. */
async function askEarly(): Promise<Promise<Response>[]> {
  const seen = new Promise<void>((resolve) => (onSeen = resolve))
  const answer = ask()
  await seen
  for (let turns = 0; turns < 20; turns += 1) await turn()
  return [answer]
}

test('a request that comes before the rooms have started is answered by rooms that have', async () => {
  await listen()
  const [early] = await askEarly()
  hasStarted = true
  server.open()
  expect(await (await early)?.json()).toEqual({ hasStarted: true })
  expect(await (await ask()).json()).toEqual({ hasStarted: true })
})

test('a room whose start asks its own cloud gets an error that says try again, and does not wait forever', async () => {
  await listen(50)
  const answer = await ask()
  expect(answer.status).toBe(503)
  expect(await answer.json()).toMatchObject({ error: { status: 'UNAVAILABLE', message: expect.stringContaining('still starting') } })
  await expect(server.whenOpen()).rejects.toThrow('still starting')
  server.open()
  expect((await ask()).status).toBe(200)
})

test('who waits while the start fails is not left waiting', async () => {
  await listen()
  const [early] = await askEarly()
  const waiting = server.whenOpen()
  const [, answered, told] = await Promise.allSettled([server.close(), early, waiting])
  expect(told).toMatchObject({ status: 'rejected', reason: { message: 'The pocket cloud is ending.' } })
  if (answered.status === 'fulfilled') expect(answered.value?.status).toBe(503)
})
