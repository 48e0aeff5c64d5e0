/** What serves a stack, from the config's section to the compute room and back, through the engine; only the machines are fake. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { waitFor } from '../../base/wait.ts'
import { createClients } from '../../client/clients.ts'
import type { Clients } from '../../client/clients.ts'
import { openAuthority } from '../../cloud/front/authority.ts'
import { startTestCloud } from '../../cloud/kernel/testing.ts'
import type { CallResult, TestCloud } from '../../cloud/kernel/testing.ts'
import { createComputeRoom } from '../../cloud/rooms/compute/index.ts'
import { importImage, makeArchives, portsRoom, succeed } from '../../cloud/rooms/compute/testing.ts'
import type { Archives } from '../../cloud/rooms/compute/testing.ts'
import { compileServer } from '../../compile/compile.server.ts'
import { Stack } from '../../config/schema.ts'
import type { StackInput } from '../../config/schema.ts'
import { applyPlan } from '../../engine/apply.ts'
import { destroyStack } from '../../engine/destroy.ts'
import type { Engine } from '../../engine/engine.ts'
import { memoryInventory } from '../../engine/inventory.ts'
import { planStack } from '../../engine/plan.ts'
import { Gate } from '../../engine/testing/every-stop.ts'
import type { Address, DesiredResource } from '../../engine/types.ts'
import { removeAll } from '../../host/files.ts'
import { resourceKinds } from '../../resources/kinds.ts'
import { createFakeDriver } from '../../vm/fake/driver.ts'
import { serveMetadata } from '../../vm/metadata-server.ts'

const projectId = 'p-one'
const compute = `compute.googleapis.com/compute/v1/projects/${projectId}`
const zone = `${compute}/zones/us-central1-c`
const rooms: { current: ReturnType<typeof createComputeRoom> | undefined } = { current: undefined }
let archives: Archives
let cloud: TestCloud
let folder: string

beforeAll(async () => {
  archives = await makeArchives()
  folder = await mkdtemp(join(tmpdir(), 'kiln-serving-'))
  const signCertificate = (await openAuthority(folder)).issue
  const parts = { signCertificate, driver: createFakeDriver(), serveMetadata, availableMemoryMib: async () => 100_000, groupTiming: { busyMs: 10, idleMs: 20, backoffMs: 20 } }
  cloud = await startTestCloud(() => [portsRoom({ objects: new Map([['up/sparse.tar.gz', archives.sparse]]), accounts: new Map() }), (rooms.current = createComputeRoom(parts))])
  cloud.addProject(projectId)
  await importImage(cloud, 'srv-1')
  await importImage(cloud, 'srv-2')
})
afterAll(async () => {
  await rooms.current?.reset?.()
  await cloud.close()
  await archives.remove()
  await removeAll(folder)
})

interface Choice {
  readonly stack?: string
  readonly image?: string
  readonly server?: Partial<NonNullable<StackInput['server']>>
  readonly health?: { readonly path?: string; readonly port?: number }
  readonly zone?: 'us-central1-a' | 'us-central1-c'
}

/** The compiled section without the releases, which have their own tests; with a size, and with the image as a link of the one that is there. */
function desired(choice: Choice = {}): readonly DesiredResource[] {
  const config = Stack.parse({
    project: { id: 'moshi-3' },
    location: { region: 'us-central1', zone: choice.zone ?? 'us-central1-c' },
    images: { python3: { debian: 'bookworm' }, srv: { from: 'python3', entrypoint: '/run.sh', health: { path: '/healthz', port: 8080, ...choice.health } } },
    server: { image: 'srv', size: 2, domains: ['dev.example.com'], ...choice.server },
  } satisfies StackInput)
  const labels = { 'managed-by': 'kiln', 'kiln-stack': choice.stack ?? 'one' }
  const facts = { stackDir: '/stack', files: {}, stack: choice.stack ?? 'one' }
  const compiled = compileServer({ config, facts, projectId, labels, description: 'Kiln' })
  const resources = compiled.filter((one) => one.kind !== 'release' && one.kind !== 'release-ledger')
  const here = new Set<Address>(resources.map((one) => one.address))
  return resources.map((one) => ({
    ...one,
    dependsOn: one.dependsOn.filter((address) => here.has(address)),
    props: {
      ...one.props,
      ...('image' in one.props ? { image: `projects/${projectId}/global/images/${choice.image ?? 'srv-1'}` } : {}),
      ...(one.kind === 'instance-group' ? { targetSize: config.server?.size } : {}),
    },
  }))
}

let inventory: ReturnType<typeof memoryInventory>
beforeEach(() => {
  inventory = memoryInventory()
})

