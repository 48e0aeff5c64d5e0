/** Which instances go on from a memory snapshot, when one is made for want of it, and that anything that goes wrong ends in a boot. Snapshots that are prepared: service.warm-makings.test.ts. */
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { run } from '../../../host/exec.ts'
import { KilnError } from '../../../base/errors.ts'
import { warmPartition } from '../../../vm/warm-protocol.ts'
import { partitionNames } from './service.warm-files.ts'
import { api, operate, succeed, zone } from './testing.ts'
import { inGroup, startWarmBed } from './testing.warm.ts'
import type { WarmBed } from './testing.warm.ts'

let w: WarmBed

beforeAll(async () => {
  w = await startWarmBed()
}, 300_000)
beforeEach(async () => {
  await w.clean()
})
afterAll(async () => {
  await w.close()
})

test('the first instance boots at once, and those that come when its snapshot is there go on from it', async () => {
  const release = w.hold()
  await w.create('one')
  await w.untilCall('snapshot')
  expect(w.calls()).toEqual(expect.arrayContaining(['start one', 'snapshot snapshot']))
  release()
  await w.settle()
  await w.create('two')
  await w.create('three')
  expect(w.calls().slice(2)).toEqual(['start two', 'resume two', 'start three', 'resume three'])
  expect(await w.serial('one')).not.toContain('snapshot')
  expect(await w.serial('three')).toContain('kiln: begins with a memory snapshot of the image warm-1\nfake machine')
  expect(await w.serial('three')).toContain('goes on from a snapshot as three')
  const [snapshot] = await w.warmFiles('.qcow2')
  expect(await readFile(await w.diskFile('three'))).toEqual(await readFile(join(w.warm, snapshot ?? '')))
  const { stdout } = await run({ program: 'qemu-img', args: ['info', '--output=json', await w.diskFile('three')] })
  expect(JSON.parse(stdout)).toMatchObject({ 'full-backing-filename': expect.stringMatching(/\/images\/\d+\.raw$/) })
  expect((await w.bed.get(`${zone}/instances/three`)).status).toBe('RUNNING')
})

test('nobody waits for a snapshot whose making has only just begun; it is made once', async () => {
  const release = w.hold()
  for (const name of ['web-a', 'web-b', 'web-c']) await w.create(name, inGroup)
  release()
  await w.settle()
  expect(w.callsOf('snapshot')).toHaveLength(1)
  expect(w.callsOf('resume')).toEqual([])
  await w.create('web-d', inGroup)
  expect(w.calls().at(-1)).toBe('resume web-d')
})

test('machines wait for one that is nearly there, and go on from it', async () => {
  // As long as none was made, nearly is a third of 20 s.
  w.bed.driver.setSeedProcessorMs(7000)
  const release = w.hold()
  await w.create('web-a', inGroup)
  await w.untilCall('snapshot')
  const more = Promise.all(['web-b', 'web-c'].map((name) => w.create(name, inGroup)))
  for (const name of ['web-b', 'web-c']) await untilStaging(name)
  await w.untilCall('hurry snapshot')
  expect(w.callsOf('start')).toHaveLength(1)
  release()
  await more
  expect(w.callsOf('snapshot')).toHaveLength(1)
  expect(w.calls().filter((call) => call.startsWith('resume'))).toHaveLength(2)
})

test('a machine that waits for one which takes far longer than the last one boots', async () => {
  w.bed.driver.setSeedProcessorMs(7000)
  await w.createAndSettle('web-a', inGroup)
  w.hold()
  const large = { ...inGroup, disk: { diskSizeGb: '20' } }
  await w.create('large-a', large)
  await expect.poll(() => w.callsOf('snapshot').length, { timeout: 10_000 }).toBe(2)
  await w.create('large-b', large)
  expect(w.calls().slice(-2)).toEqual(['hurry snapshot', 'start large-b'])
})

test('what a snapshot does not fit boots: other sizes of disk and machine, more disks, other images, a wish, a slow boot, a disk with a past', async () => {
  await w.createAndSettle('web-a', inGroup)
  await w.create('never', { items: [...inGroup.items, { key: 'kiln-warm-start', value: 'never' }] })
  expect(await w.serial('never')).toContain('kiln: boots, since its metadata says kiln-warm-start=never')
  await w.create('two-disks', { ...inGroup, moreDisks: [{ initializeParams: { diskSizeGb: '1' }, autoDelete: true }] })
  await w.create('foreign', { ...inGroup, image: 'srv-1' })
  w.cloud.kernel().faults.add({ kind: 'slow-boot', seconds: 0.01, instance: 'slow', project: 'p-one' })
  await w.create('slow', inGroup)
  await succeed(w.cloud, 'POST', `${zone}/instances/web-a/stop`)
  await succeed(w.cloud, 'POST', `${zone}/instances/web-a/start`)
  expect(await w.warmFiles()).toHaveLength(1)
  await w.createAndSettle('large', { disk: { diskSizeGb: '20' } })
  await w.createAndSettle('small', { fields: { machineType: 'zones/us-central1-c/machineTypes/e2-micro' } })
  expect(w.callsOf('resume')).toEqual([])
  // Each size has a snapshot of its own for the next.
  expect(await w.warmFiles()).toHaveLength(3)
  await w.create('large-2', { disk: { diskSizeGb: '20' } })
  expect(w.calls().at(-1)).toBe('resume large-2')
})

