/** Test helper: a cloud in memory, with kinds that behave as real ones do, for tests of the engine. */
import { sameJson } from '../../base/json.ts'
import { memoryInventory } from '../inventory.ts'
import type { Inventory } from '../inventory.ts'
import type { Engine } from '../engine.ts'
import type { Address, DesiredResource, Difference, EngineEvent, Ref, ResourceKind } from '../types.ts'

export interface Thing {
  /** Given by the cloud: known only after the thing is made. */
  readonly id: string
  readonly name: string
  /** Can be changed in place. */
  readonly value: string
  /** Cannot be changed in place. */
  readonly fixed: string
  /** Ids of other things. */
  readonly links: readonly string[]
}

export interface ThingProps {
  readonly name: string
  readonly value: string
  readonly fixed: string
  readonly links: readonly string[]
}

/** The API of the fake cloud. Reads and writes are counted, and can be made to fail. */
export class FakeCloud {
  readonly things = new Map<string, Thing>()
  readonly log: string[] = []
  /** Throws to make a call fail before it had an effect. */
  onCall: (call: string) => void | Promise<void> = () => {}
  /** Throws to lose the answer of a call that had its effect. */
  onAnswer: (call: string) => void = () => {}
  private made = 0

  get writes(): readonly string[] {
    return this.log.filter((line) => !line.startsWith('read '))
  }

  /** Puts a thing there that no stack made. */
  seed(thing: Omit<Thing, 'id'>): void {
    this.things.set(thing.name, { ...thing, id: this.nextId(thing.name) })
  }

  async read(name: string): Promise<Thing | undefined> {
    await this.call(`read ${name}`)
    return this.things.get(name)
  }

  async create(props: ThingProps): Promise<Thing> {
    await this.call(`create ${props.name}`)
    const there = this.things.get(props.name)
    if (there !== undefined) return there
    const thing = { ...props, id: this.nextId(props.name) }
    this.things.set(props.name, thing)
    this.onAnswer(`create ${props.name}`)
    return thing
  }

  async change(props: ThingProps): Promise<Thing> {
    await this.call(`change ${props.name}`)
    const there = this.things.get(props.name)
    if (there === undefined) throw new Error(`${props.name} is gone`)
    const thing = { ...there, value: props.value, links: props.links }
    this.things.set(props.name, thing)
    this.onAnswer(`change ${props.name}`)
    return thing
  }

  async remove(name: string): Promise<void> {
    await this.call(`remove ${name}`)
    this.things.delete(name)
    this.onAnswer(`remove ${name}`)
  }

  private async call(line: string): Promise<void> {
    this.log.push(line)
    await Promise.resolve()
    await this.onCall(line)
  }

  private nextId(name: string): string {
    this.made += 1
    return `${name}#${this.made}`
  }
}

type ThingKind = ResourceKind<ThingProps, Record<string, unknown> & Thing, FakeCloud>

function thingKind(kind: string, more: Partial<ThingKind> = {}): ThingKind {
  return {
    kind,
    parse: (props) => props as ThingProps,
    identity: (props) => ({ name: props.name }),
    observe: async (context, identity) => (await context.clients.read(identity['name'] ?? '')) as (Record<string, unknown> & Thing) | undefined,
    diff: (props, observed) => {
      const differences: Difference[] = []
      if (props.value !== observed.value) differences.push({ path: 'value', from: observed.value, to: props.value })
      if (!sameJson(props.links, observed.links)) differences.push({ path: 'links', from: observed.links, to: props.links })
      if (props.fixed !== observed.fixed) differences.push({ path: 'fixed', from: observed.fixed, to: props.fixed, forcesReplacement: true })
      return differences
    },
    create: async (context, props) => (await context.clients.create(props)) as Record<string, unknown> & Thing,
    update: async (context, props) => (await context.clients.change(props)) as Record<string, unknown> & Thing,
    remove: (context, identity) => context.clients.remove(identity['name'] ?? ''),
    ...more,
  }
}

/** `thing` is replaced delete-first, `image` create-first, and `kept` is never deleted. */
export const fakeKinds: readonly ThingKind[] = [thingKind('thing'), thingKind('image', { createBeforeDelete: true }), thingKind('kept', { keepOnDestroy: true })]

export interface WantedThing {
  readonly kind?: 'thing' | 'image' | 'kept'
  readonly address?: string
  readonly name?: string
  readonly value?: string
  readonly fixed?: string
  readonly links?: readonly Ref[]
  readonly dependsOn?: readonly Address[]
}

/** A desired resource of a fake kind. `want('a')` is `thing/a`. */
export function want(label: string, wanted: WantedThing = {}): DesiredResource {
  const kind = wanted.kind ?? 'thing'
  return {
    address: `${kind}/${wanted.address ?? label}`,
    kind,
    props: { name: wanted.name ?? label, value: wanted.value ?? '1', fixed: wanted.fixed ?? '1', links: wanted.links ?? [] },
    dependsOn: wanted.dependsOn ?? [],
  }
}

export interface FakeEngine extends Engine<FakeCloud> {
  readonly events: EngineEvent[]
}

/** An engine over a fake cloud. */
export function fakeEngine(cloud: FakeCloud, inventory: Inventory = memoryInventory(), signal: AbortSignal = new AbortController().signal): FakeEngine {
  const events: EngineEvent[] = []
  return { stack: 'test', kinds: fakeKinds, clients: cloud, inventory, signal, events, onEvent: (event) => void events.push(event), concurrency: 3 }
}