function engineOf(gate?: Gate): Engine<Clients> {
  const clients = createClients({
    rootUrl: cloud.url(),
    accessToken: async () => cloud.ownerToken(),
    retry: { attempts: 1 },
    ...(gate === undefined ? {} : { fetch: ((input: string | URL, init?: RequestInit) => gate.pass(() => fetch(input, init))) as typeof fetch }),
  })
  return { stack: 'serving', kinds: [...resourceKinds.values()].map((entry) => entry.kind), clients, inventory, signal: new AbortController().signal }
}

/** Plans and applies; gives what was not a noop, by address. */
async function up(choice: Choice = {}, gate?: Gate): Promise<Readonly<Record<string, string>>> {
  const engine = engineOf(gate)
  const result = await applyPlan(engine, await planStack(engine, desired(choice)))
  return Object.fromEntries(result.applied.filter((one) => one.action !== 'noop').map((one) => [one.address, one.action]))
}

/** The plan's differences by address, with those that somebody else made marked. */
async function differences(choice: Choice = {}): Promise<Readonly<Record<string, readonly string[]>>> {
  const { plan } = await planStack(engineOf(), desired(choice))
  const changed = plan.nodes.filter((node) => node.action !== 'noop')
  return Object.fromEntries(changed.map((node) => [node.address, [...(node.drifted ? ['drifted'] : []), node.action, ...node.differences.map((one) => one.path)]]))
}

async function get(path: string): Promise<CallResult['json']> {
  const answer = await cloud.call('GET', path)
  expect(answer.status, answer.text).toBe(200)
  return answer.json
}

async function running(name: string, count: number): Promise<void> {
  await waitFor({ what: `${count} instances of ${name} run`, timeoutMs: 30_000, intervalMs: 20 }, async () => {
    const listed = await cloud.call('POST', `${zone}/instanceGroupManagers/${name}/listManagedInstances`)
    const states = ((listed.json.managedInstances ?? []) as { instanceStatus?: string }[]).map((each) => each.instanceStatus)
    return states.length === count && states.every((state) => state === 'RUNNING') ? { done: true, value: undefined } : { done: false, status: JSON.stringify(states) }
  })
}

const collections = [
  `${compute}/global/addresses`,
  `${compute}/global/healthChecks`,
  `${compute}/global/backendServices`,
  `${compute}/global/urlMaps`,
  `${compute}/global/targetHttpProxies`,
  `${compute}/global/targetHttpsProxies`,
  `${compute}/global/sslCertificates`,
  `${compute}/global/forwardingRules`,
  `${compute}/global/instanceTemplates`,
  `${zone}/instanceGroupManagers`,
  `${compute}/zones/us-central1-a/instanceGroupManagers`,
  `${zone}/instances`,
]

/** Names of all that is left, by collection. */
async function left(): Promise<readonly string[]> {
  const lists = await Promise.all(collections.map(get))
  const names = lists.flatMap((list) => ((list.items ?? []) as { name: string; kind: string }[]).map((item) => `${item.kind}/${item.name}`))
  const { items = [] } = await get(`${compute}/global/firewalls`)
  return [...names, ...(items as { name: string }[]).filter((rule) => rule.name.includes('serve-')).map((rule) => rule.name)]
}

async function down(): Promise<void> {
  await destroyStack(engineOf())
  expect(await left()).toEqual([])
}

test('made, in place at the second look, known to the load balancer, and taken away whole', async () => {
  expect(Object.values(await up())).toEqual(Array.from({ length: 14 }, () => 'create'))
  expect(await differences()).toEqual({})
  await running('serve-one', 2)
  const rule = await get(`${compute}/global/forwardingRules/serve-one`)
  expect(rule).toMatchObject({ portRange: '80-80', labels: { 'managed-by': 'kiln' } })
  expect(rule.IPAddress).toBe((await get(`${compute}/global/addresses/serve-one`)).address)
  const health = await cloud.call('POST', `${compute}/global/backendServices/serve-one/getHealth`, { body: { group: 'zones/us-central1-c/instanceGroups/serve-one' } })
  expect(health.json.healthStatus, health.text).toHaveLength(2)
  await down()
  expect((await destroyStack(engineOf())).applied).toEqual([])
})

