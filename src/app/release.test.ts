/** Releases against the real rooms: storage keeps the ledger, compute makes the groups (of machines that are not real), load balancing probes servers of this process. */
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { KilnError } from '../base/errors.ts'
import { createClients } from '../client/clients.ts'
import type { Clients } from '../client/clients.ts'
import type { Room } from '../cloud/kernel/room.ts'
import { startTestCloud } from '../cloud/kernel/testing.ts'
import type { TestCloud } from '../cloud/kernel/testing.ts'
import { createComputeRoom } from '../cloud/rooms/compute/index.ts'
import { api, importImage, makeArchives, succeed, zone } from '../cloud/rooms/compute/testing.ts'
import type { Archives } from '../cloud/rooms/compute/testing.ts'
import { createStorageRoom } from '../cloud/rooms/storage/index.ts'
import { systemClock } from '../release/clock.ts'
import type { Clock } from '../release/clock.ts'
import { googleFleet } from '../release/fleet.google.ts'
import type { Strategy } from '../release/ledger.schema.ts'
import { bucketObjects } from '../release/objects.ts'
import { createReleases } from '../release/releases.ts'
import type { ReleaseParts, Releases } from '../release/releases.ts'
import { createFakeDriver } from '../vm/fake/driver.ts'
import type { FakeDriver } from '../vm/fake/driver.ts'
import { serveMetadata } from '../vm/metadata-server.ts'

const project = 'p-one'
const bucket = 'p-one-releases'
const shape = { machineType: 'e2-micro', network: 'default', externalAddress: true, tags: [], metadata: {}, scopes: [] }
const target = { stack: 'moshi', group: 'srv', size: 2, port: 8080, namedPorts: [{ name: 'http', port: 8080 }], backendService: 'web', healthCheck: 'alive', initialDelaySec: 300 }
const source = { rawDisk: { source: 'https://storage.googleapis.com/storage/v1/b/p-one-up/o/sparse.tar.gz' } }
const rolling: Strategy = { kind: 'rolling' }

let cloud: TestCloud
let driver: FakeDriver
let archives: Archives
let guests: Guests

beforeAll(async () => {
  archives = await makeArchives()
  driver = createFakeDriver()
  cloud = await startTestCloud(() => [
    accountsRoom(),
    createStorageRoom(),
    createComputeRoom({ driver, serveMetadata, availableMemoryMib: async () => 100_000, groupTiming: { busyMs: 20, idleMs: 50, backoffMs: 20 } }),
  ])
  cloud.addProject(project)
  for (const name of ['p-one-up', bucket]) await post(`storage.googleapis.com/storage/v1/b?project=${project}`, { name })
  await post('storage.googleapis.com/upload/storage/v1/b/p-one-up/o?uploadType=media&name=sparse.tar.gz', new Uint8Array(await readFile(archives.sparse)))
  for (const name of ['one', 'two', 'three', 'sick']) await importImage(cloud, name, source)
  const ports = [{ IPProtocol: 'tcp', ports: ['8080'] }]
  await succeed(cloud, 'POST', `${api}/global/firewalls`, { name: 'checks', network: 'global/networks/default', sourceRanges: ['130.211.0.0/22', '35.191.0.0/16'], allowed: ports })
  const check = { type: 'HTTP', checkIntervalSec: 1, timeoutSec: 1, healthyThreshold: 1, unhealthyThreshold: 1, httpHealthCheck: { port: 8080, requestPath: '/healthz' } }
  await succeed(cloud, 'POST', `${api}/global/healthChecks`, { name: 'alive', ...check })
  guests = serveGuests()
})
afterAll(async () => {
  await guests.close()
  await cloud.close()
  await archives.remove()
})

