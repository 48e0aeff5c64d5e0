import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decide, sortOut } from './planner.ts'
import type { Availability, Decision, GroupWish, InstanceView } from './planner.ts'
import type { UpdateAction } from './policy.ts'

type Takes = UpdateAction | 'blocked'

function wishOf(fields: Partial<Omit<GroupWish, 'versions'>> & { versions: Readonly<Record<string, number>> }): GroupWish {
  const versions = Object.entries(fields.versions).map(([key, want]) => ({ key, want, version: { instanceTemplate: key } }))
  const targetSize = versions.reduce((sum, version) => sum + version.want, 0)
  return { isProactive: true, maxSurge: 1, maxUnavailable: 0, method: 'SUBSTITUTE', targetSize, ...fields, versions }
}

function view(name: string, version: string, availability: Availability = 'available', fields: Partial<InstanceView> = {}): InstanceView {
  return { name, version, availability, isLeaving: false, isBusy: false, ...takes('REPLACE'), ...fields }
}

function takes(action: Takes): Pick<InstanceView, 'updateTo'> {
  return { updateTo: () => action }
}

function said(decisions: readonly Decision[]): readonly string[] {
  return decisions.map((decision) =>
    decision.kind === 'create' ? `create ${decision.version}` : decision.kind === 'remove' ? `remove ${decision.name}` : `${decision.action} ${decision.name}`,
  )
}

