/** A server's domains and their DNS zone, from the config to a verified TLS connection, through the engine and real rooms; only the machines are fake. */
import { mkdtemp } from 'node:fs/promises'
import { Resolver } from 'node:dns/promises'
import { get as httpGet } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { get as httpsGet } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createClients } from '../../client/clients.ts'
import type { Clients } from '../../client/clients.ts'
import { openAuthority } from '../../cloud/front/authority.ts'
import type { Authority } from '../../cloud/front/authority.ts'
import { startTestCloud } from '../../cloud/kernel/testing.ts'
import type { TestCloud } from '../../cloud/kernel/testing.ts'
import { createComputeRoom } from '../../cloud/rooms/compute/index.ts'
import { importImage, makeArchives, portsRoom, succeed } from '../../cloud/rooms/compute/testing.ts'
import type { Archives } from '../../cloud/rooms/compute/testing.ts'
import { createDnsRoom } from '../../cloud/rooms/dns/index.ts'
import { readDnsPort } from '../../cloud/rooms/dns/server/port.ts'
import { compileDns } from '../../compile/compile.dns.ts'
import { compileServer } from '../../compile/compile.server.ts'
import { Stack } from '../../config/schema.ts'
import type { StackInput } from '../../config/schema.ts'
import { applyPlan } from '../../engine/apply.ts'
import { destroyStack } from '../../engine/destroy.ts'
import type { Engine } from '../../engine/engine.ts'
import { memoryInventory } from '../../engine/inventory.ts'
import { planStack } from '../../engine/plan.ts'
import type { Address, DesiredResource } from '../../engine/types.ts'
import { removeAll } from '../../host/files.ts'
import { kilnHome } from '../../host/home.ts'
import { firstBindablePort } from '../../host/ports.ts'
import { resourceKinds } from '../../resources/kinds.ts'
import { createFakeDriver } from '../../vm/fake/driver.ts'
import { serveMetadata } from '../../vm/metadata-server.ts'

const projectId = 'p-one'
const compute = `compute.googleapis.com/compute/v1/projects/${projectId}/global`
const zones = `dns.googleapis.com/dns/v1/projects/${projectId}/managedZones`
const inventory = memoryInventory()
const rooms: { current: ReturnType<typeof createComputeRoom> | undefined } = { current: undefined }
let archives: Archives
let cloud: TestCloud
let authority: Authority
let folder: string
/** What is added to ports that this user may not bind. */
let shift = 0

beforeAll(async () => {
  archives = await makeArchives()
  folder = await mkdtemp(join(tmpdir(), 'kiln-names-'))
  authority = await openAuthority(folder)
  shift = (await firstBindablePort()) > 443 ? 10_000 : 0
  const parts = { driver: createFakeDriver(), serveMetadata, availableMemoryMib: async () => 100_000, signCertificate: authority.issue }
  const objects = new Map([['up/sparse.tar.gz', archives.sparse]])
  cloud = await startTestCloud(() => [portsRoom({ objects, accounts: new Map() }), createDnsRoom(), (rooms.current = createComputeRoom(parts))])
  cloud.addProject(projectId)
  await importImage(cloud, 'srv-1')
})
afterAll(async () => {
  await rooms.current?.reset?.()
  await cloud.close()
  await archives.remove()
  await removeAll(folder)
})

/** Server and DNS of a stack with these domains; what the engine's own kinds cannot make is left out. */
function desired(domains: readonly string[]): readonly DesiredResource[] {
  const config = Stack.parse({
    project: { id: 'moshi-3' },
    location: { region: 'us-central1', zone: 'us-central1-c' },
    images: { python3: { debian: 'bookworm' }, srv: { from: 'python3', entrypoint: '/run.sh' } },
    server: { image: 'srv', size: 1, domains: [...domains] },
    dns: { zone: 'example.com' },
  } satisfies StackInput)
  const compilation = { config, facts: { stackDir: '/stack', files: {} }, projectId, labels: { 'managed-by': 'kiln', 'kiln-stack': 'one' }, description: 'Kiln' }
  const resources = [...compileServer(compilation), ...compileDns(compilation)].filter((one) => resourceKinds.has(one.kind))
  const here = new Set<Address>(resources.map((one) => one.address))
  return resources.map((one) => ({
    ...one,
    dependsOn: one.dependsOn.filter((address) => here.has(address)),
    props: 'image' in one.props ? { ...one.props, image: `projects/${projectId}/global/images/srv-1` } : one.props,
  }))
}

function engine(): Engine<Clients> {
  const clients = createClients({ rootUrl: cloud.url(), accessToken: async () => cloud.ownerToken(), retry: { attempts: 1 } })
  return { stack: 'names', kinds: [...resourceKinds.values()].map((entry) => entry.kind), clients, inventory, signal: new AbortController().signal }
}

async function up(domains: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const result = await applyPlan(engine(), await planStack(engine(), desired(domains)))
  return Object.fromEntries(result.applied.filter((one) => one.action !== 'noop').map((one) => [one.address, one.action]))
}

async function plan(domains: readonly string[]): Promise<readonly string[]> {
  const { plan: made } = await planStack(engine(), desired(domains))
  return made.nodes.filter((node) => node.action !== 'noop').map((node) => `${node.action} ${node.address} ${node.differences.map((one) => one.path).join(' ')}`.trim())
}

