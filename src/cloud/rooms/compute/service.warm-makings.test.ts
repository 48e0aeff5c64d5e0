/** Memory snapshots that are prepared before anybody asks: for which images and machines, what ends the making, and what survives the daemon. */
import { mkdtemp, readdir, utimes, writeFile } from 'node:fs/promises'
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { KIB } from '../../../base/units.ts'
import { removeAll } from '../../../host/files.ts'
import { createWarmFiles } from './service.warm-files.ts'
import { api, succeed, zone } from './testing.ts'
import { inGroup, startWarmBed } from './testing.warm.ts'
import type { WarmBed, WarmLimits } from './testing.warm.ts'

let w: WarmBed
const limits: WarmLimits = {}
/** Each test has a family of its own. */
let family = ''
let count = 0
const e2Micro = { fields: { machineType: 'zones/us-central1-c/machineTypes/e2-micro' } }

beforeAll(async () => {
  w = await startWarmBed(limits)
})
beforeEach(async () => {
  await w.clean()
  family = `family-${(count += 1)}`
})
afterAll(async () => {
  await w.close()
})

/** An image as Kiln makes it: it gets its family when it is tested. */
async function untested(name: string): Promise<string> {
  await w.makeMarked(`${family}-${name}`, { labels: { 'kiln-family': family } })
  return (await w.bed.get(`${api}/global/images/${family}-${name}`)).id as string
}

/** The first image, and a machine that runs it. */
async function served(): Promise<void> {
  await untested('old')
  await w.createAndSettle('old', { ...inGroup, image: `${family}-old` })
}

async function filesOf(imageId: string): Promise<readonly string[]> {
  return (await readdir(w.warm)).filter((name) => name.startsWith(imageId))
}

async function remove(name: string): Promise<void> {
  await succeed(w.cloud, 'DELETE', `${api}/global/images/${family}-${name}`)
}

test('an image whose family machines run has its snapshot before the first of them is replaced', async () => {
  await served()
  const id = await untested('new')
  await w.untilCall(`snapshot snapshot-${id}`)
  await w.settle()
  await w.create('new', { ...inGroup, image: `${family}-new` })
  expect(w.calls().slice(-2)).toEqual(['start new', 'resume new'])
})

test('it is prepared for each size of machine and disk that runs the family, and for nobody else', async () => {
  await untested('old')
  const old = { image: `${family}-old` }
  await w.create('server', { ...old, ...inGroup })
  await w.create('same', old)
  await w.create('small', { ...old, ...e2Micro })
  await w.create('large', { ...old, disk: { diskSizeGb: '20' } })
  await w.create('two-disks', { ...old, moreDisks: [{ initializeParams: { diskSizeGb: '1' }, autoDelete: true }] })
  await w.create('other-family', { disk: { diskSizeGb: '30' } })
  await w.settle()
  const id = await untested('new')
  await expect.poll(() => w.callsOf(`snapshot snapshot-${id}`).length, { timeout: 10_000 }).toBe(3)
  await w.settle()
  await w.create('new-small', { image: `${family}-new`, ...e2Micro })
  expect(w.calls().at(-1)).toBe('resume new-small')
})

test('a group without machines counts by its template, also one that refuses warm starts', async () => {
  await untested('old')
  const disks = [{ boot: true, autoDelete: true, initializeParams: { sourceImage: `projects/p-one/global/images/${family}-old` } }]
  const metadata = { items: [{ key: 'kiln-warm-start', value: 'never' }] }
  const properties = { machineType: 'e2-micro', disks, metadata, networkInterfaces: [{ network: 'global/networks/default' }] }
  await succeed(w.cloud, 'POST', `${api}/global/instanceTemplates`, { name: family, properties })
  await succeed(w.cloud, 'POST', `${zone}/instanceGroupManagers`, { name: family, targetSize: 0, instanceTemplate: `global/instanceTemplates/${family}` })
  const id = await untested('new')
  await w.untilCall(`snapshot snapshot-${id}`)
  await w.settle()
  await w.create('new', { image: `${family}-new`, ...e2Micro, disk: {} })
  expect(w.calls().at(-1)).toBe('resume new')
})

test('an image that nobody runs, one without a family and one whose guest knows nothing of it are left alone', async () => {
  await untested('only')
  await w.makeMarked(`${family}-none`)
  await served()
  // Its own, since it began without one.
  expect(w.callsOf('snapshot')).toHaveLength(1)
  await succeed(w.cloud, 'POST', `${api}/global/images`, { name: `${family}-plain`, labels: { 'kiln-family': family }, sourceImage: 'global/images/srv-1' })
  // What comes later is looked at later.
  const id = await untested('new')
  await w.untilCall(`snapshot snapshot-${id}`)
  expect(w.callsOf('snapshot')).toHaveLength(2)
})

test('a family that comes later counts from then on', async () => {
  await served()
  await w.makeMarked(`${family}-new`)
  const before = w.callsOf('snapshot').length
  await succeed(w.cloud, 'PATCH', `${api}/global/images/${family}-new`, { family })
  await expect.poll(() => w.callsOf('snapshot').length, { timeout: 10_000 }).toBe(before + 1)
})

test('an image that fails its boot test goes at once, and so does the machine of its snapshot; nothing is left', async () => {
  await served()
  w.hold()
  const id = await untested('bad')
  await w.untilCall(`snapshot snapshot-${id}`)
  await remove('bad')
  expect(await filesOf(id)).toEqual([])
  // Whatever comes next is not kept waiting.
  w.bed.driver.holdSnapshots(Promise.resolve())
  const next = await untested('good')
  await w.untilCall(`snapshot snapshot-${next}`)
  await w.settle()
  expect(await filesOf(next)).not.toEqual([])
})

