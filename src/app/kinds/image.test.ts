/** The image kind against the real rooms; only baking and booting are replaced. */
import { mkdtemp, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { KilnError } from '../../base/errors.ts'
import { GIB } from '../../base/units.ts'
import { waitFor } from '../../base/wait.ts'
import { createClients } from '../../client/clients.ts'
import type { Clients } from '../../client/clients.ts'
import { uploadObject } from '../../client/upload.ts'
import { startTestCloud } from '../../cloud/kernel/testing.ts'
import type { TestCloud } from '../../cloud/kernel/testing.ts'
import { createComputeRoom } from '../../cloud/rooms/compute/index.ts'
import { createIamRoom } from '../../cloud/rooms/iam/index.ts'
import { createStorageRoom } from '../../cloud/rooms/storage/index.ts'
import { Gate } from '../../engine/testing/every-stop.ts'
import type { KindContext } from '../../engine/types.ts'
import { removeAll } from '../../host/files.ts'
import { packForCompute } from '../../image/pack.ts'
import { createFakeDriver } from '../../vm/fake/driver.ts'
import { serveMetadata } from '../../vm/metadata-server.ts'
import { describeImage, imageLabels } from './image-facts.ts'
import { imageKind, imageName } from './image.ts'
import type { ImageAttributes } from './image.ts'
import type { ImageKindProps } from './image-maker.ts'
import { packerMaker } from './image-packer.ts'
import { offlineMaker } from './image-offline.ts'
import type { ImageParts } from './image-offline.ts'

let cloud: TestCloud
let folder: string
let disk: string
let archive: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-image-kind-'))
  disk = join(folder, 'disk.raw')
  archive = join(folder, 'disk.tar.gz')
  const file = await open(disk, 'w')
  await file.write('a disk with little on it')
  await file.truncate(GIB)
  await file.close()
  await packForCompute(disk, archive)
  cloud = await startTestCloud(() => [createIamRoom(), createStorageRoom(), createComputeRoom({ driver: createFakeDriver(), serveMetadata })])
})
afterAll(async () => {
  await cloud.close()
  await removeAll(folder)
})

const keys = { a: 'a'.repeat(64), b: 'b'.repeat(64), c: 'c'.repeat(64) }
const family = 'moshi-srv'
let projects = 0

/** One project with its import bucket, and what the fake baker and the fake boot test do there. */
interface World {
  readonly project: string
  readonly bucket: string
  key: string
  digest: string
  onBootTest: (signal: AbortSignal) => Promise<void>
  bootTests: number
}

async function newWorld(): Promise<World> {
  projects += 1
  const project = `p-image-${projects}`
  cloud.addProject(project)
  const bucket = `${project}-imports`
  const made = await cloud.call('POST', `storage.googleapis.com/storage/v1/b?project=${project}`, { body: { name: bucket } })
  expect(made.status, made.text).toBe(200)
  return { project, bucket, key: keys.a, digest: `sha256:${'1'.repeat(64)}`, onBootTest: async () => {}, bootTests: 0 }
}

function clientsThrough(gate?: Gate): Clients {
  return createClients({
    rootUrl: cloud.url(),
    accessToken: async () => cloud.ownerToken(),
    retry: { attempts: 1 },
    ...(gate === undefined ? {} : { fetch: ((input: string | URL, init?: RequestInit) => gate.pass(() => fetch(input, init))) as typeof fetch }),
  })
}

function kindOf(world: World): ReturnType<typeof imageKind> {
  const parts: ImageParts = {
    keyOf: () => ({ key: world.key, resolved: true }),
    explain: () => ['file /opt/moshi/entrypoint.sh changed'],
    bake: async () => ({ key: world.key, digest: world.digest, diskPath: disk }),
    withArchive: async (_disk, _signal, use) => use(archive),
    async upload(clients, bucket, name, path, signal) {
      await uploadObject(clients, { bucket, name, file: path, signal })
      return `https://storage.googleapis.com/${bucket}/${name}`
    },
    async bootTest(_family, _disk, _progress, signal) {
      world.bootTests += 1
      await world.onBootTest(signal)
    },
  }
  const maker = offlineMaker(parts)
  return imageKind(() => maker)
}

function propsOf(world: World, name = family): ImageKindProps {
  return { family: name, projectId: world.project, location: 'us-central1', bucket: world.bucket, labels: { team: 'moshi' }, wheels: [] }
}

