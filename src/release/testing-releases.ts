/** For the tests of whole releases: a small world with three images and a load balancer, and what is asked of it again and again. */
import { expect } from 'vitest'
import type { KilnError } from '../base/errors.ts'
import type { Release, Strategy } from './ledger.schema.ts'
import { createReleases } from './releases.ts'
import type { ReleaseParts, Releases } from './releases.ts'
import { fakeWorld, memoryStore, shape, target } from './testing.ts'
import type { FakeWorld, MemoryStore } from './testing.ts'

const balanced = { ...target, backendService: 'web' }
export const strategies: readonly Strategy[] = [{ kind: 'rolling' }, { kind: 'canary', percent: 30, bakeMs: 10_000 }, { kind: 'blue-green' }]

export interface ReleasesBench {
  readonly world: FakeWorld
  readonly store: MemoryStore
  releases(fields?: Partial<ReleaseParts>): Releases
  /** `NUMBER STATE` of every release, oldest first. */
  states(): Promise<string[]>
  /** One release is live, all that serves has its template, and it is the size that it should be. */
  expectWhole(image: string): Promise<Release>
}

/** A new world: images `one`, `two` and `three`, each of the version of its name. */
export function releasesBench(): ReleasesBench {
  const world = fakeWorld()
  const store = memoryStore()
  world.backendsOf.set('web', [])
  for (const name of ['one', 'two', 'three']) world.addImage(name, { version: name })
  const { fleet, clock } = world
  const releases = (fields: Partial<ReleaseParts> = {}): Releases =>
    createReleases({ store, fleet, clock, target: balanced, timing: { stallMs: 60_000, bakeMs: 20_000 }, ...fields })
  return {
    world,
    store,
    releases,
    states: async () => (await releases().list()).releases.toReversed().map(({ number, state }) => `${number} ${state}`),
    async expectWhole(image) {
      const view = await releases().list()
      const live = view.releases.filter(({ state }) => state === 'live')
      expect(live.map((release) => release.image.name)).toEqual([image])
      expect(view.lock).toBeUndefined()
      const serving = world.serving()
      expect(serving.map(({ template }) => template)).toEqual(Array.from({ length: 3 }, () => live[0]?.template))
      return live[0] as Release
    },
  }
}

/** A deploy of an image, whose package has its name as version. */
export function request(image: string, strategy: Strategy = { kind: 'rolling' }, fields: object = {}) {
  return { image, shape, strategy, who: 'ann', why: `deploy ${image}`, package: { name: 'moshi', version: image }, ...fields }
}

/** How the work fails; that it does is expected. */
export async function failure(work: Promise<unknown>): Promise<KilnError> {
  return work.then(
    () => expect.unreachable('it must fail'),
    (error: unknown) => error as KilnError,
  )
}
