/** Planning, applying and destroying, over a fake cloud. */
import { describe, expect, test } from 'vitest'
import { isKilnError } from '../base/errors.ts'
import { ApplyError, applyPlan } from './apply.ts'
import type { ApplyResult } from './apply.ts'
import { claimRows, destroyStack, foundRows, planDestroy } from './destroy.ts'
import type { Engine } from './engine.ts'
import { ref } from './graph.ts'
import { memoryInventory } from './inventory.ts'
import { planStack } from './plan.ts'
import { convergesFromEveryStop, gated } from './testing/every-stop.ts'
import type { Gate } from './testing/every-stop.ts'
import { FakeCloud, fakeEngine, want } from './testing/fake-cloud.ts'
import type { Address, DesiredResource } from './types.ts'

async function up<Clients>(engine: Engine<Clients>, desired: readonly DesiredResource[]): Promise<ApplyResult> {
  return applyPlan(engine, await planStack(engine, desired))
}

async function actions(engine: Engine<FakeCloud>, desired: readonly DesiredResource[]): Promise<Record<string, string>> {
  const { plan } = await planStack(engine, desired)
  return Object.fromEntries(plan.nodes.map((node) => [node.address, node.drifted ? `${node.action} (drift)` : node.action]))
}

async function failure(work: Promise<unknown>): Promise<Error & { code?: string; hint?: string | undefined; detail?: string | undefined }> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof Error) return error
  throw new Error('it did not fail')
}

const chain = [want('c', { links: [ref('thing/b', 'id')] }), want('a'), want('b', { links: [ref('thing/a', 'id')] })]

describe('plan', () => {
  test('reads only, and says what is known after apply', async () => {
    const cloud = new FakeCloud()
    const engine = fakeEngine(cloud)
    const { plan } = await planStack(engine, chain)
    expect(plan.nodes.map((node) => [node.address, node.action])).toEqual([
      ['thing/a', 'create'],
      ['thing/b', 'create'],
      ['thing/c', 'create'],
    ])
    expect(plan.nodes[1]?.reasons).toEqual(['links[0]: known after thing/a is applied'])
    expect(cloud.writes).toEqual([])
    expect(engine.inventory.rows()).toEqual([])
  })

  test('a dependent of something that is replaced is updated, known after apply', async () => {
    const cloud = new FakeCloud()
    const engine = fakeEngine(cloud)
    await up(engine, chain)
    const changed = chain.map((resource) => (resource.address === 'thing/a' ? want('a', { fixed: '2' }) : resource))
    expect(await actions(engine, changed)).toEqual({ 'thing/a': 'replace', 'thing/b': 'update', 'thing/c': 'update' })
    const result = await up(engine, changed)
    // c refers to the id of b, which stays.
    expect(result.applied.map((entry) => [entry.address, entry.action])).toEqual([
      ['thing/a', 'replace'],
      ['thing/b', 'update'],
      ['thing/c', 'noop'],
    ])
    expect(cloud.things.get('b')?.links).toEqual([cloud.things.get('a')?.id])
  })

  test('marks drift, and only drift', async () => {
    const cloud = new FakeCloud()
    const engine = fakeEngine(cloud)
    await up(engine, [want('a'), want('b'), want('d')])
    await cloud.change({ name: 'a', value: 'by hand', fixed: '1', links: [] })
    await cloud.remove('d')
    expect(await actions(engine, [want('a'), want('b', { value: '2' }), want('d')])).toEqual({ 'thing/a': 'update (drift)', 'thing/b': 'update', 'thing/d': 'create (drift)' })
    const { plan } = await planStack(engine, [want('a')])
    expect(plan.nodes[0]?.reasons).toEqual(['value: "by hand" -> "1"'])
  })

  test('refuses circles, unknown references, twins and unknown kinds', async () => {
    const engine = fakeEngine(new FakeCloud())
    expect((await failure(planStack(engine, [want('a', { dependsOn: ['thing/b'] }), want('b', { dependsOn: ['thing/a'] })]))).message).toContain('thing/a -> thing/b -> thing/a')
    expect((await failure(planStack(engine, [want('a', { links: [ref('thing/none', 'id')] })]))).message).toContain('thing/a depends on thing/none')
    expect((await failure(planStack(engine, [want('a'), want('b', { name: 'a' })]))).message).toContain('thing/a and thing/b are the same thing')
    expect((await failure(planStack(engine, [want('a'), want('a')]))).message).toContain('two resources have the address')
    expect((await failure(planStack(engine, [{ address: 'x/y', kind: 'x', props: {}, dependsOn: [] }]))).code).toBe('E_PLAN')
    await up(engine, [want('a')])
    expect((await failure(planStack(engine, [want('a'), want('b', { links: [ref('thing/a', 'colour')] })]))).message).toContain('"colour" of thing/a, which has: ')
  })

  test('what cannot be looked up yet counts as not there while its parent is missing; else the error is told', async () => {
    const cloud = new FakeCloud()
    const engine = fakeEngine(cloud)
    cloud.onCall = (call) => {
      if (call === 'read child' && !cloud.things.has('parent')) throw new Error('the project does not exist')
    }
    const desired = [want('parent'), want('child', { dependsOn: ['thing/parent'] })]
    expect(await actions(engine, desired)).toEqual({ 'thing/parent': 'create', 'thing/child': 'create' })
    await up(engine, desired)
    cloud.onCall = (call) => {
      if (call === 'read child') throw new Error('permission denied')
    }
    expect((await failure(planStack(engine, desired))).message).toBe('permission denied')
  })
})