function contextOf(gate?: Gate): KindContext<Clients> {
  return { clients: clientsThrough(gate), progress: { note: () => {} }, signal: new AbortController().signal }
}

type Outcome = 'create' | 'update' | 'noop'

/** What the engine does with a kind. */
async function apply(world: World, gate?: Gate, name = family): Promise<{ readonly outcome: Outcome; readonly paths: readonly string[]; readonly attributes: ImageAttributes }> {
  const kind = kindOf(world)
  const props = kind.parse(propsOf(world, name))
  const context = contextOf(gate)
  const observed = await kind.observe(context, kind.identity(props))
  if (observed === undefined) return { outcome: 'create', paths: [], attributes: await kind.create(context, props) }
  const differences = kind.diff(props, observed)
  if (differences.length === 0) return { outcome: 'noop', paths: [], attributes: observed }
  return { outcome: 'update', paths: differences.map((each) => each.path), attributes: await kind.update(context, props, observed, differences) }
}

interface Seen {
  readonly images: Readonly<Record<string, string>>
  readonly family: string
  readonly objects: readonly string[]
}

/** The images of the project with family, state and whether they count as tested; what the family points to; the import bucket. */
async function look(world: World, name = family): Promise<Seen> {
  const api = `compute.googleapis.com/compute/v1/projects/${world.project}/global/images`
  const list = await cloud.call('GET', api)
  const newest = await cloud.call('GET', `${api}/family/${name}`)
  const objects = await cloud.call('GET', `storage.googleapis.com/storage/v1/b/${world.bucket}/o`)
  type Item = { readonly name: string; readonly family?: string; readonly status: string; readonly description: string; readonly deprecated?: { readonly state: string } }
  const images = ((list.json.items ?? []) as Item[]).map((image) => [
    image.name,
    `${image.family ?? 'no family'} ${image.status} ${image.deprecated?.state ?? 'ACTIVE'} ${image.description.endsWith('boot test passed') ? 'tested' : 'untested'}`,
  ])
  return {
    images: Object.fromEntries(images.toSorted()),
    family: newest.status === 200 ? (newest.json.name as string) : String(newest.status),
    objects: ((objects.json.items ?? []) as { name: string }[]).map((object) => object.name),
  }
}

async function waitForImport(world: World, name: string): Promise<void> {
  await waitFor({ what: `the import of ${name}`, timeoutMs: 60_000, intervalMs: 20 }, async () => {
    const seen = (await look(world)).images[name] ?? 'no image'
    return seen.includes('READY') ? { done: true, value: undefined } : { done: false, status: seen }
  })
}

const nameA = imageName(family, keys.a)
const nameB = imageName(family, keys.b)

test('creates, updates for another key, and goes back to the older image', async () => {
  const world = await newWorld()
  const first = await apply(world)
  expect(first.outcome).toBe('create')
  expect(first.attributes).toMatchObject({ name: nameA, family, key: keys.a, digest: world.digest, unfinished: [] })
  expect(await look(world)).toEqual({ images: { [nameA]: `${family} READY ACTIVE tested` }, family: nameA, objects: [] })
  expect((await apply(world)).outcome).toBe('noop')

  world.key = keys.b
  const second = await apply(world)
  expect(second).toMatchObject({ outcome: 'update', paths: ['key (file /opt/moshi/entrypoint.sh changed)'] })
  expect(await look(world)).toEqual({ images: { [nameA]: `${family} READY DEPRECATED tested`, [nameB]: `${family} READY ACTIVE tested` }, family: nameB, objects: [] })

  world.key = keys.a
  const tests = world.bootTests
  const back = await apply(world)
  expect(back).toMatchObject({ outcome: 'update', attributes: { name: nameA } })
  expect(back.attributes.id).toBe(first.attributes.id)
  expect(world.bootTests, 'the image was tested when it was made').toBe(tests)
  expect(await look(world)).toEqual({ images: { [nameA]: `${family} READY ACTIVE tested`, [nameB]: `${family} READY DEPRECATED tested` }, family: nameA, objects: [] })
})

test('attributes that an older version kept in its inventory can be compared', async () => {
  const world = await newWorld()
  const kept = { name: nameA, id: '1', selfLink: '', family, key: keys.a, digest: world.digest }
  expect(kindOf(world).diff(propsOf(world), kept)).toEqual([])
})