test('what somebody changed shows in the plan and is healed; what the deployer rolls out does not, and stays', async () => {
  await up()
  await succeed(cloud, 'PATCH', `${compute}/global/backendServices/serve-one`, { connectionDraining: { drainingTimeoutSec: 1 }, timeoutSec: 5 })
  await succeed(cloud, 'PATCH', `${compute}/global/healthChecks/serve-one`, { httpHealthCheck: { requestPath: '/other' } })
  await succeed(cloud, 'PATCH', `${compute}/global/urlMaps/serve-one`, { hostRules: [], pathMatchers: [] })
  await succeed(cloud, 'POST', `${zone}/instanceGroupManagers/serve-one/resize?size=1`)
  await succeed(cloud, 'POST', `${zone}/instanceGroups/serve-one/setNamedPorts`, { namedPorts: [] })
  const template = await get(`${compute}/global/instanceTemplates/serve-one`)
  await succeed(cloud, 'POST', `${compute}/global/instanceTemplates`, { name: 'release-2', properties: template.properties })
  const versions = [{ name: '2', instanceTemplate: `projects/${projectId}/global/instanceTemplates/release-2` }]
  await succeed(cloud, 'PATCH', `${zone}/instanceGroupManagers/serve-one`, { versions })

  expect(await differences({ image: 'srv-2' })).toEqual({
    'backend-service/serve-one': ['drifted', 'update', 'timeoutSeconds', 'drainingSeconds'],
    'health-check/serve-one': ['drifted', 'update', 'requestPath'],
    'url-map/serve-one': ['drifted', 'update', 'hostRules'],
    'instance-group/serve-one': ['drifted', 'update', 'targetSize', 'namedPorts.http'],
  })
  await up({ image: 'srv-2' })
  expect(await differences({ image: 'srv-2' })).toEqual({})
  const manager = await get(`${zone}/instanceGroupManagers/serve-one`)
  expect(manager).toMatchObject({ versions: [{ name: '2', instanceTemplate: expect.stringContaining('/release-2') }], targetSize: 2 })
  expect((await get(`${compute}/global/instanceTemplates/serve-one`)).properties.disks[0].initializeParams.sourceImage).toContain('srv-1')

  await expect(destroyStack(engineOf())).resolves.toBeDefined()
  await succeed(cloud, 'DELETE', `${compute}/global/instanceTemplates/release-2`)
  expect(await left()).toEqual([])
})

test('the config changes: in place what can be, without anything in use being deleted', async () => {
  await up()
  const certificate = desired().find((one) => one.kind === 'managed-ssl-certificate')?.address ?? ''
  expect(await up({ health: { path: '/ready', port: 9090 }, server: { size: 3, domains: [] } })).toEqual({
    'firewall/allow-serve-one': 'update',
    'health-check/serve-one': 'update',
    'health-check/serve-one-healing': 'update',
    'instance-group/serve-one': 'update',
    'url-map/serve-one': 'update',
    [certificate]: 'delete',
    'url-map/serve-one-https': 'delete',
    'target-https-proxy/serve-one-https': 'delete',
    'forwarding-rule/serve-one-https': 'delete',
  })
  expect(await get(`${zone}/instanceGroupManagers/serve-one`)).toMatchObject({ targetSize: 3, namedPorts: [{ name: 'http', port: 9090 }] })
  // another zone is another group, which the backend service moves to before the old one goes
  const moved = await up({ zone: 'us-central1-a' })
  expect(moved['instance-group/serve-one']).toBe('replace')
  expect((await get(`${compute}/global/backendServices/serve-one`)).backends).toMatchObject([{ group: expect.stringContaining('us-central1-a') }])
  expect((await get(`${zone}/instanceGroupManagers`)).items).toBeUndefined()
  // another name is another of everything
  const renamed = await up({ zone: 'us-central1-a', stack: 'two' })
  expect(Object.values(renamed).toSorted()).toEqual([...Array.from({ length: 14 }, () => 'create'), ...Array.from({ length: 14 }, () => 'delete')])
  expect((await left()).filter((name) => name.includes('serve-one'))).toEqual([])
  await down()
})

test('stopped anywhere, on the way up or down, the next run ends the same', async () => {
  const counter = new Gate()
  await up({}, counter)
  const made = (await left()).filter((name) => !name.startsWith('compute#instance/')).toSorted()
  await down()
  // every call of every kind is stopped in the kinds' own tests; here a few, spread over the whole run
  for (let call = 3; call < counter.calls; call += Math.ceil(counter.calls / 6)) {
    inventory = memoryInventory()
    await up({}, new Gate(call, call % 2 === 0 ? 'before' : 'after')).catch(() => {})
    await up()
    expect(await differences()).toEqual({})
    expect((await left()).filter((name) => !name.startsWith('compute#instance/')).toSorted()).toEqual(made)
    await destroyStack(engineOf(new Gate(call % 14, 'after'))).catch(() => {})
    await down()
  }
})
