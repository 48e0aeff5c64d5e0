/** A snapshot that nobody is about to need is made when the host has nothing else to do. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startWarmBed } from './testing.warm.ts'
import type { WarmBed } from './testing.warm.ts'

let w: WarmBed
let isBusy = true
const start = performance.now()

beforeAll(async () => {
  w = await startWarmBed({ idleMs: async () => (isBusy ? 0 : performance.now() - start) })
})
afterAll(async () => {
  await w.close()
})

test('while machines boot their image’s snapshot waits; one for machines that are about to be replaced does not', async () => {
  await w.makeMarked('old', { family: 'web' })
  await w.create('old', { image: 'old' })
  await w.makeMarked('new', { family: 'web' })
  await w.untilCall('snapshot')
  expect(w.callsOf('snapshot')).toHaveLength(1)
  isBusy = false
  await w.settle()
  expect(w.callsOf('snapshot'), 'the old image’s comes after it').toHaveLength(2)
  await w.create('again', { image: 'old' })
  expect(w.calls().at(-1)).toBe('resume again')
})

test('an image that goes does not wait for an idle host', async () => {
  isBusy = true
  await w.makeMarked('gone')
  await w.create('gone', { image: 'gone' })
  const before = w.callsOf('snapshot').length
  await w.bed.cloud.call('DELETE', 'compute.googleapis.com/compute/v1/projects/p-one/global/images/gone')
  await w.settle()
  expect(w.callsOf('snapshot')).toHaveLength(before)
})