test('the family gets the image only after its boot test', async () => {
  const world = await newWorld()
  const during: string[] = []
  world.onBootTest = async () => void during.push((await look(world)).family)
  await apply(world)
  world.key = keys.b
  await apply(world)
  expect(during).toEqual(['404', nameA])
  expect((await look(world)).family).toBe(nameB)
})

test('a failed boot test leaves the family as it was and no image behind, and its evidence reaches the caller', async () => {
  const world = await newWorld()
  await apply(world)
  const before = await look(world)
  world.key = keys.b
  const evidence = new KilnError('E_BOOT_TEST', 'moshi-srv did not become healthy', { hint: 'look at the serial log', detail: '503 {"status":"starting"}\nKernel panic' })
  // Fails while the import goes on, as well as after it.
  for (const imported of [false, true]) {
    world.onBootTest = async () => {
      if (imported) await waitForImport(world, nameB)
      throw evidence
    }
    const error = await apply(world).catch((reason: unknown) => reason)
    expect(error).toBe(evidence)
    expect(await look(world)).toEqual(before)
  }
  world.onBootTest = async () => {}
  expect((await apply(world)).attributes.name).toBe(nameB)
})

test('an image that was never tested is tested, and one with other bytes than the baked ones is not taken for it', async () => {
  const world = await newWorld()
  world.onBootTest = async () => {
    throw new KilnError('E_CANCELLED', 'Ctrl-C')
  }
  await expect(apply(world)).rejects.toMatchObject({ code: 'E_CANCELLED' })
  world.onBootTest = async () => {}
  world.digest = `sha256:${'2'.repeat(64)}`
  const made = await apply(world)
  expect(made.attributes.digest).toBe(world.digest)
  expect(world.bootTests).toBe(2)
  expect(await look(world)).toEqual({ images: { [nameA]: `${family} READY ACTIVE tested` }, family: nameA, objects: [] })
})

test('what a run left for a key that nobody wants any more is removed, also when the family is as it should be', async () => {
  const world = await newWorld()
  await apply(world)
  world.key = keys.b
  const gate = new Gate(9)
  await apply(world, gate).catch(() => {})
  // The archive is in the bucket, and an import without a family began.
  world.key = keys.a
  expect((await look(world)).images).toHaveProperty([nameB])
  expect((await apply(world)).paths).toEqual(['older images'])
  expect(await look(world)).toEqual({ images: { [nameA]: `${family} READY ACTIVE tested` }, family: nameA, objects: [] })
})

test('remove deletes every image of the family and nothing else', async () => {
  const world = await newWorld()
  await apply(world)
  await apply(world, undefined, 'moshi')
  world.key = keys.b
  await apply(world)
  const kind = kindOf(world)
  const identity = kind.identity(propsOf(world))
  for (let time = 0; time < 2; time += 1) {
    await kind.remove(contextOf(), identity)
    expect(await look(world, 'moshi')).toEqual({ images: { [imageName('moshi', keys.a)]: 'moshi READY ACTIVE tested' }, family: imageName('moshi', keys.a), objects: [] })
    expect(await kind.observe(contextOf(), identity)).toBeUndefined()
  }
})

/** A project whose family has an image already; a copy, since an import reads all of its gibibyte. */
async function worldWithImage(source: string): Promise<World> {
  const world = await newWorld()
  const api = `compute.googleapis.com/compute/v1/projects/${world.project}/global`
  const description = describeImage({ family, key: keys.a, digest: world.digest, packages: [], tested: true })
  const made = await cloud.call('POST', `${api}/images`, { body: { name: nameA, family, sourceImage: source, description, labels: imageLabels(family, keys.a) } })
  expect(made.status, made.text).toBe(200)
  await cloud.call('POST', `${api}/operations/${made.json.name}/wait`)
  expect((await apply(world)).outcome).toBe('noop')
  return world
}

