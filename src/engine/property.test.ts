/** Random graphs, random histories, providers that fail at random: the inventory stays good and a healthy run converges. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { applyPlan } from './apply.ts'
import { destroyStack } from './destroy.ts'
import { ref } from './graph.ts'
import { memoryInventory } from './inventory.ts'
import { planStack } from './plan.ts'
import { FakeCloud, fakeEngine, want } from './testing/fake-cloud.ts'
import type { DesiredResource, Ref } from './types.ts'

interface Node {
  readonly kind: 'thing' | 'image' | 'kept'
  readonly present: boolean
  readonly value: string
  readonly fixed: string
  readonly renamed: boolean
  readonly links: readonly number[]
  readonly byId: boolean
}

interface Generation {
  readonly nodes: readonly Node[]
  /** Numbers of the cloud's calls that fail. */
  readonly failures: readonly number[]
  readonly failAfter: boolean
}

const size = 7
const word = fc.constantFrom('1', '2')
const node = fc.record({
  kind: fc.constant('thing' as const),
  present: fc.integer({ min: 0, max: 4 }).map((number) => number > 0),
  value: word,
  fixed: word,
  renamed: fc.boolean(),
  links: fc.uniqueArray(fc.integer({ min: 0, max: size - 1 }), { maxLength: 3 }),
  byId: fc.boolean(),
})
const generation: fc.Arbitrary<Generation> = fc.record({
  nodes: fc.array(node, { minLength: size, maxLength: size }),
  failures: fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { maxLength: 6 }),
  failAfter: fc.boolean(),
})
const scenario = fc.record({
  kinds: fc.array(fc.constantFrom('thing' as const, 'thing' as const, 'image' as const), { minLength: size, maxLength: size }),
  seeded: fc.uniqueArray(fc.integer({ min: 0, max: size - 1 }), { maxLength: 2 }),
  generations: fc.array(generation, { minLength: 1, maxLength: 4 }),
})

/** Links lead to nodes with a lower number, so there are no circles. Things that were there before keep what cannot be changed. */
function desiredOf(kinds: readonly Node['kind'][], seeded: readonly number[], nodes: readonly Node[]): DesiredResource[] {
  return nodes.flatMap((entry, index) => {
    if (!entry.present) return []
    const links: Ref[] = entry.links
      .filter((target) => target < index && nodes[target]?.present === true)
      .map((target) => ref(`${kinds[target] ?? 'thing'}/n${target}`, entry.byId ? 'id' : 'value'))
    const there = seeded.includes(index)
    return [
      want(`n${index}`, {
        kind: kinds[index] ?? 'thing',
        name: entry.renamed && !there ? `n${index}-renamed` : `n${index}`,
        value: entry.value,
        fixed: there ? '1' : entry.fixed,
        links,
      }),
    ]
  })
}

test('a healthy apply converges after any history of failures, and destroy leaves only what was there before', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ kinds, seeded, generations }) => {
      const cloud = new FakeCloud()
      for (const index of seeded) cloud.seed({ name: `n${index}`, value: '0', fixed: '1', links: [] })
      const inventory = memoryInventory()
      let desired: DesiredResource[] = []
      for (const entry of generations) {
        desired = desiredOf(kinds, seeded, entry.nodes)
        let calls = 0
        cloud.onCall = () => {
          calls += 1
          if (entry.failures.includes(calls) && !entry.failAfter) throw new Error(`call ${calls} failed`)
        }
        cloud.onAnswer = () => {
          if (entry.failures.includes(calls) && entry.failAfter) throw new Error(`the answer of call ${calls} was lost`)
        }
        const engine = fakeEngine(cloud, inventory)
        await planStack(engine, desired)
          .then((planned) => applyPlan(engine, planned))
          .catch(() => undefined)
        expect(inventory.rows().every((row) => row.address.includes('/'))).toBe(true)
      }

      cloud.onCall = () => {}
      cloud.onAnswer = () => {}
      const engine = fakeEngine(cloud, inventory)
      await applyPlan(engine, await planStack(engine, desired))
      const names = desired.map((resource) => String(resource.props['name']))
      const expected = new Set([...names, ...seeded.map((index) => `n${index}`)])
      expect([...cloud.things.keys()].toSorted()).toEqual([...expected].toSorted())
      const writes = cloud.writes.length
      const again = await planStack(engine, desired)
      expect(again.plan.nodes.filter((entry) => entry.action !== 'noop')).toEqual([])
      expect((await applyPlan(engine, again)).changes).toBe(0)
      expect(cloud.writes.length).toBe(writes)

      await destroyStack(engine)
      expect([...cloud.things.keys()].toSorted()).toEqual(seeded.map((index) => `n${index}`).toSorted())
      expect(inventory.rows()).toEqual([])
    }),
    { numRuns: Number(process.env['KILN_PROPERTY_RUNS'] ?? 300) },
  )
})

test('destroy goes from users to used in any graph', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ kinds, generations }) => {
      const cloud = new FakeCloud()
      const engine = fakeEngine(cloud)
      for (const entry of generations) {
        const desired = desiredOf(kinds, [], entry.nodes)
        await applyPlan(engine, await planStack(engine, desired))
      }
      cloud.onCall = (call) => {
        const name = call.startsWith('remove ') ? call.slice('remove '.length) : undefined
        const used = [...cloud.things.values()].some((other) => other.links.some((link) => link.startsWith(`${name}#`)))
        if (used) throw new Error(`${name} is in use`)
      }
      await destroyStack(engine)
      expect(cloud.things.size).toBe(0)
    }),
    { numRuns: Number(process.env['KILN_PROPERTY_RUNS'] ?? 150) },
  )
})