beforeEach(async () => {
  await succeed(cloud, 'POST', `${api}/global/backendServices`, { name: 'web', protocol: 'HTTP', portName: 'http', healthChecks: ['global/healthChecks/alive'] })
})
afterEach(async () => {
  guests.heal()
  await succeed(cloud, 'DELETE', `${api}/global/backendServices/web`)
  for (const manager of (await cloud.call('GET', `${zone}/instanceGroupManagers`)).json.items ?? []) await succeed(cloud, 'DELETE', `${zone}/instanceGroupManagers/${manager.name}`)
  for (const template of (await cloud.call('GET', `${api}/global/instanceTemplates`)).json.items ?? [])
    await succeed(cloud, 'DELETE', `${api}/global/instanceTemplates/${template.name}`)
  for (const name of await bucketObjects(clientsOf(), bucket).list('', true)) await bucketObjects(clientsOf(), bucket).remove(name)
})

async function post(path: string, body: unknown): Promise<void> {
  const answer = await cloud.call('POST', path, { body })
  if (answer.status !== 200) throw new Error(`${path}: ${answer.text}`)
}

/** What the iam room would provide. */
function accountsRoom(): Room {
  return {
    id: 'toyaccounts',
    service: 'toyaccounts.googleapis.com',
    hosts: [{ name: 'api', match: 'toyaccounts.googleapis.com' }],
    migrations: { namespace: 'toyaccounts', steps: [] },
    routes(kernel) {
      kernel.ports.provide('serviceAccounts', { find: () => undefined, verifyKeyFile: async () => undefined, signJwt: async () => '' })
      return []
    },
  }
}

interface Guests {
  /** From now on the servers of this image answer 500. */
  sicken(image: string): void
  heal(): void
  close(): Promise<void>
}

/** A server behind the load balancer's port of every machine; its health is that of the image in its labels. */
function serveGuests(): Guests {
  const servers = new Map<string, Server>()
  const images = new Map<string, string>()
  const sick = new Set<string>(['sick'])
  let isClosed = false
  let timer: NodeJS.Timeout | undefined

  async function look(): Promise<void> {
    const rows = (await cloud.call('GET', `${zone}/instances`)).json.items ?? []
    for (const instance of rows) {
      images.set(instance.id, instance.labels?.release ?? '')
      if (servers.has(instance.id)) continue
      const external = instance.networkInterfaces[0].accessConfigs?.[0]?.natIP
      const forwards = (await driver.open(join(cloud.folder, 'cloud', 'vms', instance.id)))?.spec.forwards ?? []
      const forward = forwards.find((each) => each.guestPort === 8080 && each.hostAddress !== external)
      if (forward === undefined) continue
      const server = createServer((_request, response) => {
        response.statusCode = sick.has(images.get(instance.id) ?? '') ? 500 : 200
        response.end('health')
      })
      server.on('error', () => servers.delete(instance.id))
      servers.set(instance.id, server.listen(8080, forward.hostAddress))
    }
    // An address goes to the next machine.
    for (const [id, server] of servers) {
      if (rows.some((instance: { id: string }) => instance.id === id)) continue
      server.closeAllConnections()
      server.close()
      servers.delete(id)
    }
  }

  function again(): void {
    if (!isClosed)
      timer = setTimeout(
        () =>
          void look()
            .catch(() => {})
            .finally(again),
        50,
      )
  }
  again()
  return {
    sicken: (image) => void sick.add(image),
    heal() {
      sick.clear()
      sick.add('sick')
    },
    async close() {
      isClosed = true
      clearTimeout(timer)
      for (const server of servers.values()) {
        server.closeAllConnections()
        server.close()
      }
    },
  }
}

function clientsOf(send: typeof fetch = fetch): Clients {
  return createClients({ rootUrl: cloud.url(), accessToken: async () => cloud.ownerToken(), retry: { attempts: 1 }, fetch: send })
}

function releases(fields: Partial<ReleaseParts> = {}, clients = clientsOf()): Releases {
  return createReleases({
    store: bucketObjects(clients, bucket),
    fleet: googleFleet(clients, { projectId: project, zone: 'us-central1-c' }),
    target,
    timing: { pollMs: 50, stallMs: 6000, bakeMs: 300, badPolls: 2 },
    ...fields,
  })
}

