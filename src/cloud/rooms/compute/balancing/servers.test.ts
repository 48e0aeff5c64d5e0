import { createServer } from 'node:http'
import { mkdtemp } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { waitFor } from '../../../../base/wait.ts'
import { removeAll } from '../../../../host/files.ts'
import { kilnHome } from '../../../../host/home.ts'
import { freePort } from '../../../../host/ports.ts'
import { makeConfig } from './config.ts'
import type { BalancerModel } from './config.ts'
import { createHaproxy } from './haproxy.ts'
import { planOf } from './service.checks.ts'
import { loadServers, parseServers, syncServers } from './servers.ts'
import { plainBackend } from './testing.model.ts'

test("HAProxy's own list of servers is understood", () => {
  const text =
    '1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight\n3 b1 1 i1-80 127.9.9.2 2 0 100 100 0 1 0 1 6 0 0 0 - 8055\n3 b1 2 i2-80 127.9.9.3 2 8 50 100 0 1 0 1 6 0 0 0 - 8055\n'
  expect(parseServers(text)).toEqual([
    { backend: 'b1', name: 'i1-80', isEnabled: true, weight: 100 },
    { backend: 'b1', name: 'i2-80', isEnabled: false, weight: 50 },
  ])
})

test('a server that the configuration began with in maintenance is enabled like any other once it is ready', () => {
  // As HAProxy 2.6 writes them: one of the configuration file and one added at run time, ready; one down by its checks; one drained; one in maintenance.
  const rows = [
    ['of-file', '2', '4'],
    ['added', '2', '0'],
    ['down', '0', '4'],
    ['drained', '2', '8'],
    ['off', '0', '5'],
  ]
  const text = [
    '1',
    '# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight',
    ...rows.map(([name, operating, admin], index) => `3 b1 ${index + 1} ${name} 127.0.0.1 ${operating} ${admin} 100 100 5 6 3 4 6 0 0 0 - 8080 -`),
  ].join('\n')
  expect(parseServers(text).map(({ name, isEnabled }) => `${name} ${isEnabled}`)).toEqual(['of-file true', 'added true', 'down true', 'drained false', 'off false'])
})

interface Stumbling {
  readonly port: number
  /** The next check waits for it to resolve, and fails. */
  stumble: Promise<void> | undefined
}

async function startStumbling(): Promise<Stumbling> {
  const state: Stumbling & { port: number } = { port: 0, stumble: undefined }
  const server = createServer(async (_incoming, response) => {
    const { stumble } = state
    state.stumble = undefined
    response.statusCode = stumble === undefined ? 200 : 500
    await stumble
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  state.port = (server.address() as AddressInfo).port
  return state
}

test('one failed check right after a server was added, or after a reload, is not yet an outage', async () => {
  const root = await mkdtemp(join(tmpdir(), 'kiln-servers-'))
  const haproxy = createHaproxy(kilnHome({ KILN_HOME: root }))
  onTestFinished(async () => {
    await haproxy.stop()
    await removeAll(root)
  })
  const guest = await startStumbling()
  const check = planOf({ type: 'HTTP', checkIntervalSec: 3, timeoutSec: 3, unhealthyThreshold: 3, httpHealthCheck: { port: guest.port, requestPath: '/' } })
  const link = 'https://www.googleapis.com/compute/v1/projects/p/global/backendServices/web'
  const port = await freePort()
  const model = (servers: BalancerModel['backends'][number]['servers'], timeoutSec = 30): BalancerModel => ({
    frontends: [{ id: '1', address: '127.0.0.1', port, urlMap: { defaultService: link } }],
    backends: [plainBackend({ id: '7', link, check, timeoutSec, servers })],
  })
  const server = { name: 'i1-80', host: '127.0.0.1', port: guest.port, checkPort: guest.port, weight: 100, isReady: true }
  /** How often the server went down, as HAProxy counts it, once a check failed. */
  const downs = (): Promise<string | undefined> =>
    waitFor({ what: 'a failed check', timeoutMs: 30_000, intervalMs: 50 }, async () => {
      const rows = (await haproxy.command('show stat -1 4 -1')).split('\n').map((line) => line.split(','))
      const row = rows.find((each) => each[1] === 'i1-80')
      const [failed, down] = ['chkfail', 'chkdown'].map((name) => row?.[rows[0]?.indexOf(name) ?? 0])
      return failed === '1' ? { done: true, value: down } : { done: false, status: `${failed}` }
    })

  await loadServers(haproxy, makeConfig(model([]), haproxy.paths), model([]))
  const added = Promise.withResolvers<void>()
  guest.stumble = added.promise
  await syncServers(haproxy, model([server]), new Map(), () => 0)
  added.resolve()
  expect(await downs()).toBe('0')

  const reloaded = Promise.withResolvers<void>()
  guest.stumble = reloaded.promise
  await loadServers(haproxy, makeConfig(model([server], 31), haproxy.paths), model([server], 31))
  reloaded.resolve()
  expect(await downs()).toBe('0')
})