describe('apply', () => {
  test('a second apply makes no write', async () => {
    const cloud = new FakeCloud()
    const engine = fakeEngine(cloud)
    expect((await up(engine, chain)).changes).toBe(3)
    const before = cloud.writes.length
    const again = await up(engine, chain)
    expect(again.changes).toBe(0)
    expect(cloud.writes.length).toBe(before)
    expect(again.attributes.get('thing/c')).toEqual(cloud.things.get('c'))
  })

  test('a noop is looked at again when what it refers to came out otherwise', async () => {
    const cloud = new FakeCloud()
    const engine = fakeEngine(cloud)
    const wanted = (value: string): DesiredResource[] => [want('a', { value }), { ...want('b'), props: { name: 'b', fixed: '1', links: [], value: ref('thing/a', 'value') } }]
    await up(engine, wanted('1'))
    await up(engine, wanted('2'))
    expect(cloud.things.get('b')?.value).toBe('2')
    expect(await actions(engine, wanted('2'))).toEqual({ 'thing/a': 'noop', 'thing/b': 'noop' })
  })

  test('create-first: the new one is there before the old one goes, and users move in between', async () => {
    const cloud = new FakeCloud()
    const engine = fakeEngine(cloud)
    const wanted = (name: string): DesiredResource[] => [want('img', { kind: 'image', name }), want('vm', { links: [ref('image/img', 'id')] })]
    await up(engine, wanted('img-1'))
    expect(await actions(engine, wanted('img-2'))).toEqual({ 'image/img': 'replace', 'thing/vm': 'update' })
    cloud.log.length = 0
    await up(engine, wanted('img-2'))
    expect(cloud.writes).toEqual(['create img-2', 'change vm', 'remove img-1'])
    expect(engine.inventory.rows().map((row) => row.address)).toEqual(['thing/vm', 'image/img'])
  })

  test('a failure skips what depends on it, the rest goes on, and the next run heals', async () => {
    const cloud = new FakeCloud()
    const engine = fakeEngine(cloud)
    cloud.onCall = (call) => {
      if (call === 'create a') throw new Error('quota exceeded')
    }
    const desired = [...chain, want('other')]
    const error = await failure(up(engine, desired))
    expect(error).toBeInstanceOf(ApplyError)
    expect(error.code).toBe('E_APPLY')
    expect(error.message).toBe('thing/a: quota exceeded')
    expect(error.detail).toContain('thing/b, thing/c')
    expect(engine.events.filter((event) => event.type === 'skipped')).toEqual([
      { type: 'skipped', address: 'thing/b', because: 'thing/a' },
      { type: 'skipped', address: 'thing/c', because: 'thing/a' },
    ])
    expect([...cloud.things.keys()]).toEqual(['other'])
    cloud.onCall = () => {}
    await up(engine, desired)
    expect([...cloud.things.keys()].toSorted()).toEqual(['a', 'b', 'c', 'other'])
  })

  test('cancelling lets what runs end, begins nothing more, and keeps the inventory right', async () => {
    const cloud = new FakeCloud()
    const cancel = new AbortController()
    const engine = fakeEngine(cloud, memoryInventory(), cancel.signal)
    const planned = await planStack(engine, chain)
    cloud.onCall = (call) => {
      if (call === 'create a') cancel.abort()
    }
    expect((await failure(applyPlan(engine, planned))).code).toBe('E_CANCELLED')
    expect([...cloud.things.keys()]).toEqual(['a'])
    expect(engine.inventory.rows().map((row) => [row.address, row.state, row.made])).toEqual([['thing/a', 'ready', true]])
  })

  test('never more at once than allowed, and as many as allowed', async () => {
    const cloud = new FakeCloud()
    const engine = fakeEngine(cloud)
    const planned = await planStack(
      engine,
      Array.from({ length: 10 }, (_, index) => want(`n${index}`)),
    )
    let running = 0
    let most = 0
    cloud.onCall = async (call) => {
      if (!call.startsWith('create')) return
      running += 1
      most = Math.max(most, running)
      await new Promise((resolve) => setImmediate(resolve))
      running -= 1
    }
    await applyPlan(engine, planned)
    expect(most).toBe(3)
  })

  test('what was there before is looked after, but not replaced', async () => {
    const cloud = new FakeCloud()
    cloud.seed({ name: 'a', value: '0', fixed: '0', links: [] })
    const engine = fakeEngine(cloud)
    const error = await failure(planStack(engine, [want('a')]))
    expect(isKilnError(error)).toBe(true)
    expect(error.message).toContain('thing/a exists and cannot be changed in place (fixed: "0" -> "1"), and this stack did not make it')
    await up(engine, [want('a', { fixed: '0' })])
    expect(cloud.things.get('a')?.value).toBe('1')
    expect(engine.inventory.get('thing/a')?.made).toBe(false)
  })

  test('another address for the same thing keeps the thing, and whose it is', async () => {
    const cloud = new FakeCloud()
    const engine = fakeEngine(cloud)
    await up(engine, [want('a', { address: 'old' })])
    const before = cloud.writes.length
    await up(engine, [want('a', { address: 'new' })])
    expect(cloud.writes.length).toBe(before)
    expect(engine.inventory.rows().map((row) => [row.address, row.made])).toEqual([['thing/new', true]])
  })

  test('what left the config is deleted after its users', async () => {
    const cloud = new FakeCloud()
    const engine = fakeEngine(cloud)
    await up(engine, chain)
    cloud.log.length = 0
    await up(engine, [want('c')])
    expect(cloud.writes).toEqual(['change c', 'remove b', 'remove a'])
  })
})