async function resolve(domain: string): Promise<readonly string[]> {
  const resolver = new Resolver()
  resolver.setServers([`127.0.0.1:${await readDnsPort(kilnHome({ KILN_HOME: cloud.folder }))}`])
  return resolver.resolve4(domain)
}

function asked(start: (done: (response: IncomingMessage) => void) => { on(event: 'error', listener: (error: Error) => void): unknown }): Promise<IncomingMessage> {
  return new Promise((done, fail) => void start((response) => void done(response.resume())).on('error', fail))
}

/** Over TLS that trusts this cloud's authority alone. */
async function secure(domain: string): Promise<IncomingMessage> {
  const [host = ''] = await resolve(domain)
  const options = { host, port: 443 + shift, path: '/page', servername: domain, headers: { host: domain }, ca: authority.certificate, agent: false }
  return asked((done) => httpsGet(options, done))
}

async function plain(host: string, domain: string): Promise<IncomingMessage> {
  return asked((done) => httpGet({ host, port: 80 + shift, path: '/page?a=b', headers: { host: domain }, agent: false }, done))
}

test('the domains are found by DNS, served with a trusted certificate, and sent to https; the bare address is served as it is', async () => {
  const domains = ['dev.example.com', 'example.com', 'elsewhere.example.org']
  expect(Object.values(await up(domains)).every((action) => action === 'create')).toBe(true)
  expect(await plan(domains)).toEqual([])
  const { address } = (await cloud.call('GET', `${compute}/addresses/serve-one`)).json
  expect([await resolve('dev.example.com'), await resolve('example.com')]).toEqual([[address], [address]])
  await expect(resolve('elsewhere.example.org')).rejects.toMatchObject({ code: 'EREFUSED' })
  // No machine serves here: that the load balancer says so over TLS is what is asked for.
  expect((await secure('dev.example.com')).statusCode).toBe(503)
  expect((await secure('example.com')).statusCode).toBe(503)
  const port = shift === 0 ? '' : `:${443 + shift}`
  const redirected = await plain(address, 'dev.example.com')
  expect([redirected.statusCode, redirected.headers.location]).toEqual([301, `https://dev.example.com${port}/page?a=b`])
  expect((await plain(address, address)).statusCode).toBe(503)
})

test('other domains: a new certificate first, then the proxy, then the old one goes; records come and go', async () => {
  const before = desired(['dev.example.com', 'example.com', 'elsewhere.example.org']).find((one) => one.kind === 'managed-ssl-certificate')?.address ?? ''
  const after = ['new.example.com', 'example.com']
  const changed = await up(after)
  expect(changed).toMatchObject({
    [before]: 'delete',
    'target-https-proxy/serve-one-https': 'update',
    'url-map/serve-one': 'update',
    'dns-record-set/dev.example.com/A': 'delete',
    'dns-record-set/new.example.com/A': 'create',
  })
  expect(changed).not.toHaveProperty('forwarding-rule/serve-one-https')
  expect((await secure('new.example.com')).statusCode).toBe(503)
  await expect(resolve('dev.example.com')).rejects.toMatchObject({ code: 'ENOTFOUND' })
  expect(await plan(after)).toEqual([])
})

test('what somebody changed shows in the plan and is healed', async () => {
  const domains = ['new.example.com', 'example.com']
  const record = { name: 'new.example.com.', type: 'A', ttl: 5, rrdatas: ['192.0.2.9'] }
  expect((await cloud.call('PATCH', `${zones}/zone-example-com/rrsets/new.example.com./A`, { body: record })).status).toBe(200)
  await succeed(cloud, 'PATCH', `${compute}/urlMaps/serve-one`, { hostRules: [], pathMatchers: [] })
  expect((await cloud.call('PATCH', `${zones}/zone-example-com`, { body: { description: 'mine' } })).status).toBe(200)
  expect((await plan(domains)).toSorted()).toEqual([
    'update dns-managed-zone/zone-example-com description',
    'update dns-record-set/new.example.com/A ttlSeconds data',
    'update url-map/serve-one hostRules',
  ])
  await up(domains)
  expect(await plan(domains)).toEqual([])
})

test('without domains no https is left; and in the end nothing is, but records that somebody else put into the zone keep it', async () => {
  await up([])
  for (const collection of ['sslCertificates', 'targetHttpsProxies']) expect((await cloud.call('GET', `${compute}/${collection}`)).json.items).toBeUndefined()
  expect(((await cloud.call('GET', `${compute}/forwardingRules`)).json.items as { name: string }[]).map((rule) => rule.name)).toEqual(['serve-one'])
  const foreign = { name: 'mail.example.com.', type: 'A', ttl: 60, rrdatas: ['192.0.2.1'] }
  expect((await cloud.call('POST', `${zones}/zone-example-com/rrsets`, { body: foreign })).status).toBe(200)
  await expect(destroyStack(engine())).rejects.toMatchObject({ hint: expect.stringContaining('record-sets list') })
  expect((await cloud.call('DELETE', `${zones}/zone-example-com/rrsets/mail.example.com./A`)).status).toBe(200)
  await destroyStack(engine())
  expect((await cloud.call('GET', zones)).json.managedZones ?? []).toEqual([])
  expect((await cloud.call('GET', `${compute}/addresses`)).json.items).toBeUndefined()
})
