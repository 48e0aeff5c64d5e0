/** A deployer that is killed after any of its changes: the next run ends on exactly one release, and what served was served throughout. */
import { expect, test } from 'vitest'
import { describeError } from '../base/errors.ts'
import type { Strategy } from './ledger.schema.ts'
import { createReleases } from './releases.ts'
import type { ReleaseParts, Releases } from './releases.ts'
import { fakeWorld, killAfter, memoryStore, shape, target } from './testing.ts'
import type { FakeWorld, MemoryStore } from './testing.ts'

const strategies: readonly Strategy[] = [{ kind: 'rolling' }, { kind: 'canary', count: 1, bakeMs: 4000 }, { kind: 'blue-green' }]

interface Scene {
  readonly world: FakeWorld
  readonly store: MemoryStore
  releases(fields?: Partial<ReleaseParts>): Releases
}

/** Release 1 serves. */
async function scene(strategy: Strategy): Promise<Scene> {
  const world = fakeWorld()
  const store = memoryStore()
  world.backendsOf.set('web', [])
  world.addImage('one')
  world.addImage('two')
  world.addImage('bad', { health: (age) => (age < 2000 ? 'UNKNOWN' : age < 9000 ? 'HEALTHY' : 'UNHEALTHY') })
  const releases = (fields: Partial<ReleaseParts> = {}): Releases =>
    createReleases({
      store,
      fleet: world.fleet,
      clock: world.clock,
      target: { ...target, backendService: 'web' },
      timing: { stallMs: 30_000, bakeMs: 8000 },
      ...fields,
    })
  await releases().deploy({ image: 'one', shape, strategy, who: 'ann', why: 'first' })
  world.leastServing()
  return { world, store, releases }
}

async function expectOneLive({ world, releases }: Scene, image: string, at: string): Promise<void> {
  const view = await releases().list()
  const live = view.releases.filter(({ state }) => state === 'live')
  expect(
    live.map((release) => release.image.name),
    at,
  ).toEqual([image])
  expect(
    view.releases.filter(({ state }) => ['pending', 'rolling', 'baking'].includes(state)),
    at,
  ).toEqual([])
  expect(view.problems, at).toEqual([])
  expect(
    world.serving().map(({ template }) => template),
    at,
  ).toEqual(Array.from({ length: 3 }, () => live[0]?.template))
}

async function runKilled(one: Scene, changes: number, work: (releases: Releases) => Promise<unknown>): Promise<boolean> {
  const kill = killAfter(changes)
  try {
    await work(one.releases({ fleet: kill.wrap(one.world.fleet), store: kill.wrap(one.store) }))
  } catch (error) {
    if (!kill.isDead()) expect(describeError(error)).toContain('failed at its gate')
  }
  // Its lock expires.
  one.world.clock.advance(180_000)
  return kill.isDead()
}

const deploy = (image: string, strategy: Strategy) => (releases: Releases) => releases.deploy({ image, shape, strategy, who: 'ann', why: 'second' })

test.each(strategies)('$kind: killed after each change of a deploy, the same deploy brings it to its end', async (strategy) => {
  let changes = 1
  for (let isKilled = true; isKilled; changes += 1) {
    const one = await scene(strategy)
    isKilled = await runKilled(one, changes, deploy('two', strategy))
    const at = `killed after ${changes} changes`
    const result = await deploy('two', strategy)(one.releases())
    expect(result.release.number, at).toBe(2)
    await expectOneLive(one, 'two', at)
    expect(one.world.leastServing(), at).toBeGreaterThanOrEqual(3)
  }
  expect(changes).toBeGreaterThan(12)
})

test.each(strategies)('$kind: killed after each change of a release that fails, the next run leaves the old one live', async (strategy) => {
  let changes = 1
  for (let isKilled = true; isKilled; changes += 1) {
    const one = await scene(strategy)
    isKilled = await runKilled(one, changes, deploy('bad', strategy))
    const at = `killed after ${changes} changes`
    await one
      .releases()
      .resume('ann')
      .catch((error: unknown) => expect(describeError(error), at).toContain('failed at its gate'))
    one.world.clock.advance(10_000)
    await expectOneLive(one, 'one', at)
    const failed = (await one.releases().list()).releases.find(({ number }) => number === 2)
    if (failed !== undefined) expect(failed, at).toMatchObject({ state: 'rolled-back', restore: 'done', replacedBy: 1 })
    // A release that failed is not tried again.
    expect(failed?.evidence.filter(({ passed }) => !passed).length ?? 1, at).toBe(1)
    if (failed !== undefined) expect(failed.capsule?.length, at).toBeGreaterThan(0)
  }
  expect(changes).toBeGreaterThan(12)
})

test.each(strategies)('$kind: killed after each change of a rollback, the same rollback brings it to its end', async (strategy) => {
  let changes = 1
  for (let isKilled = true; isKilled; changes += 1) {
    const one = await scene(strategy)
    await deploy('two', strategy)(one.releases())
    one.world.leastServing()
    const rollback = (releases: Releases) => releases.rollback({ who: 'ann', why: 'errors', number: 1 })
    isKilled = await runKilled(one, changes, rollback)
    const at = `killed after ${changes} changes`
    await rollback(one.releases())
    await expectOneLive(one, 'one', at)
    expect(one.world.leastServing(), at).toBeGreaterThanOrEqual(3)
  }
  expect(changes).toBeGreaterThan(10)
})

test('killed twice in a row, at different places, it still comes to its end', async () => {
  for (let first = 1; first < 14; first += 2) {
    for (let second = 1; second < 12; second += 1) {
      const one = await scene({ kind: 'rolling' })
      await runKilled(one, first, deploy('two', { kind: 'rolling' }))
      await runKilled(one, second, deploy('two', { kind: 'rolling' }))
      await deploy('two', { kind: 'rolling' })(one.releases())
      await expectOneLive(one, 'two', `killed after ${first} and ${second} changes`)
    }
  }
})
