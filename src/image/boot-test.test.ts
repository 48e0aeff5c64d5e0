import { mkdtemp } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import type { Server as TcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { removeAll } from '../host/files.ts'
import type { VmDriver, VmSpec } from '../vm/driver.ts'
import { createFakeDriver } from '../vm/fake/driver.ts'
import type { FakeDriver } from '../vm/fake/driver.ts'
import { bootTest, requireHealthy } from './boot-test.ts'

const cleanUps: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp()
})

/** The fake driver, with a guest that acts once its machine has started. */
async function machine(guest: (spec: VmSpec, folder: string, fake: FakeDriver) => Promise<void>): Promise<{ driver: VmDriver; folder: string; specs: VmSpec[]; fake: FakeDriver }> {
  const fake = createFakeDriver()
  const folder = await mkdtemp(join(tmpdir(), 'kiln-boot-'))
  cleanUps.push(() => removeAll(folder))
  const specs: VmSpec[] = []
  const driver: VmDriver = {
    id: 'fake',
    open: (path) => fake.open(path),
    async start(path, spec, signal) {
      specs.push(spec)
      const vm = await fake.start(path, spec, signal)
      await guest(spec, path, fake)
      return vm
    },
  }
  return { driver, folder, specs, fake }
}

async function listen(server: Server | TcpServer, spec: VmSpec): Promise<void> {
  await new Promise<void>((resolve) => server.listen(spec.forwards[0]?.hostPort, '127.0.0.1', resolve))
  cleanUps.push(() => new Promise((resolve) => server.close(resolve)))
}

const health = { port: 8080, path: '/healthz' }

describe('boot test', () => {
  test('healthy at the first 200; writes are dropped, the guest reaches nothing, the machine is ended', async () => {
    let asked = 0
    const it = await machine((spec) =>
      listen(
        createServer((request, response) => {
          asked += 1
          response.writeHead(request.url === '/healthz' && asked > 2 ? 200 : 503).end(asked > 2 ? 'ok' : 'starting')
        }),
        spec,
      ),
    )
    const report = await bootTest({ driver: it.driver, disk: '/images/disk.raw', health, timeoutMs: 20_000, folder: it.folder })
    expect(report).toMatchObject({ healthy: true, answers: ['503 starting', '200 ok'] })
    expect(it.specs[0]).toMatchObject({
      disks: [{ path: '/images/disk.raw', format: 'raw', boot: true, discardWrites: true }],
      outbound: false,
      forwards: [{ hostAddress: '127.0.0.1', guestPort: 8080 }],
    })
    expect(it.fake.calls.at(-1)).toMatch(/^kill boot-test-/)
  })

  test('a redirect is not health; at the deadline the answers and the serial log are in the error', async () => {
    const it = await machine(async (spec, folder, fake) => {
      await fake.writeSerial(folder, 'Kernel panic - not syncing\n')
      await listen(
        createServer((_request, response) => response.writeHead(302, { location: '/login' }).end()),
        spec,
      )
    })
    const promise = requireHealthy('moshi-srv', { driver: it.driver, disk: '/images/disk.raw', health, timeoutMs: 700, folder: it.folder })
    await expect(promise).rejects.toMatchObject({
      code: 'E_BOOT_TEST',
      message: expect.stringContaining('moshi-srv'),
      detail: expect.stringMatching(/302[\s\S]*Kernel panic - not syncing/),
    })
    expect(it.fake.calls.at(-1)).toMatch(/^kill/)
  })

  test('a machine that dies ends the test at once, with the reason', async () => {
    const it = await machine((_spec, folder, fake) => fake.end(folder, 'guest power-off', true))
    const report = await bootTest({ driver: it.driver, disk: '/images/disk.raw', health, timeoutMs: 60_000, folder: it.folder })
    expect(report.healthy).toBe(false)
    expect(report.answers.at(-1)).toBe('the machine stopped: guest power-off')
    expect(report.bootMs).toBeLessThan(30_000)
  })

  test('an image without a health path is healthy when SSH greets', async () => {
    const it = await machine((spec) =>
      listen(
        createTcpServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')),
        spec,
      ),
    )
    const report = await bootTest({ driver: it.driver, disk: '/images/disk.raw', timeoutMs: 20_000, folder: it.folder })
    expect(report).toMatchObject({ healthy: true, answers: [expect.stringContaining('SSH-2.0-OpenSSH')] })
    expect(it.specs[0]?.forwards[0]?.guestPort).toBe(22)
  })

  test('an abort ends the machine', async () => {
    const controller = new AbortController()
    const it = await machine(async () => controller.abort(new Error('stop')))
    await expect(bootTest({ driver: it.driver, disk: '/images/disk.raw', health, timeoutMs: 60_000, folder: it.folder, signal: controller.signal })).rejects.toThrow('stop')
    expect(it.fake.calls.at(-1)).toMatch(/^kill/)
  })
})