function request(image: string, strategy: Strategy = rolling) {
  return { image, shape: { ...shape, labels: { release: image } }, strategy, who: 'ann', why: 'test' }
}

async function failure(work: Promise<unknown>): Promise<KilnError> {
  return work.then(
    () => expect.unreachable('it must fail'),
    (error: unknown) => error as KilnError,
  )
}

async function running(): Promise<string[]> {
  const rows = (await cloud.call('GET', `${zone}/instances`)).json.items ?? []
  return rows.map((each: { name: string; status: string; labels: { release: string } }) => `${each.name.replace(/-[^-]+$/, '')} ${each.labels.release} ${each.status}`).toSorted()
}

async function backends(): Promise<string[]> {
  const service = (await cloud.call('GET', `${api}/global/backendServices/web`)).json
  return (service.backends ?? []).map((each: { group: string; capacityScaler: number }) => `${each.group.split('/').at(-1)} ${each.capacityScaler}`)
}

test('rolling: released, released again, sick and rolled back with a capsule, rolled back by hand, pruned', async () => {
  await releases().deploy(request('one'))
  expect(await running()).toEqual(['srv one RUNNING', 'srv one RUNNING'])
  expect(await backends()).toEqual(['srv 1'])
  expect((await releases().deploy(request('one'))).outcome).toBe('unchanged')
  await releases().deploy(request('two'))
  expect(await running()).toEqual(['srv two RUNNING', 'srv two RUNNING'])

  const error = await failure(releases({ timing: { pollMs: 50, stallMs: 3000, bakeMs: 300 } }).deploy(request('sick')))
  expect(error.code).toBe('E_RELEASE_FAILED')
  expect(error.message).toContain('the group srv is back on release 2')
  expect(await running()).toEqual(['srv two RUNNING', 'srv two RUNNING'])
  const view = await releases().list()
  expect(view.problems).toEqual([])
  expect(view.lock).toBeUndefined()
  expect(view.releases.map(({ number, state }) => `${number} ${state}`)).toEqual(['3 rolled-back', '2 live', '1 superseded'])
  const [failed] = view.releases
  expect(failed?.capsule?.map((link) => link.replace(/-srv-[^.]*/, ''))).toEqual(
    ['group.json', 'health.txt', 'journal.txt', 'serial.txt'].map((name) => `gs://${bucket}/releases/000003/${name}`),
  )
  const group = JSON.parse((await bucketObjects(clientsOf(), bucket).read('releases/000003/group.json'))?.text ?? '')
  // The pocket cloud tells what the health check was answered.
  expect(JSON.stringify(group.loadBalancerHealth)).toContain('500')

  const back = await releases().rollback({ who: 'ann', why: 'errors' })
  expect(back.release).toMatchObject({ number: 4, rollbackOf: 1, image: { name: 'one' } })
  expect(await running()).toEqual(['srv one RUNNING', 'srv one RUNNING'])
  await releases().deploy(request('three'))
  const pruned = await releases().prune({ keep: 2, who: 'ann' })
  // Release 1 is what release 4 brought back; image two is kept by nothing.
  expect(pruned.images.map(({ name }) => name).toSorted()).toEqual(['sick', 'two'])
  expect((await cloud.call('GET', `${api}/global/images/two`)).status).toBe(404)
  for (const name of ['two', 'sick']) await importImage(cloud, name, source)
  const gone = await failure(releases().rollback({ who: 'ann', why: '', number: 2 }))
  expect(gone.message).toMatch(/release 2 cannot be brought back: its image two was replaced by another one.*can be brought back: 4, 1/)
})

