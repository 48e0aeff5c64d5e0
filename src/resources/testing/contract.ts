/**
 * What every kind must do, written once: create; a second apply writes nothing; each mutable prop updates; each replacing prop replaces;
 * deleting twice; adopting; drift is seen and healed; and, for each of these, breaking off after every single call and running again ends the same.
 */
import { expect, test } from 'vitest'
import { silentProgress } from '../../base/progress.ts'
import type { Clients } from '../../client/clients.ts'
import type { Difference, KindContext, ResourceKind } from '../../engine/types.ts'
import { startFake } from './fake-google.ts'
import type { Fake, FakeService, Route } from './fake-google.ts'

export interface Variant {
  /** Props that differ from the first ones in one thing. */
  readonly props: unknown
  /** The paths that differ then. */
  readonly paths: readonly string[]
  readonly replaces?: boolean
}

export interface KindContract<Service extends FakeService> {
  readonly fake: () => Service
  readonly props: unknown
  readonly variants: readonly Variant[]
  /** Changes the live thing behind our back; the paths that differ then. */
  readonly drift?: { readonly change: (service: Service) => void; readonly paths: readonly string[] }
}

type Kind<P, A extends Readonly<Record<string, unknown>>> = ResourceKind<P, A, Clients>
type Outcome = 'create' | 'update' | 'replace' | 'noop'

/** Registers the tests of a kind. */
export function kindContract<P, A extends Readonly<Record<string, unknown>>, Service extends FakeService>(kind: Kind<P, A>, contract: KindContract<Service>): void {
  const used = new Set<Route['path']>()
  const known = new Set<Route['path']>()

  async function withFake<T>(work: (fake: Fake, service: Service) => Promise<T>): Promise<T> {
    const service = contract.fake()
    for (const route of service.routes) if (route.optional !== true) known.add(`${route.method} ${route.path}`)
    const fake = await startFake(service)
    let result: T
    try {
      result = await work(fake, service)
    } catch (error) {
      await fake.close().catch(() => {})
      throw error
    }
    for (const route of await fake.close()) used.add(`${route.method} ${route.path}`)
    return result
  }

  test('creates; a second apply writes nothing; deleting works twice', async () => {
    await withFake(async (fake) => {
      const empty = fake.snapshot()
      expect(await apply(kind, fake, contract.props)).toEqual({ outcome: 'create', paths: [] })
      expect(fake.writes().length).toBeGreaterThan(0)
      fake.forgetWrites()
      expect(await apply(kind, fake, contract.props)).toEqual({ outcome: 'noop', paths: [] })
      expect(fake.writes()).toEqual([])
      const identity = kind.identity(kind.parse(contract.props))
      await kind.remove(contextOf(fake), identity)
      expect(await kind.observe(contextOf(fake), identity)).toBeUndefined()
      await kind.remove(contextOf(fake), identity)
      expect(await kind.observe(contextOf(fake), identity)).toBeUndefined()
      expect(fake.snapshot()).toBe(empty)
    })
  })

  test('creating what is there adopts it', async () => {
    await withFake(async (fake) => {
      const props = kind.parse(contract.props)
      const first = await kind.create(contextOf(fake), props)
      const before = fake.snapshot()
      const second = await kind.create(contextOf(fake), props)
      expect(kind.diff(props, second)).toEqual([])
      expect(Object.keys(second).toSorted()).toEqual(Object.keys(first).toSorted())
      expect(fake.snapshot()).toBe(before)
    })
  })

  for (const variant of contract.variants) {
    test(`${variant.replaces === true ? 'replaces' : 'updates'} for ${variant.paths.join(', ')}`, async () => {
      await withFake(async (fake) => {
        await apply(kind, fake, contract.props)
        expect(await apply(kind, fake, variant.props)).toEqual({ outcome: variant.replaces === true ? 'replace' : 'update', paths: variant.paths })
        expect((await apply(kind, fake, variant.props)).outcome).toBe('noop')
        expect((await apply(kind, fake, contract.props)).paths).toEqual(variant.paths)
      })
    })
  }

  for (const drift of contract.drift === undefined ? [] : [contract.drift]) {
    test('sees drift and heals it', async () => {
      await withFake(async (fake, service) => {
        await apply(kind, fake, contract.props)
        const before = fake.snapshot()
        drift.change(service)
        expect((await apply(kind, fake, contract.props)).paths).toEqual(drift.paths)
        expect(fake.snapshot()).toBe(before)
      })
    })
  }

  test('broken off after every call in turn, the next run ends the same', async () => {
    const remove = (fake: Fake) => kind.remove(contextOf(fake), kind.identity(kind.parse(contract.props)))
    const goals: readonly (readonly [before: (fake: Fake) => Promise<unknown>, work: (fake: Fake) => Promise<unknown>])[] = [
      [async () => {}, (fake) => apply(kind, fake, contract.props)],
      [(fake) => apply(kind, fake, contract.props), remove],
      ...contract.variants.map((variant) => [(fake: Fake) => apply(kind, fake, contract.props), (fake: Fake) => apply(kind, fake, variant.props)] as const),
    ]
    for (const [before, work] of goals) {
      const wanted = await withFake(async (fake) => {
        await before(fake)
        await work(fake)
        return fake.snapshot()
      })
      for (let count = 1, broke = true; broke; count += 1) {
        expect(count).toBeLessThan(60)
        broke = await withFake(async (fake) => {
          await before(fake)
          fake.breakAfter(count)
          await work(fake).catch(() => {})
          const reached = fake.broke()
          fake.heal()
          await work(fake)
          expect([count, fake.snapshot()]).toEqual([count, wanted])
          return reached
        })
      }
    }
  })

  test('every route of the fake was used', () => {
    expect([...known].filter((route) => !used.has(route))).toEqual([])
  })
}

/** A context for calling a kind's methods against a fake. */
export function contextOf(fake: Fake): KindContext<Clients> {
  return { clients: fake.clients, progress: silentProgress, signal: new AbortController().signal }
}

/** What the engine does with one resource. */
export async function apply<P, A extends Readonly<Record<string, unknown>>>(
  kind: Kind<P, A>,
  fake: Fake,
  raw: unknown,
): Promise<{ readonly outcome: Outcome; readonly paths: readonly string[] }> {
  const context = contextOf(fake)
  const props = kind.parse(raw)
  const identity = kind.identity(props)
  const observed = await kind.observe(context, identity)
  if (observed === undefined) {
    expect(kind.diff(props, await kind.create(context, props))).toEqual([])
    return { outcome: 'create', paths: [] }
  }
  const differences: readonly Difference[] = kind.diff(props, observed)
  const paths = differences.map((difference) => difference.path)
  if (differences.length === 0) return { outcome: 'noop', paths }
  if (differences.some((difference) => difference.forcesReplacement === true)) {
    await kind.remove(context, identity)
    expect(kind.diff(props, await kind.create(context, props))).toEqual([])
    return { outcome: 'replace', paths }
  }
  expect(kind.diff(props, await kind.update(context, props, observed, differences))).toEqual([])
  return { outcome: 'update', paths }
}