describe('destroy', () => {
  test('removes what the stack made, users first, and nothing else', async () => {
    const cloud = new FakeCloud()
    cloud.seed({ name: 'there', value: '1', fixed: '1', links: [] })
    const engine = fakeEngine(cloud)
    await up(engine, [...chain, want('there', { dependsOn: ['thing/a'] }), want('project', { kind: 'kept' })])
    cloud.log.length = 0
    expect(
      planDestroy(engine)
        .plan.nodes.map((node) => `${node.action} ${node.address}`)
        .toSorted(),
    ).toEqual(['delete thing/a', 'delete thing/b', 'delete thing/c', 'forget kept/project', 'forget thing/there'])
    await destroyStack(engine)
    expect(cloud.writes).toEqual(['remove c', 'remove b', 'remove a'])
    expect([...cloud.things.keys()]).toEqual(['there', 'project'])
    expect(engine.inventory.rows()).toEqual([])
    expect((await destroyStack(engine)).changes).toBe(0)
  })

  test('what says itself that it is the stack’s goes too, once it is claimed; what another thing has the address of does not', async () => {
    const cloud = new FakeCloud()
    for (const name of ['a', 'b', 'c', 'd']) cloud.seed({ name, value: '1', fixed: '1', links: [] })
    const engine = fakeEngine(cloud)
    await up(engine, [want('a'), want('b')])
    const found = (name: string, dependsOn: readonly Address[] = [], address: Address = `thing/${name}`) => ({ address, kind: 'thing', identity: { name }, dependsOn })
    const rows = foundRows(engine.inventory, [found('a', ['thing/c']), found('c'), found('d', [], 'thing/b')])
    expect(rows.map(({ address, made, attributes }) => [address, made, attributes?.['id'] !== undefined])).toEqual([
      ['thing/a', true, true],
      ['thing/c', true, false],
    ])
    const planned = planDestroy(engine, rows)
    expect(planned.plan.nodes.map((node) => `${node.action} ${node.address}`).toSorted()).toEqual(['delete thing/a', 'delete thing/c', 'forget thing/b'])
    expect(engine.inventory.rows().filter(({ made }) => made)).toEqual([])
    claimRows(engine.inventory, rows)
    await applyPlan(engine, planned)
    expect(cloud.writes).toEqual(['remove a', 'remove c'])
    expect([...cloud.things.keys()]).toEqual(['b', 'd'])
  })

  test('what cannot be deleted blocks only what it depends on', async () => {
    const cloud = new FakeCloud()
    const engine = fakeEngine(cloud)
    await up(engine, [...chain, want('other')])
    cloud.onCall = (call) => {
      if (call === 'remove b') throw new Error('b is in use')
    }
    const error = await failure(destroyStack(engine))
    expect(error.message).toBe('thing/b: b is in use')
    expect(error.detail).toContain('thing/a')
    expect([...cloud.things.keys()].toSorted()).toEqual(['a', 'b'])
    cloud.onCall = () => {}
    await destroyStack(engine)
    expect(cloud.things.size).toBe(0)
  })
})

