/** Which instances go on from a memory snapshot, when one is made, and that anything that goes wrong ends in a boot. */
import { mkdtemp, open, readFile, readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { waitFor } from '../../../base/wait.ts'
import { GIB } from '../../../base/units.ts'
import { run } from '../../../host/exec.ts'
import { removeAll } from '../../../host/files.ts'
import { KilnError } from '../../../base/errors.ts'
import { warmPartition } from '../../../vm/warm-protocol.ts'
import type { TestCloud } from '../../kernel/testing.ts'
import { partitionNames } from './service.warm-files.ts'
import { api, instanceBody, operate, startComputeCloud, succeed, zone } from './testing.ts'
import type { ComputeCloud } from './testing.ts'

let bed: ComputeCloud
let cloud: TestCloud
let folder: string
/** How many calls of the driver belong to earlier tests. */
let past = 0
const deps: { warmLimitBytes?: number } = {}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-warm-test-'))
  bed = await startComputeCloud(deps)
  cloud = bed.cloud
  const raw = join(folder, 'disk.raw')
  await writeDisk(raw, [warmPartition, 'kiln-root'])
  await run({ program: 'tar', args: ['-C', folder, '--format=oldgnu', '--sparse', '--use-compress-program', 'gzip -1', '-cf', join(folder, 'warm.tar.gz'), 'disk.raw'] })
  bed.world.objects.set('up/warm.tar.gz', join(folder, 'warm.tar.gz'))
  await succeed(cloud, 'POST', `${api}/global/images`, { name: 'warm-1', rawDisk: { source: 'gs://up/warm.tar.gz' } })
})
beforeEach(async () => {
  past = bed.driver.calls.length
  cloud.kernel().faults.clear()
  bed.driver.failSnapshots(undefined)
  bed.driver.holdSnapshots(Promise.resolve())
  await removeAll(join(bed.home.cloud, 'warm'))
  for (const instance of (await bed.get(`${zone}/instances`)).items ?? []) await succeed(cloud, 'DELETE', `${zone}/instances/${instance.name}`)
})
afterAll(async () => {
  await bed.close()
  await removeAll(folder)
})

/** A GiB with a partition table that has these names, and nothing else. */
async function writeDisk(path: string, names: readonly string[]): Promise<void> {
  const header = Buffer.alloc(92)
  header.write('EFI PART', 'latin1')
  header.writeBigUInt64LE(2n, 72)
  header.writeUInt32LE(128, 80)
  header.writeUInt32LE(128, 84)
  const table = Buffer.alloc(128 * names.length)
  for (const [index, name] of names.entries()) table.write(name, 128 * index + 56, 'utf16le')
  const file = await open(path, 'w')
  await file.write(header, 0, header.length, 512)
  await file.write(table, 0, table.length, 1024)
  await file.truncate(GIB)
  await file.close()
}

interface Wish {
  readonly image?: string
  readonly items?: readonly { key: string; value: string }[]
  readonly disk?: object
  readonly moreDisks?: readonly object[]
}

const inGroup = { items: [{ key: 'created-by', value: 'projects/1/zones/us-central1-c/instanceGroupManagers/web' }] }

function body(name: string, wish: Wish = {}): object {
  const disk = { boot: true, autoDelete: true, initializeParams: { sourceImage: `global/images/${wish.image ?? 'warm-1'}`, ...wish.disk } }
  return instanceBody(name, { disks: [disk, ...(wish.moreDisks ?? [])], metadata: { items: wish.items ?? [] } })
}

async function create(name: string, wish: Wish = {}): Promise<void> {
  await succeed(cloud, 'POST', `${zone}/instances`, body(name, wish))
}

function recent(): readonly string[] {
  return bed.driver.calls.slice(past).filter((call) => !call.startsWith('kill') && !call.startsWith('stop'))
}

/** What the driver did for an instance, and for snapshots, without ids. */
function calls(): string[] {
  return recent().map((call) => call.replace(/-\d{6,}.*$/, ''))
}

async function serial(name: string): Promise<string> {
  return (await bed.get(`${zone}/instances/${name}/serialPort`)).contents as string
}

async function warmFiles(ending = '.json'): Promise<string[]> {
  return (await readdir(join(bed.home.cloud, 'warm')).catch(() => [])).filter((name) => name.endsWith(ending))
}

async function diskFile(name: string): Promise<string> {
  return join(bed.home.cloud, 'disks', `${(await bed.get(`${zone}/disks/${name}`)).id}.qcow2`)
}