describe('decide', () => {
  test('an empty group is filled, a full one is left alone', () => {
    expect(said(decide(wishOf({ versions: { v1: 3 } }), []))).toEqual(['create v1', 'create v1', 'create v1'])
    expect(decide(wishOf({ versions: { v1: 2 } }), [view('a', 'v1'), view('b', 'v1', 'starting')])).toEqual([])
  })

  test('an update with surge makes the new one first, waits for it, then takes an old one', () => {
    const wish = wishOf({ versions: { v2: 2 } })
    const old = [view('a', 'v1'), view('b', 'v1')]
    expect(said(decide(wish, old))).toEqual(['create v2'])
    expect(decide(wish, [...old, view('c', 'v2', 'starting')])).toEqual([])
    expect(said(decide(wish, [...old, view('c', 'v2')]))).toEqual(['remove a'])
    expect(decide(wish, [view('a', 'v1', 'available', { isLeaving: true }), view('b', 'v1'), view('c', 'v2')])).toEqual([])
    expect(said(decide(wish, [view('b', 'v1'), view('c', 'v2')]))).toEqual(['create v2'])
  })

  test('a new version that is never healthy, or falls sick, stops the update', () => {
    const wish = wishOf({ versions: { v2: 2 } })
    for (const availability of ['starting', 'sick', 'unknown'] as const) expect(decide(wish, [view('a', 'v1'), view('b', 'v1'), view('c', 'v2', availability)])).toEqual([])
    const both = wishOf({ versions: { v2: 2 }, maxUnavailable: 1 })
    expect(said(decide(both, [view('a', 'v1'), view('b', 'v1')]))).toEqual(['create v2', 'remove a'])
    expect(decide(both, [view('b', 'v1'), view('c', 'v2', 'starting'), view('d', 'v2', 'sick')])).toEqual([])
  })

  test('a sick old version is left behind step by step', () => {
    const wish = wishOf({ versions: { v2: 2 } })
    const sick = [view('a', 'v1', 'sick'), view('b', 'v1', 'sick')]
    expect(said(decide(wish, sick))).toEqual(['create v2'])
    expect(said(decide(wish, [...sick, view('c', 'v2')]))).toEqual(['remove a'])
  })

  test('a daemon that has not probed yet takes nothing away in the middle of an update', () => {
    const wish = wishOf({ versions: { v2: 2 } })
    expect(decide(wish, [view('a', 'v1', 'unknown'), view('b', 'v1', 'unknown'), view('c', 'v2', 'unknown')])).toEqual([])
  })

  test('recreating keeps names and never surges', () => {
    const wish = wishOf({ versions: { v2: 3 }, maxSurge: 0, maxUnavailable: 1, method: 'RECREATE' })
    expect(said(decide(wish, [view('a', 'v1'), view('b', 'v1'), view('c', 'v1')]))).toEqual(['RECREATING a'])
    expect(decide(wish, [view('a', 'v2', 'starting', { isBusy: true }), view('b', 'v1'), view('c', 'v1')])).toEqual([])
  })

  test('refreshing needs no budget, restarting does, and what the policy forbids stays', () => {
    const wish = wishOf({ versions: { v2: 2 }, maxSurge: 0, maxUnavailable: 1 })
    const as = (action: Takes) => [view('a', 'v1', 'available', takes(action)), view('b', 'v1', 'available', takes(action))]
    expect(said(decide(wish, as('REFRESH')))).toEqual(['REFRESHING a', 'REFRESHING b'])
    expect(said(decide(wish, as('RESTART')))).toEqual(['RESTARTING a'])
    expect(decide(wish, as('blocked'))).toEqual([])
  })

  test('each instance is given the version that takes least', () => {
    const wish = wishOf({ versions: { 'v1 again': 1, 'v2 again': 1 }, maxSurge: 0, maxUnavailable: 2 })
    const near = (own: string): Partial<InstanceView> => ({ updateTo: (version) => (version === `${own} again` ? 'RESTART' : 'REPLACE') })
    expect(decide(wish, [view('a', 'v2', 'available', near('v2')), view('b', 'v1', 'available', near('v1'))])).toEqual([
      { kind: 'update', name: 'a', version: 'v2 again', action: 'RESTARTING' },
      { kind: 'update', name: 'b', version: 'v1 again', action: 'RESTARTING' },
    ])
  })

  test('a canary takes one place, and going back takes it away', () => {
    const canary = wishOf({ versions: { v1: 2, v2: 1 } })
    expect(said(decide(canary, [view('a', 'v1'), view('b', 'v1'), view('c', 'v1')]))).toEqual(['create v2'])
    expect(said(decide(canary, [view('a', 'v1'), view('b', 'v1'), view('c', 'v1'), view('d', 'v2')]))).toEqual(['remove a'])
    expect(said(decide(wishOf({ versions: { v1: 3 } }), [view('a', 'v1'), view('b', 'v1'), view('d', 'v2')]))).toEqual(['create v1'])
  })

  test('an opportunistic group changes nothing by itself, and new ones get the new version', () => {
    const wish = wishOf({ versions: { v2: 2 }, isProactive: false })
    expect(decide(wish, [view('a', 'v1'), view('b', 'v1')])).toEqual([])
    expect(said(decide(wish, [view('a', 'v1')]))).toEqual(['create v2'])
    expect(said(decide(wish, [view('a', 'v1'), view('b', 'v1', 'starting'), view('c', 'v2')]))).toEqual(['remove b'])
  })

  test('a smaller size takes the worst first', () => {
    const views = [view('a', 'v1'), view('b', 'v1', 'sick'), view('c', 'v1', 'starting'), view('d', 'v1')]
    expect(said(decide(wishOf({ versions: { v1: 2 } }), views)).toSorted()).toEqual(['remove b', 'remove c'])
    expect(said(decide(wishOf({ versions: { v1: 0 } }), views))).toHaveLength(4)
  })
})

/** A world in which decisions come true at random times; sicknesses are not the planner's doing and are left out here. */
interface World {
  views: InstanceView[]
  next: number
}

function obey(world: World, decisions: readonly Decision[]): void {
  for (const decision of decisions) {
    if (decision.kind === 'create') world.views.push(view(`i${(world.next += 1)}`, decision.version, 'starting'))
    else if (decision.kind === 'remove') world.views = world.views.map((each) => (each.name === decision.name ? { ...each, isLeaving: true } : each))
    else
      world.views = world.views.map((each) =>
        each.name !== decision.name ? each : { ...each, version: decision.version, isBusy: true, availability: decision.action === 'REFRESHING' ? each.availability : 'starting' },
      )
  }
}

