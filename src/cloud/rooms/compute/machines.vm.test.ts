/** The room with real machines: import, boot, reach a port by a firewall rule, outlive the daemon, die, stop, go away. */
import { connect } from 'node:net'
import { copyFile, mkdtemp, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitFor } from '../../../base/wait.ts'
import { GIB } from '../../../base/units.ts'
import { run } from '../../../host/exec.ts'
import { removeAll } from '../../../host/files.ts'
import { kilnHome } from '../../../host/home.ts'
import { identifyProcess } from '../../../host/process.ts'
import { serveMetadata } from '../../../vm/metadata-server.ts'
import { createQemuDriver } from '../../../vm/qemu/driver.ts'
import { guestReady, testGuest } from '../../../vm/testing/guest.ts'
import { startTestCloud } from '../../kernel/testing.ts'
import type { TestCloud } from '../../kernel/testing.ts'
import { createComputeRoom } from './index.ts'
import { api, instanceBody, operate, portsRoom, succeed, zone } from './testing.ts'
import type { FakeWorld } from './testing.ts'

const world: FakeWorld = { objects: new Map(), accounts: new Map() }
let cloud: TestCloud
let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-compute-vm-'))
  const disk = join(folder, 'disk.raw')
  await copyFile((await testGuest(kilnHome().cache)).disk, disk)
  await truncate(disk, GIB)
  await run({ program: 'tar', args: ['-C', folder, '--format=oldgnu', '--sparse', '--use-compress-program', 'gzip -1', '-cf', join(folder, 'guest.tar.gz'), 'disk.raw'] })
  world.objects.set('up/guest.tar.gz', join(folder, 'guest.tar.gz'))
  const home = kilnHome({ KILN_HOME: join(folder, 'home') })
  cloud = await startTestCloud(() => [createComputeRoom({ driver: createQemuDriver({ home }), serveMetadata }), portsRoom(world)])
  cloud.addProject('p-one')
})
afterAll(async () => {
  for (const instance of (await cloud.call('GET', `${zone}/instances`)).json.items ?? []) await operate(cloud, 'DELETE', `${zone}/instances/${instance.name}`)
  await cloud.close()
  await removeAll(kilnHome({ KILN_HOME: cloud.folder }).sockets)
  await removeAll(folder)
})

async function instance(name: string): Promise<Awaited<ReturnType<TestCloud['call']>>['json']> {
  return (await cloud.call('GET', `${zone}/instances/${name}`)).json
}

async function untilSerial(name: string, text: string): Promise<void> {
  await waitFor({ what: `${name} says ${text}`, timeoutMs: 600_000, intervalMs: 500 }, async () => {
    const { contents } = (await cloud.call('GET', `${zone}/instances/${name}/serialPort`)).json
    return contents.includes(text) ? { done: true, value: undefined } : { done: false, status: contents.slice(-2000) }
  })
}

async function untilStatus(name: string, status: string): Promise<void> {
  await waitFor({ what: `${name} is ${status}`, timeoutMs: 60_000, intervalMs: 100 }, async () => {
    const found = await instance(name)
    return found.status === status ? { done: true, value: undefined } : { done: false, status: found.status }
  })
}

/** The guest's web server, by the URL that a client makes of natIP and port. */
async function untilHttp(address: string): Promise<void> {
  await waitFor({ what: `http://${address}/ answers`, timeoutMs: 120_000, intervalMs: 250 }, async () => {
    try {
      return (await fetch(`http://${address}/`, { signal: AbortSignal.timeout(5000) })).status < 500 ? { done: true, value: undefined } : { done: false, status: 'a server error' }
    } catch (error) {
      return { done: false, status: String(error) }
    }
  })
}

async function refuses(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.once('error', () => resolve(true))
  })
}

async function pidOf(name: string): Promise<number> {
  const { id } = await instance(name)
  const vm = await createQemuDriver({ home: kilnHome({ KILN_HOME: join(folder, 'home') }) }).open(join(kilnHome({ KILN_HOME: cloud.folder }).cloud, 'vms', id))
  if (vm === undefined) throw new Error(`${name} has no machine`)
  return vm.pid
}

test('a machine from an imported image: reachable by rule, outlives the daemon, dies, starts again, stops, goes away', async () => {
  await succeed(cloud, 'POST', `${api}/global/images`, { name: 'guest-1', family: 'srv', rawDisk: { source: 'gs://up/guest.tar.gz' } })
  await succeed(cloud, 'POST', `${zone}/instances`, instanceBody('one', { machineType: 'zones/us-central1-c/machineTypes/e2-micro' }))
  await untilSerial('one', guestReady)
  await untilSerial('one', `guest: metadata ${(await instance('one')).id}`)
  const address = (await instance('one')).networkInterfaces[0].accessConfigs[0].natIP as string
  expect(await refuses(address, 80)).toBe(true)
  await succeed(cloud, 'POST', `${api}/global/firewalls`, { name: 'allow-http', allowed: [{ IPProtocol: 'tcp', ports: ['80'] }] })
  await untilHttp(address)

  const pid = await pidOf('one')
  await cloud.restart()
  expect((await instance('one')).status).toBe('RUNNING')
  expect(await pidOf('one')).toBe(pid)
  await untilHttp(address)
  await succeed(cloud, 'POST', `${zone}/instances/one/reset`)

  process.kill(pid, 'SIGKILL')
  await untilStatus('one', 'TERMINATED')
  expect((await instance('one')).statusMessage).toContain('ended by itself')
  await succeed(cloud, 'POST', `${zone}/instances/one/start`)
  await untilHttp(address)
  const second = await pidOf('one')
  await succeed(cloud, 'POST', `${zone}/instances/one/stop`)
  expect(await identifyProcess(second)).toBeUndefined()
  await succeed(cloud, 'POST', `${zone}/instances/one/start`)
  const third = await pidOf('one')
  await succeed(cloud, 'DELETE', `${zone}/instances/one`)
  expect(await identifyProcess(third)).toBeUndefined()
})
