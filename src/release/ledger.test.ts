import { beforeEach, expect, test } from 'vitest'
import { createLedger, currentRelease, previousGood, releaseObject } from './ledger.ts'
import type { Ledger, NewRelease } from './ledger.ts'
import { acquireLock, lockHolder, lockObject } from './lock.ts'
import { fakeClock, memoryStore, shape } from './testing.ts'
import type { FakeClock, MemoryStore } from './testing.ts'

let store: MemoryStore
let clock: FakeClock
let ledger: Ledger

beforeEach(() => {
  store = memoryStore()
  clock = fakeClock()
  ledger = createLedger(store, clock)
})

const content: NewRelease = {
  stack: 'moshi',
  image: { name: 'one', selfLink: 'projects/p-one/global/images/one', id: '1' },
  configDigest: 'sha256:0',
  shape,
  template: (number) => `moshi-${number}`,
  group: 'srv',
  strategy: { kind: 'rolling' },
  who: 'ann',
  why: 'test',
}

test('two deployers never take the same number, however they meet', async () => {
  const made = await Promise.all(Array.from({ length: 8 }, () => ledger.create(content)))
  expect(made.map(({ number }) => number).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  expect(made.every(({ number, template }) => template === `moshi-${number}`)).toBe(true)
})

test('a number whose answer was lost is still ours', async () => {
  const { write } = store
  let isLost = false
  const flaky = createLedger(
    {
      ...store,
      async write(...args) {
        const generation = await write(...args)
        if (isLost) return generation
        isLost = true
        // The transport repeats what got no answer, and then sees the object that it made itself.
        return write(...args)
      },
    },
    clock,
  )
  expect((await flaky.create(content)).number).toBe(1)
  expect((await ledger.list()).releases).toHaveLength(1)
})

test('edits of two writers are both kept', async () => {
  await ledger.create(content)
  await Promise.all(Array.from({ length: 6 }, (_, index) => ledger.update(1, (release) => ({ ...release, capsule: [...(release.capsule ?? []), String(index)] }))))
  expect((await ledger.get(1))?.capsule?.toSorted()).toEqual(['0', '1', '2', '3', '4', '5'])
})

test('torn, foreign and newer objects are reported, hold their number, and are in nobody’s way', async () => {
  await ledger.create(content)
  await store.write(releaseObject(2), '{"number": 2, "sta')
  await store.write(releaseObject(3), '{"format": 99}')
  await store.write(releaseObject(4), store.objects.get(releaseObject(1))?.text ?? '')
  await store.write('releases/notes.txt', 'hello')
  await store.write('releases/000001/serial-a.txt', 'a capsule')
  const view = await ledger.list()
  expect(view.releases.map(({ number }) => number)).toEqual([1])
  expect(view.problems).toEqual([
    { object: 'releases/notes.txt', problem: 'its name is not that of a release' },
    { object: 'releases/000004.json', problem: 'it says that it is release 1' },
    { object: 'releases/000003.json', problem: 'it was written by a newer Kiln (format 99)' },
    { object: 'releases/000002.json', problem: 'it is not JSON' },
  ])
  await expect(ledger.get(2)).rejects.toMatchObject({ code: 'E_DATA_BROKEN' })
  await expect(ledger.update(3, (release) => release)).rejects.toMatchObject({ code: 'E_DATA_NEWER' })
  expect((await ledger.create(content)).number).toBe(5)
})

test('current is the newest live one; previous is the newest before it that served and gave way to a newer one', async () => {
  const states = ['superseded', 'failed', 'superseded', 'rolled-back', 'live', 'failed'] as const
  for (const [index, state] of states.entries()) {
    await ledger.create(content)
    await ledger.update(index + 1, (release) => ({ ...release, state, ...(state === 'failed' ? {} : { liveAt: '2026-01-01T00:00:00Z' }) }))
  }
  const { releases } = await ledger.list()
  expect(currentRelease(releases)?.number).toBe(5)
  expect(previousGood(releases)?.number).toBe(3)
  expect(currentRelease([])).toBeUndefined()
})

const ann = { owner: 'ann', purpose: 'deploy one', ttlMs: 60_000 }
const bob = { owner: 'bob', purpose: 'deploy two', ttlMs: 60_000 }

test('one lock at a time; it is free after release', async () => {
  const lock = await acquireLock(store, clock, ann)
  await expect(acquireLock(store, clock, bob)).rejects.toMatchObject({
    code: 'E_LOCKED',
    message: 'ann deploys since 2026-11-23T10:00:00.000Z (deploy one); the lock holds until 2026-11-23T10:01:00.000Z unless it is renewed',
  })
  await lock.release()
  await (await acquireLock(store, clock, bob)).release()
  expect(store.objects.size).toBe(0)
})

test('of many that come at once, one gets it', async () => {
  const all = await Promise.allSettled(Array.from({ length: 8 }, (_, index) => acquireLock(store, clock, { ...ann, owner: `ann ${index}` })))
  expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
})

test('work keeps it for as long as it takes', async () => {
  const lock = await acquireLock(store, clock, ann)
  for (let minutes = 0; minutes < 20; minutes += 1) {
    clock.advance(25_000)
    await lock.keep()
    await expect(acquireLock(store, clock, bob)).rejects.toMatchObject({ code: 'E_LOCKED' })
  }
  await lock.check()
})

test('an expired lock is taken over, and its first holder is told and frees nothing', async () => {
  const lock = await acquireLock(store, clock, ann)
  clock.advance(60_000)
  await expect(acquireLock(store, clock, bob), 'clocks differ a little').rejects.toMatchObject({ code: 'E_LOCKED' })
  clock.advance(6000)
  expect(await lockHolder(store, clock)).toBeUndefined()
  await acquireLock(store, clock, bob)
  await expect(lock.keep()).rejects.toMatchObject({ code: 'E_LOCKED', message: expect.stringContaining('bob took it over') })
  await expect(lock.check()).rejects.toMatchObject({ code: 'E_LOCKED' })
  await lock.release()
  expect((await lockHolder(store, clock))?.owner).toBe('bob')
})

test('a lock that was taken away by hand is seen by the next check, long before it expires', async () => {
  const lock = await acquireLock(store, clock, ann)
  await store.remove(lockObject)
  await expect(lock.check()).rejects.toMatchObject({ code: 'E_LOCKED', message: expect.stringContaining('it was taken away') })
})

test('a torn lock holds nothing', async () => {
  await store.write(lockObject, '{"own')
  const lock = await acquireLock(store, clock, ann)
  expect((await lockHolder(store, clock))?.owner).toBe('ann')
  await lock.release()
})