describe('a stop at any call', () => {
  const first = [...chain, want('img', { kind: 'image', name: 'img-1' }), want('vm', { links: [ref('image/img', 'value')] }), want('gone')]
  const second = [
    want('a', { fixed: '2' }),
    want('b', { links: [ref('thing/a', 'value')], value: '2' }),
    want('c', { name: 'c2' }),
    want('img', { kind: 'image', name: 'img-2' }),
    want('vm', { links: [ref('image/img', 'name')] }),
  ]

  function withoutIds(cloud: FakeCloud): unknown {
    return [...cloud.things.values()]
      .map(({ name, value, fixed, links }) => ({ name, value, fixed, links: links.map((link) => link.replace(/#\d+$/, '')) }))
      .toSorted((x, y) => (x.name < y.name ? -1 : 1))
  }

  async function newWorld() {
    return { cloud: new FakeCloud(), inventory: memoryInventory() }
  }

  type World = Awaited<ReturnType<typeof newWorld>>

  function engineOf(world: World, gate: Gate): Engine<FakeCloud> {
    return { ...fakeEngine(world.cloud, gated(world.inventory, gate)), clients: gated(world.cloud, gate), concurrency: 1 }
  }

  function stateOf(world: World): unknown {
    return {
      things: withoutIds(world.cloud),
      rows: world.inventory
        .rows()
        .map((row) => [row.address, row.made, row.state, row.identity])
        .toSorted(),
    }
  }

  test('of the first apply converges', async () => {
    const calls = await convergesFromEveryStop({ fresh: newWorld, run: async (world, gate) => void (await up(engineOf(world, gate), first)), state: stateOf })
    expect(calls).toBeGreaterThan(30)
  })

  test('of an apply that creates, updates, replaces and deletes converges', async () => {
    const fresh = async (): Promise<World> => {
      const world = await newWorld()
      await up(fakeEngine(world.cloud, world.inventory), first)
      return world
    }
    const calls = await convergesFromEveryStop({ fresh, run: async (world, gate) => void (await up(engineOf(world, gate), second)), state: stateOf })
    expect(calls).toBeGreaterThan(30)
  })

  test('of a destroy leaves nothing behind', async () => {
    const fresh = async (): Promise<World> => {
      const world = await newWorld()
      await up(fakeEngine(world.cloud, world.inventory), first)
      return world
    }
    const calls = await convergesFromEveryStop({ fresh, run: async (world, gate) => void (await destroyStack(engineOf(world, gate))), state: stateOf })
    expect(calls).toBeGreaterThan(15)
  })
})