async function untilCall(text: string): Promise<void> {
  await waitFor({ what: `the driver was asked to ${text}`, timeoutMs: 10_000, intervalMs: 10 }, async () =>
    recent().some((call) => call.startsWith(text)) ? { done: true, value: undefined } : { done: false, status: recent().join(', ') },
  )
}

test('the first instance boots, the second waits for a snapshot and goes on from it, the third goes on at once', async () => {
  await create('one')
  expect(calls()).toEqual(['start one'])
  await create('two')
  await create('three')
  expect(calls()).toEqual(['start one', 'snapshot snapshot', 'start two', 'resume two', 'start three', 'resume three'])
  expect(await serial('one')).not.toContain('snapshot')
  expect(await serial('three')).toContain('kiln: begins with a memory snapshot of the image warm-1\nfake machine')
  expect(await serial('three')).toContain('goes on from a snapshot as three')
  const [snapshot] = await warmFiles('.qcow2')
  expect(await readFile(await diskFile('three'))).toEqual(await readFile(join(bed.home.cloud, 'warm', snapshot ?? '')))
  const { stdout } = await run({ program: 'qemu-img', args: ['info', '--output=json', await diskFile('three')] })
  expect(JSON.parse(stdout)).toMatchObject({ 'full-backing-filename': expect.stringMatching(/\/images\/\d+\.raw$/) })
  expect((await bed.get(`${zone}/instances/three`)).status).toBe('RUNNING')
})

test('all machines of a group go on from one snapshot, also those that come while it is made', async () => {
  let release = (): void => {}
  bed.driver.holdSnapshots(new Promise<void>((resolve) => (release = resolve)))
  const all = Promise.all(['web-a', 'web-b', 'web-c'].map((name) => create(name, inGroup)))
  await untilCall('snapshot')
  release()
  await all
  expect(calls().filter((call) => call.startsWith('snapshot'))).toHaveLength(1)
  expect(
    calls()
      .filter((call) => call.startsWith('resume'))
      .toSorted(),
  ).toEqual(['resume web-a', 'resume web-b', 'resume web-c'])
})

test('what a snapshot does not fit boots: other sizes of disk and machine, more disks, other images, a wish, a slow boot, a disk with a past', async () => {
  await create('web-a', inGroup)
  await create('never', { items: [...inGroup.items, { key: 'kiln-warm-start', value: 'never' }] })
  expect(await serial('never')).toContain('kiln: boots, since its metadata says kiln-warm-start=never')
  await create('two-disks', { ...inGroup, moreDisks: [{ initializeParams: { diskSizeGb: '1' }, autoDelete: true }] })
  await create('large', { disk: { diskSizeGb: '20' } })
  await create('foreign', { ...inGroup, image: 'srv-1' })
  cloud.kernel().faults.add({ kind: 'slow-boot', seconds: 0.01, instance: 'slow', project: 'p-one' })
  await create('slow', inGroup)
  await succeed(cloud, 'POST', `${zone}/instances`, { ...body('small'), machineType: 'zones/us-central1-c/machineTypes/e2-micro' })
  await succeed(cloud, 'POST', `${zone}/instances/web-a/stop`)
  await succeed(cloud, 'POST', `${zone}/instances/web-a/start`)
  expect(calls().filter((call) => call.startsWith('resume'))).toEqual(['resume web-a'])
  expect(await warmFiles()).toHaveLength(1)
  // Of another size, the second one has a snapshot of its own.
  await create('large-2', { disk: { diskSizeGb: '20' } })
  expect(calls().at(-1)).toBe('resume large-2')
  expect(await warmFiles()).toHaveLength(2)
})

test('a machine that cannot go on from its snapshot boots on a new disk; the snapshot is made anew, but not for ever', async () => {
  await create('web-a', inGroup)
  for (const name of ['web-b', 'web-c']) {
    bed.driver.failNextResume(new KilnError('E_VM', 'the guest was deaf'))
    await create(name, inGroup)
    expect(await serial(name)).toContain('kiln: boots, since it could not go on from its snapshot: the guest was deaf')
    const { stdout } = await run({ program: 'qemu-img', args: ['info', '--output=json', await diskFile(name)] })
    expect(JSON.parse(stdout)['full-backing-filename']).toMatch(/\/images\/\d+\.raw$/)
    expect((await bed.get(`${zone}/instances/${name}`)).status).toBe('RUNNING')
  }
  await create('web-d', inGroup)
  expect(calls().filter((call) => call.startsWith('snapshot'))).toHaveLength(2)
  expect(calls().at(-1)).toBe('start web-d')
  expect(await warmFiles()).toEqual([])
})

