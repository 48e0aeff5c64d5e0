/** For the tests of load balancing: a cloud with fake machines, and small servers of this process behind the ports that the machines' forwards name. */
import { createServer, request } from 'node:http'
import type { IncomingMessage, RequestListener } from 'node:http'
import type { Server, Socket } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect } from 'vitest'
import { waitFor } from '../../../../base/wait.ts'
import { createFakeDriver } from '../../../../vm/fake/driver.ts'
import { serveMetadata } from '../../../../vm/metadata-server.ts'
import { startTestCloud } from '../../../kernel/testing.ts'
import type { CallResult, TestCloud } from '../../../kernel/testing.ts'
import { createComputeRoom } from '../index.ts'
import { api, importImage, instanceBody, makeArchives, portsRoom, succeed, zone } from '../testing.ts'
import type { FakeWorld } from '../testing.ts'
import type { CertificateSigner } from './service.proxies.ts'

export type Json = CallResult['json']

/** A server in the place of one that would run in a machine. */
export interface Guest {
  readonly name: string
  readonly server: Server
  /** Requests that it got, probes left out. */
  served: number
  /** What `/healthz` answers. */
  healthStatus: number
  listen(): Promise<void>
  close(): Promise<void>
}

export interface BalancingWorld {
  readonly cloud: TestCloud
  get(path: string): Promise<Json>
  /** A running instance in the group, with a server behind port 8080 that answers its own name; or with another server, of whatever protocol. */
  guest(name: string, group: string, behavior?: RequestListener | Server): Promise<Guest>
  /** The server alone, for an instance that is there and is a backend. */
  serve(name: string, behavior?: RequestListener | Server): Promise<Guest>
  until(what: string, probe: () => Promise<boolean>): Promise<void>
  /** Until the group's members have these states, by instance name. */
  untilHealth(service: string, group: string, states: Readonly<Record<string, string>>): Promise<void>
  close(): Promise<void>
}

export const GUEST_PORT = 8080
const BALANCER_RULE = {
  name: 'allow-health-checks',
  network: 'global/networks/default',
  sourceRanges: ['130.211.0.0/22', '35.191.0.0/16'],
  allowed: [{ IPProtocol: 'tcp', ports: ['8080'] }],
}

export async function startBalancingWorld(signCertificate?: CertificateSigner): Promise<BalancingWorld> {
  const archives = await makeArchives()
  const world: FakeWorld = { objects: new Map([['up/sparse.tar.gz', archives.sparse]]), accounts: new Map() }
  const driver = createFakeDriver()
  const makeRoom = () => createComputeRoom({ driver, serveMetadata, availableMemoryMib: async () => 100_000, ...(signCertificate === undefined ? {} : { signCertificate }) })
  const rooms: { current: ReturnType<typeof makeRoom> | undefined } = { current: undefined }
  const cloud = await startTestCloud(() => [portsRoom(world), (rooms.current = makeRoom())])
  cloud.addProject('p-one')
  await importImage(cloud, 'srv-1', { family: 'srv' })
  await succeed(cloud, 'POST', `${api}/global/firewalls`, BALANCER_RULE)
  const guests: Guest[] = []

  async function get(path: string): Promise<Json> {
    const answer = await cloud.call('GET', path)
    expect(answer.status, answer.text).toBe(200)
    return answer.json
  }

  async function until(what: string, probe: () => Promise<boolean>): Promise<void> {
    await waitFor({ what, timeoutMs: 30_000, intervalMs: 25 }, async () => ((await probe()) ? { done: true, value: undefined } : { done: false, status: 'not yet' }))
  }

  async function balancerAddress(name: string): Promise<string> {
    const instance = await get(`${zone}/instances/${name}`)
    const external = instance.networkInterfaces[0].accessConfigs?.[0]?.natIP
    const folder = join(cloud.folder, 'cloud', 'vms', instance.id)
    return waitFor({ what: `the forward for the balancer of ${name}`, timeoutMs: 30_000, intervalMs: 25 }, async () => {
      const forwards = (await driver.open(folder))?.spec.forwards ?? []
      const found = forwards.find((forward) => forward.guestPort === GUEST_PORT && forward.hostAddress !== external)
      return found === undefined ? { done: false, status: JSON.stringify(forwards) } : { done: true, value: found.hostAddress }
    })
  }

  async function guest(name: string, group: string, behavior?: RequestListener | Server): Promise<Guest> {
    await succeed(cloud, 'POST', `${zone}/instances`, instanceBody(name))
    await succeed(cloud, 'POST', `${zone}/instanceGroups/${group}/addInstances`, { instances: [{ instance: `zones/us-central1-c/instances/${name}` }] })
    return serve(name, behavior)
  }

  async function serve(name: string, behavior?: RequestListener | Server): Promise<Guest> {
    const sockets = new Set<Socket>()
    const plain: RequestListener = (request, response) => {
      if (request.url === '/healthz') {
        response.statusCode = made.healthStatus
        response.end(`health of ${name}`)
        return
      }
      made.served += 1
      if (typeof behavior === 'function') behavior(request, response)
      else response.end(JSON.stringify({ name, url: request.url, headers: request.headers }))
    }
    const made: Guest = {
      name,
      served: 0,
      healthStatus: 200,
      server: typeof behavior === 'object' ? behavior : createServer({ keepAliveTimeout: 60_000 }, plain),
      async listen() {
        const address = await balancerAddress(name)
        await new Promise<void>((resolve, reject) => made.server.once('error', reject).listen(GUEST_PORT, address, resolve))
      },
      async close() {
        for (const socket of sockets) socket.destroy()
        await new Promise<void>((resolve) => made.server.close(() => resolve()))
      },
    }
    made.server.on('connection', (socket: Socket) => void sockets.add(socket.once('close', () => sockets.delete(socket))))
    guests.push(made)
    await made.listen()
    return made
  }

  return {
    cloud,
    get,
    guest,
    serve,
    until,
    async untilHealth(service, group, states) {
      let last = ''
      await waitFor({ what: `health of ${service}`, timeoutMs: 30_000, intervalMs: 50 }, async () => {
        const answer = await cloud.call('POST', `${api}/global/backendServices/${service}/getHealth`, { body: { group: `zones/us-central1-c/instanceGroups/${group}` } })
        expect(answer.status, answer.text).toBe(200)
        const seen = Object.fromEntries(
          (answer.json.healthStatus ?? []).map((each: { instance: string; healthState: string }) => [each.instance.split('/').at(-1), each.healthState]),
        )
        last = JSON.stringify(answer.json.healthStatus ?? [])
        return Object.entries(states).every(([name, state]) => seen[name] === state) ? { done: true, value: undefined } : { done: false, status: last }
      })
    },
    async close() {
      for (const each of guests) await each.close()
      await rooms.current?.reset?.()
      await cloud.close()
      await archives.remove()
    },
  }
}