test('an image whose machines all refuse warm starts has a snapshot for the first that does not', async () => {
  await w.createAndSettle('cold', { items: [{ key: 'kiln-warm-start', value: 'never' }] })
  await w.create('warm')
  expect(w.calls().at(-1)).toBe('resume warm')
})

test('a machine that cannot go on from its snapshot boots on a new disk; the snapshot is made anew, but not for ever', async () => {
  await w.createAndSettle('web-a', inGroup)
  for (const name of ['web-b', 'web-c']) {
    w.bed.driver.failNextResume(new KilnError('E_VM', 'the guest was deaf'))
    await w.create(name, inGroup)
    expect(await w.serial(name)).toContain('kiln: boots, since it could not go on from its snapshot: the guest was deaf')
    const { stdout } = await run({ program: 'qemu-img', args: ['info', '--output=json', await w.diskFile(name)] })
    expect(JSON.parse(stdout)['full-backing-filename']).toMatch(/\/images\/\d+\.raw$/)
    expect((await w.bed.get(`${zone}/instances/${name}`)).status).toBe('RUNNING')
    await w.createAndSettle(`${name}-next`, inGroup)
  }
  await w.createAndSettle('web-d', inGroup)
  expect(w.callsOf('snapshot')).toHaveLength(2)
  expect(w.calls().at(-1)).toBe('start web-d')
  expect(await w.warmFiles()).toEqual([])
})

test('a guest that never gets ready for a snapshot boots, and is asked twice at most; nothing is left', async () => {
  w.bed.driver.failSnapshots(new KilnError('E_VM', 'not ready within 600 s'))
  for (const name of ['web-a', 'web-b', 'web-c']) await w.createAndSettle(name, inGroup)
  expect(w.callsOf('snapshot')).toHaveLength(2)
  expect(w.calls().filter((call) => call.startsWith('start'))).toEqual(['start web-a', 'start web-b', 'start web-c'])
  expect((await readdir(w.warm)).filter((name) => !name.endsWith('.notes'))).toEqual([])
})

test('other programs make another snapshot; one whose files are damaged is not used', async () => {
  await w.createAndSettle('web-a', inGroup)
  w.bed.driver.setFingerprint('fake 2')
  await w.createAndSettle('web-b', inGroup)
  expect(w.callsOf('snapshot')).toHaveLength(2)
  for (const name of await w.warmFiles('.state')) await writeFile(join(w.warm, name), 'cut o')
  await w.create('web-c', inGroup)
  expect(w.calls().slice(-3)).toEqual(['start web-c', 'resume web-c', 'start web-c'])
  expect((await w.bed.get(`${zone}/instances/web-c`)).status).toBe('RUNNING')
})

test('an instance that is deleted while it waits does not wait on; the snapshot is made all the same', async () => {
  w.bed.driver.setSeedProcessorMs(7000)
  const release = w.hold()
  await w.create('web-a', inGroup)
  await w.untilCall('snapshot')
  const creating = operate(w.cloud, 'POST', `${zone}/instances`, w.body('web-b', inGroup))
  await untilStaging('web-b')
  await succeed(w.cloud, 'DELETE', `${zone}/instances/web-b`)
  await creating
  expect((await w.cloud.call('GET', `${zone}/instances/web-b`)).status).toBe(404)
  release()
  await w.settle()
  await w.create('web-c', inGroup)
  expect(w.calls().at(-1)).toBe('resume web-c')
})

test('snapshots go with their image, also while machines of it run', async () => {
  await w.makeMarked('warm-2')
  await w.createAndSettle('web-a', { ...inGroup, image: 'warm-2' })
  expect(await w.warmFiles()).toHaveLength(1)
  await succeed(w.cloud, 'DELETE', `${api}/global/images/warm-2`)
  expect(await readdir(w.warm)).toEqual([])
  expect((await w.bed.get(`${zone}/instances/web-a`)).status).toBe('RUNNING')
})

test('partition names of a disk; other disks have none', async () => {
  expect(await partitionNames(join(w.folder, 'disk.raw'))).toEqual([warmPartition, 'kiln-root'])
  await writeFile(join(w.folder, 'short'), 'x')
  expect(await partitionNames(join(w.folder, 'short'))).toEqual([])
})

async function untilStaging(name: string): Promise<void> {
  await expect.poll(async () => (await w.cloud.call('GET', `${zone}/instances/${name}`)).json.status, { timeout: 10_000 }).toBe('STAGING')
}