test('stopped before every single call in turn, the next run ends the same', async () => {
  const first = await newWorld()
  const source = (await apply(first)).attributes.selfLink

  /** The state after a run that is stopped, and a whole one. Nothing tells a stop after a call from one before the next. */
  async function stopped(gate: Gate): Promise<Seen> {
    const world = await worldWithImage(source)
    world.key = keys.b
    const outcome = await apply(world, gate).catch(() => undefined)
    expect(outcome === undefined).toBe(gate.stopped)
    await apply(world)
    expect((await apply(world)).outcome).toBe('noop')
    return look(world)
  }

  const healthy = new Gate()
  const wanted = await stopped(healthy)
  expect(wanted).toEqual({ images: { [nameA]: `${family} READY DEPRECATED tested`, [nameB]: `${family} READY ACTIVE tested` }, family: nameB, objects: [] })
  expect(healthy.calls).toBeGreaterThan(10)
  let stops = 0
  for (let call = 1; call <= healthy.calls; call += 1) {
    const gate = new Gate(call)
    expect([call, await stopped(gate)]).toEqual([call, wanted])
    // How often an operation is asked for depends on the machine's load: this run came to its end with fewer calls.
    if (!gate.stopped) break
    stops += 1
  }
  expect(stops).toBeGreaterThan(10)
}, 240_000)

/** As `kindOf`, with Packer in its own project; what it builds is a disk's image. */
function packerKind(world: World, built: string[]): ReturnType<typeof imageKind> {
  const maker = packerMaker({
    keyOf: () => ({ key: world.key, resolved: true }),
    settle: async () => {},
    cleanUp: async (_context, name) => void built.push(`no test VM of ${name}`),
    async build({ name, description, labels }) {
      built.push(name)
      const zone = `compute.googleapis.com/compute/v1/projects/${world.project}/zones/us-central1-c`
      const diskName = `d-${built.length}`
      await cloud.call('POST', `${zone}/disks`, { body: { name: diskName, sizeGb: '1' } })
      await waitFor({ what: 'the disk', timeoutMs: 60_000, intervalMs: 20 }, async () =>
        (await cloud.call('GET', `${zone}/disks/${diskName}`)).json.status === 'READY' ? { done: true, value: undefined } : { done: false, status: 'not yet' },
      )
      const images = `compute.googleapis.com/compute/v1/projects/${world.project}/global/images`
      const made = await cloud.call('POST', images, { body: { name, description, labels, sourceDisk: `zones/us-central1-c/disks/${diskName}` } })
      expect(made.status, made.text).toBe(200)
    },
    async bootTest({ signal }) {
      world.bootTests += 1
      await world.onBootTest(signal)
    },
  })
  return imageKind(() => maker)
}

test('an image of Packer is built once for its key, tested in the project, and then gets the family', async () => {
  const world = await newWorld()
  const built: string[] = []
  const kind = packerKind(world, built)
  const props = kind.parse(propsOf(world))
  world.onBootTest = async () => {
    throw new KilnError('E_CANCELLED', 'Ctrl-C')
  }
  await expect(kind.create(contextOf(), props)).rejects.toMatchObject({ code: 'E_CANCELLED' })
  expect(await look(world)).toMatchObject({ images: { [nameA]: 'no family READY ACTIVE untested' }, family: '404' })
  world.onBootTest = async () => {}
  expect(await kind.create(contextOf(), props)).toMatchObject({ name: nameA, key: keys.a, digest: '', unfinished: [] })
  expect(built, 'the first run has built it').toEqual([nameA])
  expect(await look(world)).toMatchObject({ images: { [nameA]: `${family} READY ACTIVE tested` }, family: nameA })
  expect((await cloud.call('GET', `compute.googleapis.com/compute/v1/projects/${world.project}/global/images/${nameA}`)).json.labels).toEqual({
    team: 'moshi',
    ...imageLabels(family, keys.a),
  })

  world.key = keys.b
  world.onBootTest = async () => {
    throw new KilnError('E_BOOT_TEST', 'moshi-srv did not become healthy')
  }
  const observed = await kind.observe(contextOf(), kind.identity(props))
  if (observed === undefined) throw new Error('no image')
  expect(kind.diff(props, observed)).toEqual([{ path: 'key', from: 'aaaaaaaaaaaa', to: 'bbbbbbbbbbbb' }])
  await expect(kind.update(contextOf(), props, observed, [])).rejects.toMatchObject({ code: 'E_BOOT_TEST' })
  expect(await look(world)).toMatchObject({ images: { [nameA]: `${family} READY ACTIVE tested` }, family: nameA })

  await kind.remove(contextOf(), kind.identity(props))
  expect(built.at(-1)).toBe(`no test VM of ${family}`)
  expect((await look(world)).images).toEqual({})
})