/** A health check, a group with a named port, and a backend service with that group; both may serve several tests. */
export async function makeService(cloud: TestCloud, name: string, fields: object = {}): Promise<void> {
  await succeed(cloud, 'POST', `${zone}/instanceGroups`, { name: `${name}-group`, namedPorts: [{ name: 'http', port: GUEST_PORT }] })
  await succeed(cloud, 'POST', `${api}/global/healthChecks`, {
    name: `${name}-check`,
    type: 'HTTP',
    checkIntervalSec: 1,
    timeoutSec: 1,
    healthyThreshold: 1,
    unhealthyThreshold: 1,
    httpHealthCheck: { portSpecification: 'USE_SERVING_PORT', requestPath: '/healthz' },
  })
  await succeed(cloud, 'POST', `${api}/global/backendServices`, {
    name,
    protocol: 'HTTP',
    portName: 'http',
    healthChecks: [`global/healthChecks/${name}-check`],
    backends: [{ group: `zones/us-central1-c/instanceGroups/${name}-group` }],
    connectionDraining: { drainingTimeoutSec: 5 },
    ...fields,
  })
}

/** A URL map with a target proxy and a forwarding rule on this port; gives the address to ask. */
export async function publish(world: BalancingWorld, name: string, urlMap: object, port: number, ruleFields: object = {}): Promise<string> {
  const { cloud } = world
  await succeed(cloud, 'POST', `${api}/global/urlMaps`, { name, ...urlMap })
  await succeed(cloud, 'POST', `${api}/global/targetHttpProxies`, { name, urlMap: `global/urlMaps/${name}` })
  await succeed(cloud, 'POST', `${api}/global/forwardingRules`, { name, target: `global/targetHttpProxies/${name}`, portRange: String(port), ...ruleFields })
  return (await world.get(`${api}/global/forwardingRules/${name}`)).IPAddress
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
}

export interface AskOptions {
  readonly port: number
  readonly method?: string
  readonly body?: Readable | string
}

/** One request over a connection of its own. */
export function askThrough(host: string, path: string, headers: Readonly<Record<string, string>>, options: AskOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host, port: options.port, path, method: options.method ?? 'GET', headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString() }))
      response.on('error', reject)
    })
    sent.on('error', reject)
    if (options.body instanceof Readable) options.body.pipe(sent)
    else sent.end(options.body)
  })
}
