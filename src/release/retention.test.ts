import { expect, test } from 'vitest'
import { frozenBy } from './freeze.ts'
import type { FreezeWindow } from './freeze.ts'
import { createReleases } from './releases.ts'
import { planRetention } from './retention.ts'
import type { RetentionFacts } from './retention.ts'
import { fakeWorld, memoryStore, shape, target } from './testing.ts'
import type { FakeWorld, MemoryStore } from './testing.ts'

const rolling = { kind: 'rolling' } as const

/** Six releases that served, each of its own image; the third of a failing one comes in between. */
async function history(): Promise<{ world: FakeWorld; store: MemoryStore; facts: (keep: number) => Promise<RetentionFacts> }> {
  const world = fakeWorld()
  const store = memoryStore()
  const { fleet, clock } = world
  const releases = createReleases({ store, fleet, clock, target, timing: { stallMs: 10_000, bakeMs: 0 } })
  for (let number = 1; number <= 6; number += 1) {
    world.addImage(`image-${number}`, number === 3 ? { health: () => 'UNHEALTHY' } : {})
    await releases.deploy({ image: `image-${number}`, shape, strategy: rolling, who: 'ann', why: '' }).catch(() => {})
  }
  world.addImage('of-another-team')
  return {
    world,
    store,
    facts: async (keep) => ({
      ...(await releases.list()),
      stack: 'moshi',
      templates: await fleet.templates('moshi'),
      images: await fleet.images(),
      groups: await fleet.groups(),
      machines: await fleet.machines(),
      disks: await fleet.keptDisks('moshi'),
      keep,
      allDisks: false,
    }),
  }
}

const numbersOf = (names: readonly string[]): number[] => names.map((name) => Number(/r?0*(\d+)(?:-|$)/.exec(name.replace('image-', ''))?.[1])).toSorted()

test('the newest that served stay, and at least current and previous; what failed goes', async () => {
  const { facts } = await history()
  const three = planRetention(await facts(3))
  expect(three.blocked).toBeUndefined()
  expect(numbersOf(three.templates)).toEqual([1, 2, 3])
  expect(numbersOf(three.images.map(({ name }) => name))).toEqual([1, 2, 3])
  expect(numbersOf(planRetention(await facts(0)).templates)).toEqual([1, 2, 3, 4])
  expect(planRetention(await facts(10)).images.map(({ name }) => name)).toEqual(['image-3'])
})

test('what a machine, a group or a family’s newest image uses stays, however old', async () => {
  const { facts } = await history()
  const base = await facts(2)
  const [first] = base.templates
  const oldest = base.images.find(({ name }) => name === 'image-2')
  const machine = { name: 'by-hand', imageIds: [oldest?.id ?? ''], ...(first === undefined ? {} : { template: first.name }) }
  const plan = planRetention({
    ...base,
    machines: [...base.machines, machine],
    images: base.images.map((image) => (image.name === 'image-4' ? { ...image, family: 'srv' } : image)),
  })
  expect(numbersOf(plan.templates)).toEqual([2, 3, 4])
  expect(plan.images.map(({ name }) => name)).toEqual(['image-3'])
  const grouped = planRetention({ ...base, groups: base.groups.map((group) => ({ ...group, versions: [{ template: base.templates[1]?.name ?? '' }] })) })
  expect(numbersOf(grouped.templates)).toEqual([1, 3, 4])
})

test('an image under an old name with another id is not ours to delete, and a torn ledger lets nothing go', async () => {
  const { facts } = await history()
  const base = await facts(2)
  expect(planRetention({ ...base, images: base.images.map((image) => ({ ...image, id: `9${image.id}` })) }).images).toEqual([])
  const torn = planRetention({ ...base, problems: [{ object: 'releases/000002.json', problem: 'it is not JSON' }] })
  expect(torn).toEqual({ templates: [], images: [], capsules: [], disks: [], blocked: 'releases/000002.json cannot be read, and may name what is needed' })
})

test('the disk of a failed release goes with its capsule or when it is asked for, and never while a machine has it', async () => {
  const { facts, world, store } = await history()
  for (const [name, release, isUsed] of [
    ['old', 1, false],
    ['kept', 3, false],
    ['busy', 2, true],
  ] as const)
    world.disks.set(name, { name, release, isUsed })
  const base = await facts(2)
  // Release 3 has the newest capsule; nothing is known of a failure of release 1.
  expect(planRetention(base)).toMatchObject({ capsules: [], disks: ['old'] })
  expect(planRetention({ ...base, allDisks: true }).disks).toEqual(['old', 'kept'])
  const releases = createReleases({ store, fleet: world.fleet, clock: world.clock, target })
  expect((await releases.prune({ keep: 2, who: 'ann', allDisks: true })).disks).toEqual(['old', 'kept'])
  expect([...world.disks.keys()]).toEqual(['busy'])
})

test('pruning deletes what the plan says, and what came into use meanwhile stays', async () => {
  const { world, store, facts } = await history()
  const planned = planRetention(await facts(2))
  const releases = createReleases({ store, fleet: world.fleet, clock: world.clock, target })
  expect(await releases.prune({ keep: 2, who: 'ann', dryRun: true })).toEqual(planned)
  expect(world.templates.size).toBe(6)
  const { deleteTemplate } = world.fleet
  const busy = { ...world.fleet, deleteTemplate: async (name: string) => (name.includes('r000001') ? false : deleteTemplate(name)) }
  const done = await createReleases({ store, fleet: busy, clock: world.clock, target }).prune({ keep: 2, who: 'ann' })
  expect(numbersOf(done.templates)).toEqual([2, 3, 4])
  expect([...world.images.keys()]).toEqual(['image-1', 'image-5', 'image-6', 'of-another-team'])
  await releases.prune({ keep: 2, who: 'ann' })
  expect([...world.images.keys()]).toEqual(['image-5', 'image-6', 'of-another-team'])
  expect(world.templates.size).toBe(2)
  expect((await releases.list()).previous?.number).toBe(5)
})

test('freeze windows hold once or every week, over midnight, in their time zone', () => {
  const at = (text: string): number => Date.parse(text)
  const once: FreezeWindow = { from: '2026-12-24T00:00:00Z', to: '2026-12-27T00:00:00Z', why: 'holidays' }
  expect(frozenBy([once], at('2026-12-24T00:00:00Z'))).toBe(once)
  expect(frozenBy([once], at('2026-12-27T00:00:00Z'))).toBeUndefined()
  const weekend: FreezeWindow = { days: ['Fri'], from: '17:00', to: '08:00', timeZone: 'Europe/Zurich', why: 'weekend' }
  // 27 November 2026 is a Friday; Zurich is one hour ahead of UTC then.
  expect(frozenBy([weekend], at('2026-11-27T15:59:00Z'))).toBeUndefined()
  expect(frozenBy([weekend], at('2026-11-27T16:00:00Z'))).toBe(weekend)
  expect(frozenBy([weekend], at('2026-11-28T06:59:00Z'))).toBe(weekend)
  expect(frozenBy([weekend], at('2026-11-28T07:00:00Z'))).toBeUndefined()
  expect(frozenBy([weekend], at('2026-11-29T06:00:00Z'))).toBeUndefined()
  for (const bad of [
    { ...weekend, from: '25:00' },
    { ...weekend, timeZone: 'Mars/Base' },
    { ...once, to: 'tomorrow' },
  ])
    expect(() => frozenBy([bad], at('2026-12-25T00:00:00Z'))).toThrow(expect.objectContaining({ code: 'E_CONFIG_INVALID' }))
})