test('one that waits for its turn goes with its image too, without waiting for those before it', async () => {
  await served()
  const release = w.hold()
  const id = await untested('new')
  await w.untilCall(`snapshot snapshot-${id}`)
  const own = `${family}-own`
  await w.makeMarked(own)
  await w.create('own', { image: own })
  const ownId = (await w.bed.get(`${api}/global/images/${own}`)).id as string
  expect(await filesOf(ownId)).toEqual([expect.stringMatching(/\.notes$/)])
  await succeed(w.cloud, 'DELETE', `${api}/global/images/${own}`)
  expect(await filesOf(ownId)).toEqual([])
  release()
  await w.settle()
  expect(w.callsOf(`snapshot snapshot-${ownId}`)).toEqual([])
  expect(await filesOf(id)).not.toEqual([])
})

test('of several new images only the newest is prepared, and first; one that a machine began with comes after it', async () => {
  await served()
  w.hold()
  const ids = [await untested('new-1')]
  await w.untilCall(`snapshot snapshot-${ids[0]}`)
  for (const name of ['new-2', 'new-3']) ids.push(await untested(name))
  await w.untilCall(`snapshot snapshot-${ids[2]}`)
  await w.create('eager', { ...inGroup, image: `${family}-new-3` })
  const release = w.hold()
  ids.push(await untested('new-4'))
  await w.untilCall(`snapshot snapshot-${ids[3]}`)
  release()
  await w.settle()
  const whole = await w.warmFiles()
  expect(ids.map((id) => whole.filter((name) => name.startsWith(id)).length)).toEqual([0, 0, 1, 1])
  expect(w.callsOf(`snapshot snapshot-${ids[2]}`)).toHaveLength(2)
})

test('a daemon that ends in the middle leaves nothing half made, and the next one makes what was wanted', async () => {
  await served()
  w.hold()
  const id = await untested('new')
  await w.untilCall(`snapshot snapshot-${id}`)
  const dead = join(w.warm, `${id}-dead.memory.part`)
  await writeFile(dead, 'as a killed one leaves it')
  w.bed.world.whileDown = async () => {
    expect(await w.warmFiles('.memory.part')).toEqual([`${id}-dead.memory.part`])
    w.bed.driver.holdSnapshots(Promise.resolve())
  }
  await w.cloud.restart()
  delete w.bed.world.whileDown
  await w.settle()
  expect(w.callsOf(`snapshot snapshot-${id}`)).toHaveLength(2)
  expect(await w.warmFiles('.part')).toEqual([])
  await w.create('new', { ...inGroup, image: `${family}-new` })
  expect(w.calls().at(-1)).toBe('resume new')
})

test('without memory for it nothing is made, which is not held against the image', async () => {
  await served()
  w.bed.availableMib = 1000
  const id = await untested('new')
  await expect.poll(() => filesOf(id), { timeout: 10_000 }).not.toEqual([])
  w.bed.availableMib = 100_000
  await w.cloud.restart()
  await w.settle()
  expect(w.callsOf(`snapshot snapshot-${id}`)).toHaveLength(1)
})

test('the machine of a snapshot gives way to one that needs its memory', async () => {
  await served()
  w.hold()
  const id = await untested('new')
  await w.untilCall(`snapshot snapshot-${id}`)
  const isMaking = (): boolean => readdirSync(w.warm).some((name) => name.endsWith('.memory.part'))
  Object.defineProperty(w.bed, 'availableMib', { get: () => (isMaking() ? 1000 : 2048), configurable: true })
  await w.create('urgent', { image: 'srv-1' })
  Object.defineProperty(w.bed, 'availableMib', { value: 100_000, writable: true, configurable: true })
  expect(w.calls().at(-1)).toBe('start urgent')
  w.bed.driver.holdSnapshots(Promise.resolve())
  await w.cloud.restart()
  await w.settle()
  expect(w.callsOf(`snapshot snapshot-${id}`)).toHaveLength(2)
})

test('snapshots take no more room than they may: the one that was used longest ago goes', async () => {
  limits.warmLimitBytes = 1
  await w.cloud.restart()
  await w.createAndSettle('web-a', inGroup)
  await w.createAndSettle('large', { ...inGroup, disk: { diskSizeGb: '20' } })
  expect(await w.warmFiles()).toHaveLength(1)
  await w.create('large-2', { ...inGroup, disk: { diskSizeGb: '20' } })
  expect(w.calls().at(-1)).toBe('resume large-2')
  delete limits.warmLimitBytes
  await w.cloud.restart()
})

test('those of images that a template or a machine names stay longer than others', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-warm-prune-'))
  const files = createWarmFiles(folder)
  // Used in this order.
  for (const [index, name] of ['kept-a', 'kept-b', 'gone-a', 'gone-b', 'made-a'].entries()) {
    for (const part of ['memory', 'state', 'qcow2']) await writeFile(join(folder, `${name}.${part}.part`), Buffer.alloc(part === 'memory' ? 100 * KIB : 0, 'x'))
    await files.publish(name, { madeInMs: 10 * index, processorMs: index })
    await utimes(join(folder, `${name}.json`), index, index)
  }
  expect(await files.lastCost()).toMatchObject({ madeInMs: 40, processorMs: 4 })
  expect(await files.prune(350 * KIB, 'made-a', new Set(['kept']))).toEqual(['gone-b', 'gone-a'])
  expect(await files.prune(250 * KIB, 'made-a', new Set(['kept']))).toEqual(['kept-a'])
  await removeAll(folder)
})