test('canary, then blue/green: traffic moves in one change, and turns back when the new one falls sick in its bake', async () => {
  await releases().deploy(request('one'))
  await releases().deploy(request('two', { kind: 'canary', count: 1, bakeMs: 300 }))
  expect((await releases().list()).current?.evidence.map(({ gate }) => gate)).toEqual(['start', 'canary', 'canary-bake', 'converge', 'bake'])
  await releases().deploy(request('three', { kind: 'blue-green' }))
  expect(await backends()).toEqual(['srv 0', 'srv-green 1'])
  expect(await running()).toEqual(['srv two RUNNING', 'srv two RUNNING', 'srv-green three RUNNING', 'srv-green three RUNNING'])
  const late = releases({
    timing: { pollMs: 50, stallMs: 6000, bakeMs: 30_000 },
    emit: (event) => {
      if (event.type === 'gate' && event.gate === 'switch') guests.sicken('one')
    },
  })
  const error = await failure(late.deploy(request('one', { kind: 'blue-green' })))
  expect(error.message).toMatch(/release 4 failed at its gate "bake".*the group srv-green is back on release 3/)
  expect(await backends()).toEqual(['srv 0', 'srv-green 1'])
  expect((await running()).filter((each) => each.endsWith('three RUNNING'))).toHaveLength(2)
  expect((await releases().list()).current?.number).toBe(3)
})

test('a group that was deleted behind our back is made again, out of the ledger', async () => {
  await releases().deploy(request('one'))
  await succeed(cloud, 'PATCH', `${api}/global/backendServices/web`, { backends: [] })
  await succeed(cloud, 'DELETE', `${zone}/instanceGroupManagers/srv`)
  await releases().deploy(request('one'))
  expect(await running()).toEqual(['srv one RUNNING', 'srv one RUNNING'])
  expect(await backends()).toEqual(['srv 1'])
})

test('two deploys at once: one is refused, by name', async () => {
  await releases().deploy(request('one'))
  const both = await Promise.allSettled([releases().deploy(request('two')), releases().deploy({ ...request('three'), who: 'bob' })])
  const refused = both.flatMap((each) => (each.status === 'rejected' ? [each.reason as KilnError] : []))
  expect(refused.map(({ code }) => code)).toEqual(['E_LOCKED'])
  expect(refused[0]?.message).toMatch(/^(ann|bob) deploys since/)
  expect(new Set((await running()).map((each) => each.split(' ')[1])).size).toBe(1)
})

test('killed after every third of its changes, the same deploy ends on one release', async () => {
  await releases().deploy(request('one'))
  let offsetMs = 0
  const clock: Clock = { now: () => Date.now() + offsetMs, sleep: systemClock.sleep }
  const names = ['two', 'three']
  let changes = 1
  for (let isKilled = true; isKilled; changes += 3) {
    const image = names[changes % 2] ?? ''
    let left = changes
    const dying: typeof fetch = async (input, init) => {
      if (left <= 0) throw new TypeError('killed')
      const answer = await fetch(input, init)
      const url = String(input instanceof Request ? input.url : input)
      const method = init?.method ?? (input instanceof Request ? input.method : 'GET')
      if (method !== 'GET' && !/\/(wait|listManagedInstances|getHealth)(\?|$)/.test(url)) left -= 1
      if (left <= 0) throw new TypeError('killed')
      return answer
    }
    await releases({ clock }, clientsOf(dying))
      .deploy(request(image))
      .catch(() => {})
    isKilled = left <= 0
    offsetMs += 180_000
    await releases({ clock }).deploy(request(image))
    const view = await releases({ clock }).list()
    expect(
      view.releases.filter(({ state }) => state === 'live').map((release) => release.image.name),
      `killed after ${changes} changes`,
    ).toEqual([image])
    expect(view.releases.filter(({ state }) => !['live', 'superseded'].includes(state))).toEqual([])
    expect(await running(), `killed after ${changes} changes`).toEqual([`srv ${image} RUNNING`, `srv ${image} RUNNING`])
  }
  expect(changes).toBeGreaterThan(8)
}, 300_000)