function happen(world: World, pick: number): void {
  const waiting = world.views.filter((each) => each.isLeaving || each.isBusy || each.availability === 'starting')
  const chosen = waiting[pick % Math.max(1, waiting.length)]
  if (chosen === undefined) return
  if (chosen.isLeaving) world.views = world.views.filter((each) => each !== chosen)
  else world.views = world.views.map((each) => (each === chosen ? { ...each, isBusy: false, availability: 'available' } : each))
}

function availableOf(world: World): number {
  return world.views.filter((each) => !each.isLeaving && each.availability === 'available' && !(each.isBusy && each.updateTo('') !== 'REFRESH')).length
}

describe('whatever happens, in whatever order', () => {
  const scenario = fc.record({
    size: fc.integer({ min: 1, max: 8 }),
    maxSurge: fc.integer({ min: 0, max: 3 }),
    maxUnavailable: fc.integer({ min: 0, max: 3 }),
    method: fc.constantFrom('SUBSTITUTE' as const, 'RECREATE' as const),
    update: fc.constantFrom<UpdateAction>('REPLACE', 'RESTART', 'REFRESH'),
    canary: fc.integer({ min: 0, max: 8 }),
    picks: fc.array(fc.nat(100), { minLength: 200, maxLength: 200 }),
  })

  test('an update stays between targetSize - maxUnavailable and targetSize + maxSurge, and ends', () => {
    fc.assert(
      fc.property(scenario, ({ size, maxSurge, maxUnavailable, method, update, canary, picks }) => {
        fc.pre(maxSurge + maxUnavailable > 0 && (method === 'SUBSTITUTE' || maxSurge === 0))
        const second = Math.min(canary, size)
        const wish = wishOf({ versions: { v3: size - second, v2: second }, maxSurge, maxUnavailable, method })
        const world: World = { views: Array.from({ length: size }, (_unused, index) => view(`o${index}`, 'v1', 'available', takes(update))), next: 0 }
        for (const pick of picks) {
          obey(world, decide(wish, world.views))
          expect(availableOf(world)).toBeGreaterThanOrEqual(size - maxUnavailable)
          expect(world.views.length).toBeLessThanOrEqual(size + maxSurge)
          happen(world, pick)
        }
        expect(sortOut(wish, world.views)).toMatchObject({ surplus: [], missing: [] })
        expect(world.views).toHaveLength(size)
        expect(decide(wish, world.views)).toEqual([])
      }),
      { numRuns: 100 },
    )
  })

  test('a change of mind in the middle of an update, with any size, ends at the last wish and never starves it', () => {
    const wishes = fc.array(fc.record({ v1: fc.nat(3), v2: fc.nat(3), steps: fc.nat(6) }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(wishes, fc.array(fc.nat(100), { minLength: 300, maxLength: 300 }), fc.nat(1), (list, picks, maxUnavailable) => {
        const world: World = { views: [], next: 0 }
        const queue = [...picks]
        let wish = wishOf({ versions: { v1: 2 } })
        for (const { v1, v2, steps } of list) {
          wish = wishOf({ versions: { v1, v2 }, maxUnavailable })
          const before = availableOf(world)
          for (let step = 0; step < steps; step += 1) {
            obey(world, decide(wish, world.views))
            expect(availableOf(world)).toBeGreaterThanOrEqual(Math.min(before, wish.targetSize - maxUnavailable))
            happen(world, queue.pop() ?? 0)
          }
        }
        for (const pick of queue) {
          obey(world, decide(wish, world.views))
          happen(world, pick)
        }
        expect(world.views.map((each) => each.version).toSorted()).toEqual(wish.versions.flatMap(({ key, want }) => Array.from({ length: want }, () => key)).toSorted())
      }),
      { numRuns: 100 },
    )
  })
})
