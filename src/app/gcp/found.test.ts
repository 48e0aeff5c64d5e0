/** A stack that one machine made is taken down by another, against the real rooms; only baking and booting are replaced. */
import { mkdtemp, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { GIB } from '../../base/units.ts'
import { createClients } from '../../client/clients.ts'
import type { Clients } from '../../client/clients.ts'
import { call } from '../../client/errors.ts'
import { waitForCompute } from '../../client/operations.ts'
import { uploadObject } from '../../client/upload.ts'
import { startTestCloud } from '../../cloud/kernel/testing.ts'
import type { TestCloud } from '../../cloud/kernel/testing.ts'
import { compileStack } from '../../compile/compile.ts'
import { servingOf } from '../../compile/serving.ts'
import { parseStack } from '../../config/checks.ts'
import type { StackInput } from '../../config/schema.ts'
import { applyPlan } from '../../engine/apply.ts'
import { planDestroy } from '../../engine/destroy.ts'
import type { Engine } from '../../engine/engine.ts'
import { memoryInventory } from '../../engine/inventory.ts'
import { planStack } from '../../engine/plan.ts'
import type { DesiredResource } from '../../engine/types.ts'
import { removeAll } from '../../host/files.ts'
import { packForCompute } from '../../image/pack.ts'
import { systemClock } from '../../release/clock.ts'
import { googleFleet } from '../../release/fleet.google.ts'
import { createLedger } from '../../release/ledger.ts'
import { bucketObjects } from '../../release/objects.ts'
import { configDigest, templateName, templateOf } from '../../release/template.ts'
import { resourceKinds } from '../../resources/kinds.ts'
import { createFakeDriver } from '../../vm/fake/driver.ts'
import { createRooms } from '../cloud/rooms.ts'
import { offlineMaker } from '../kinds/image-offline.ts'
import { imageKind } from '../kinds/image.ts'
import { releaseKind } from '../kinds/release.ts'
import { releaseLedgerKind } from '../kinds/release-ledger.ts'
import { removalParts } from '../stack/removal-parts.ts'
import { clearWay, planRemoval, shownNodes } from './destroy.ts'

const billingAccount = '000000-AAAAAA-BBBBBB'
const key = 'a'.repeat(64)
let cloud: TestCloud
let clients: Clients
let folder: string
let archive: string
let projects = 0

beforeAll(async () => {
  const publicImages = { images: [], provide: () => Promise.reject(new Error('none')) }
  cloud = await startTestCloud(() => createRooms({ driver: createFakeDriver(), publicImages, ownerRefreshToken: 'none', guests: { socket: '/nowhere', authority: '' } }))
  clients = createClients({ rootUrl: cloud.url(), accessToken: async () => cloud.ownerToken(), retry: { attempts: 1 } })
  folder = await mkdtemp(join(tmpdir(), 'kiln-found-'))
  const disk = join(folder, 'disk.raw')
  const file = await open(disk, 'w')
  await file.truncate(GIB)
  await file.close()
  archive = join(folder, 'disk.tar.gz')
  await packForCompute(disk, archive)
})
beforeEach(() => {
  vi.stubEnv('KILN_FOUND_TEST', 'a value')
})
afterEach(() => {
  vi.unstubAllEnvs()
})
afterAll(async () => {
  await cloud.close()
  await removeAll(folder)
})

/** A stack with a project of its own, as it is desired. What Terraform makes is left out, but for what Kiln's own things lie in. */
interface World {
  readonly projectId: string
  readonly zone: string
  readonly desired: readonly DesiredResource[]
}

const kept = new Set(['project', 'billing', 'service', 'bucket', 'secret', 'secret-version', 'identity-platform', 'identity-provider', 'image', 'release-ledger'])

function newWorld(): World {
  projects += 1
  const projectId = `found-${projects}`
  const config = parseStack({
    project: { id: projectId, billingAccount },
    location: { region: 'us-central1' },
    secrets: { 'api-key': { from: 'env:KILN_FOUND_TEST' } },
    auth: { providers: ['google'], google: { clientId: 'client', clientSecret: 'env:KILN_FOUND_TEST' } },
    images: { base: { debian: 'bookworm' }, srv: { from: 'base', entrypoint: '/opt/srv/run' } },
    server: { image: 'srv', size: 1 },
  } satisfies StackInput)
  const resources = compileStack(config, { stackDir: folder, files: {} }).filter(({ kind }) => kept.has(kind))
  const here = new Set(resources.map(({ address }) => address))
  const desired = resources.map((one) => ({ ...one, dependsOn: one.dependsOn.filter((address) => here.has(address)) }))
  return { projectId, zone: config.location.zone, desired }
}

/** The engine of a machine, which has an inventory of its own. */
function machine(): Engine<Clients> {
  const maker = offlineMaker({
    keyOf: () => ({ key, resolved: true }),
    explain: () => [],
    bake: async () => ({ key, digest: `sha256:${'1'.repeat(64)}`, diskPath: '' }),
    withArchive: async (_disk, _signal, use) => use(archive),
    async upload(_clients, bucket, name, path, signal) {
      await uploadObject(clients, { bucket, name, file: path, signal, metadata: { 'managed-by': 'kiln' } })
      return `https://storage.googleapis.com/${bucket}/${name}`
    },
    bootTest: async () => {},
  })
  const kinds = [...[...resourceKinds.values()].map(({ kind }) => kind), imageKind(() => maker), releaseLedgerKind, releaseKind(removalParts.release)]
  return { stack: 'found', kinds, clients, inventory: memoryInventory(), signal: new AbortController().signal }
}

/** What `up` makes, and a release that serves with its template. */
async function up(engine: Engine<Clients>, { projectId, zone, desired }: World): Promise<void> {
  await applyPlan(engine, await planStack(engine, desired))
  const serving = servingOf(
    parseStack({
      project: { id: projectId },
      location: { region: 'us-central1' },
      images: { base: { debian: 'bookworm' }, srv: { from: 'base', entrypoint: '/opt/srv/run' } },
      server: { image: 'srv', size: 1 },
    }),
  )
  if (serving === undefined) throw new Error('the config has no server')
  const fleet = googleFleet(clients, { projectId, zone })
  const live = (await fleet.images()).find(({ name }) => name.startsWith('srv-'))
  if (live === undefined) throw new Error('there is no image')
  const image = { name: live.name, selfLink: live.selfLink, id: live.id }
  const shape = { ...serving.shape, tags: [...serving.shape.tags], scopes: [...serving.shape.scopes] }
  const ledger = createLedger(bucketObjects(clients, serving.bucket, engine.signal), systemClock)
  const taken = await ledger.create({
    stack: serving.stack,
    image,
    shape,
    configDigest: configDigest(image, shape),
    template: (number) => templateName(serving.stack, number, image),
    group: serving.name,
    strategy: { kind: 'rolling' },
    who: 'a test',
    why: 'to be taken down',
  })
  const release = await ledger.update(taken.number, (one) => ({ ...one, state: 'live', liveAt: one.createdAt }))
  await fleet.createTemplate(templateOf(release))
  const identity = { projectId, zone, bucket: serving.bucket, group: serving.name }
  engine.inventory.intend({ address: `release/${serving.name}`, kind: 'release', identity, dependsOn: [`release-ledger/${serving.bucket}`] })
}

async function insertImage(projectId: string, name: string, labels: Record<string, string>): Promise<void> {
  await uploadObject(clients, { bucket: `${projectId}-kiln-images`, name: `${name}.tar.gz`, file: archive, signal: new AbortController().signal })
  const compute = await clients.compute()
  const source = `https://storage.googleapis.com/${projectId}-kiln-images/${name}.tar.gz`
  await waitForCompute(clients, projectId, await call(compute.images.insert({ project: projectId, requestBody: { name, labels, rawDisk: { source } } })), {
    what: `import ${name}`,
  })
}

const lines = (nodes: ReturnType<typeof shownNodes>): readonly string[] => nodes.map((node) => `${node.action} ${node.address}: ${node.reasons.join()}`).toSorted()

async function names(listing: Promise<{ readonly data: { readonly items?: readonly { readonly name?: string | null }[] } }>): Promise<readonly string[]> {
  return ((await call(listing)).items ?? []).map(({ name }) => name ?? '').toSorted()
}

async function down(engine: Engine<Clients>, world: World): Promise<readonly string[]> {
  const removal = await planRemoval(engine, world)
  await clearWay(engine, removal, () => {})
  const { applied } = await applyPlan(engine, removal.direct)
  return applied.filter(({ action }) => action === 'delete').map(({ address }) => address)
}

test('another machine plans the same removal as the one that made the stack, and carries it out', async () => {
  const world = newWorld()
  const first = machine()
  await up(first, world)
  const shown = lines(shownNodes(await planRemoval(first, world)))
  expect(shown).toEqual(lines(shownNodes({ direct: planDestroy(first), rows: [], unknown: [] })))
  expect(shown).toEqual(
    [
      `billing/${world.projectId}`,
      'identity-provider/google.com',
      'image/base',
      'image/srv',
      `project/${world.projectId}`,
      `release-ledger/${world.projectId}-kiln-releases`,
      `release/serve-${world.projectId}`,
      'secret-version/api-key',
    ].map((address) => `delete ${address}: made by this stack`),
  )

  const second = machine()
  const removal = await planRemoval(second, world)
  expect(lines(removal.direct.plan.nodes)).toEqual(shown)
  expect(removal.unknown).toEqual([])
  // a plan that nobody agreed to has changed nothing
  expect(second.inventory.rows()).toEqual([])

  // the archive of an import that was stopped would keep Terraform from removing its bucket
  await uploadObject(clients, { bucket: `${world.projectId}-kiln-images`, name: `srv-${key.slice(0, 16)}.tar.gz`, file: archive, signal: second.signal })
  await clearWay(second, removal, () => {})
  expect(await names((await clients.storage()).objects.list({ bucket: `${world.projectId}-kiln-images` }))).toEqual([])
  const { applied } = await applyPlan(second, removal.direct)
  expect(applied.map(({ action }) => action)).toEqual(shown.map(() => 'delete'))
  expect(applied.at(-1)?.address).toBe(`project/${world.projectId}`)
  expect((await call((await clients.resourceManager()).projects.get({ projectId: world.projectId }))).lifecycleState).toBe('DELETE_REQUESTED')
  expect(await planRemoval(machine(), world)).toMatchObject({ rows: [], unknown: [] })
})

test('a machine whose own run found everything there does not take it for somebody else’s', async () => {
  const world = newWorld()
  await up(machine(), world)
  const second = machine()
  await applyPlan(second, await planStack(second, world.desired))
  expect(second.inventory.rows().filter(({ made }) => made)).toEqual([])
  const compute = await clients.compute()
  expect(await names(compute.images.list({ project: world.projectId }))).toHaveLength(2)
  expect(await names(compute.instanceTemplates.list({ project: world.projectId }))).toHaveLength(1)

  // stopped after the claim: the next run knows the rest from its inventory
  const removal = await planRemoval(second, world)
  await clearWay(second, removal, () => {})
  expect(await planRemoval(second, world)).toMatchObject({ rows: [] })
  // a third one, whose config has neither images nor a server any more
  const bare = { ...world, desired: world.desired.filter(({ kind }) => kind !== 'image' && kind !== 'release-ledger') }
  expect(await down(machine(), bare)).toEqual(expect.arrayContaining(['image/base', 'image/srv', `release-ledger/${world.projectId}-kiln-releases`]))
})

test('what is not the stack’s stays, and is named when it looks like it', async () => {
  const world = newWorld()
  const { projectId } = world
  // somebody's project: the stack did not make it
  cloud.addProject(projectId, cloud.services())
  const first = machine()
  await up(first, world)
  await insertImage(projectId, 'mine', {})
  await insertImage(projectId, 'srv-of-another', { 'managed-by': 'kiln', 'kiln-stack': 'another', 'kiln-family': 'srv' })
  await insertImage(projectId, 'theirs', { 'managed-by': 'kiln', 'kiln-stack': 'another', 'kiln-family': 'theirs' })
  const compute = await clients.compute()
  const properties = { machineType: 'e2-small', disks: [{ boot: true, initializeParams: { sourceImage: `projects/${projectId}/global/images/mine` } }], networkInterfaces: [{}] }
  const template = `${projectId}-r000009-0123abcd`
  const inserted = await call(compute.instanceTemplates.insert({ project: projectId, requestBody: { name: template, properties } }))
  await waitForCompute(clients, projectId, inserted, { what: 'a template of the same name' })

  const second = machine()
  const removal = await planRemoval(second, world)
  expect(removal.unknown.toSorted()).toEqual(['identity-provider/google.com', 'image/srv'])
  expect((await down(second, world)).toSorted()).toEqual(['image/base', `release-ledger/${projectId}-kiln-releases`, `release/serve-${projectId}`, 'secret-version/api-key'])
  expect(await names(compute.images.list({ project: projectId }))).toEqual(['mine', expect.stringMatching(/^srv-a+$/), 'srv-of-another', 'theirs'])
  expect(await names(compute.instanceTemplates.list({ project: projectId }))).toEqual([template])
  const project = await call((await clients.resourceManager()).projects.get({ projectId }))
  expect(project.lifecycleState).toBe('ACTIVE')
  expect(await clients.identityPlatform.getProvider(projectId, 'google.com', { signal: second.signal })).toMatchObject({ enabled: true })
})

test('a bucket of the ledger’s name without the stack’s label is another’s', async () => {
  const world = newWorld()
  cloud.addProject(world.projectId, cloud.services())
  const storage = await clients.storage()
  const bucket = `${world.projectId}-kiln-releases`
  await call(storage.buckets.insert({ project: world.projectId, requestBody: { name: bucket } }))
  const removal = await planRemoval(machine(), world)
  expect(removal).toMatchObject({ rows: [], unknown: [`release-ledger/${bucket}`] })
  // of the stack, but in another project: bucket names are one space for all
  await call(storage.buckets.delete({ bucket }))
  cloud.addProject(`${world.projectId}-elsewhere`, cloud.services())
  const labels = { 'managed-by': 'kiln', 'kiln-stack': world.projectId }
  await call(storage.buckets.insert({ project: `${world.projectId}-elsewhere`, requestBody: { name: bucket, labels } }))
  expect(await planRemoval(machine(), world)).toMatchObject({ rows: [], unknown: [`release-ledger/${bucket}`] })
})