test('a guest that never gets ready for a snapshot boots, and is asked twice at most; nothing is left', async () => {
  bed.driver.failSnapshots(new KilnError('E_VM', 'not ready within 600 s'))
  for (const name of ['web-a', 'web-b', 'web-c']) await create(name, inGroup)
  expect(calls()).toEqual(['snapshot snapshot', 'start web-a', 'snapshot snapshot', 'start web-b', 'start web-c'])
  expect((await readdir(join(bed.home.cloud, 'warm'))).filter((name) => !name.endsWith('.notes'))).toEqual([])
})

test('other programs make another snapshot; one whose files are damaged is not used', async () => {
  await create('web-a', inGroup)
  bed.driver.setFingerprint('fake 2')
  await create('web-b', inGroup)
  expect(calls().filter((call) => call.startsWith('snapshot'))).toHaveLength(2)
  for (const name of await warmFiles('.state')) await writeFile(join(bed.home.cloud, 'warm', name), 'cut o')
  await create('web-c', inGroup)
  expect(calls().slice(-3)).toEqual(['start web-c', 'resume web-c', 'start web-c'])
  expect((await bed.get(`${zone}/instances/web-c`)).status).toBe('RUNNING')
})

test('snapshots take no more room than they may: the one that was used longest ago goes', async () => {
  deps.warmLimitBytes = 1
  await cloud.restart()
  await create('web-a', inGroup)
  await create('large', { ...inGroup, disk: { diskSizeGb: '20' } })
  expect(calls().filter((call) => call.startsWith('resume'))).toEqual(['resume web-a', 'resume large'])
  expect(await warmFiles()).toHaveLength(1)
  await create('large-2', { ...inGroup, disk: { diskSizeGb: '20' } })
  expect(calls().at(-2)).toBe('start large-2')
  expect(calls().filter((call) => call.startsWith('snapshot'))).toHaveLength(2)
  delete deps.warmLimitBytes
  await cloud.restart()
})

test('a daemon that ends while a snapshot is made leaves nothing of it, and the next one does the whole again', async () => {
  bed.driver.holdSnapshots(new Promise(() => {}))
  const started = await cloud.call('POST', `${zone}/instances`, { body: body('web-a', inGroup) })
  await untilCall('snapshot')
  const dead = join(bed.home.cloud, 'warm', `${(await bed.get(`${api}/global/images/warm-1`)).id}-dead.memory.part`)
  await writeFile(dead, 'as a killed one leaves it')
  bed.world.whileDown = async () => {
    bed.driver.holdSnapshots(Promise.resolve())
  }
  await cloud.restart()
  await cloud.call('POST', `${zone}/operations/${started.json.name}/wait`)
  expect((await bed.get(`${zone}/instances/web-a`)).status).toBe('RUNNING')
  expect(calls()).toEqual(['snapshot snapshot', 'snapshot snapshot', 'start web-a', 'resume web-a'])
  expect(await warmFiles('.part')).toEqual([])
})

test('an instance that is deleted while it waits does not wait on, and the making ends with it', async () => {
  bed.driver.holdSnapshots(new Promise(() => {}))
  const creating = operate(cloud, 'POST', `${zone}/instances`, body('web-a', inGroup))
  await untilCall('snapshot')
  await succeed(cloud, 'DELETE', `${zone}/instances/web-a`)
  await creating
  expect((await cloud.call('GET', `${zone}/instances/web-a`)).status).toBe(404)
  expect(await warmFiles('.part')).toEqual([])
  bed.driver.holdSnapshots(Promise.resolve())
  await create('web-b', inGroup)
  expect(calls().at(-1)).toBe('resume web-b')
})

test('snapshots go with their image, also while machines of it run', async () => {
  await create('web-a', inGroup)
  expect(await warmFiles()).toHaveLength(1)
  await succeed(cloud, 'DELETE', `${api}/global/images/warm-1`)
  expect(await readdir(join(bed.home.cloud, 'warm'))).toEqual([])
  expect((await bed.get(`${zone}/instances/web-a`)).status).toBe('RUNNING')
})

test('partition names of a disk; other disks have none', async () => {
  expect(await partitionNames(join(folder, 'disk.raw'))).toEqual([warmPartition, 'kiln-root'])
  await writeFile(join(folder, 'short'), 'x')
  expect(await partitionNames(join(folder, 'short'))).toEqual([])
})
