/** A snapshot that nobody is about to need is made when the host has nothing else to do. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { inGroup, startWarmBed } from './testing.warm.ts'
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

test('the snapshot of a machine that began without one waits while the host is busy, until its family has a new image', async () => {
  await w.makeMarked('alone')
  await w.create('alone', { image: 'alone' })
  await w.makeMarked('old', { family: 'web' })
  await w.create('old', { image: 'old' })
  expect(w.callsOf('snapshot')).toEqual([])
  await w.makeMarked('new', { family: 'web' })
  // the new image's, and then the old one's, which somebody may have to go back to
  await expect.poll(() => w.callsOf('snapshot').length, { timeout: 10_000 }).toBe(2)
  isBusy = false
  await w.settle()
  expect(w.callsOf('snapshot')).toHaveLength(3)
})

test('a group’s machine has its image’s made at once', async () => {
  isBusy = true
  await w.makeMarked('member')
  const before = w.callsOf('snapshot').length
  await w.create('member', { ...inGroup, image: 'member' })
  await w.settle()
  expect(w.callsOf('snapshot')).toHaveLength(before + 1)
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
