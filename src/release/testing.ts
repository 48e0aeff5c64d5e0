/** For the tests of releases: time that passes only when somebody waits, a bucket in memory, and a small cloud whose groups behave like Google's. */
import { KilnError } from '../base/errors.ts'
import type { Clock } from './clock.ts'
import type { Backend, BackendHealth, Fleet, GroupError, GroupFacts, GroupVersion, GroupWish, HealthState, ImageFacts, KeptDisk, MemberFacts } from './fleet.ts'
import type { Shape } from './ledger.schema.ts'
import type { ObjectStore } from './objects.ts'
import type { Target } from './run.ts'

export interface FakeClock extends Clock {
  advance(durationMs: number): void
  onTick(work: () => void): void
}

const stepMs = 500

export function fakeClock(): FakeClock {
  let nowMs = Date.parse('2026-11-23T10:00:00Z')
  const ticks: (() => void)[] = []
  function advance(durationMs: number): void {
    const endMs = nowMs + durationMs
    while (nowMs < endMs) {
      nowMs = Math.min(endMs, nowMs + stepMs)
      for (const tick of ticks) tick()
    }
  }
  return {
    now: () => nowMs,
    async sleep(durationMs, signal) {
      signal?.throwIfAborted()
      advance(durationMs)
    },
    advance,
    onTick: (work) => void ticks.push(work),
  }
}

export interface MemoryStore extends ObjectStore {
  readonly objects: Map<string, { text: string; generation: number }>
}

export function memoryStore(): MemoryStore {
  const objects = new Map<string, { text: string; generation: number }>()
  let generations = 0
  const holds = (name: string, generation: string | undefined): boolean => generation === undefined || String(objects.get(name)?.generation ?? 0) === generation
  return {
    bucket: 'releases-bucket',
    objects,
    async read(name) {
      const found = objects.get(name)
      return found === undefined ? undefined : { text: found.text, generation: String(found.generation) }
    },
    async write(name, text, generation) {
      if (!holds(name, generation)) return undefined
      generations += 1
      objects.set(name, { text, generation: generations })
      return String(generations)
    },
    list: async (prefix, deep = false) => [...objects.keys()].filter((name) => name.startsWith(prefix) && (deep || !name.slice(prefix.length).includes('/'))).toSorted(),
    async remove(name, generation) {
      if (!objects.has(name)) return true
      if (!holds(name, generation)) return false
      return objects.delete(name)
    },
  }
}

/** How the machines of an image behave. */
export interface Behaviour {
  /** By the age of the machine. Default: healthy after two seconds. */
  readonly health?: (ageMs: number) => HealthState
  readonly version?: string
  /** Machines of it cannot be made; the group says this. */
  readonly refused?: string
}

interface Machine {
  name: string
  id: string
  template: string
  bornMs: number
}

interface Group extends Omit<GroupWish, 'initialDelaySec' | 'namedPorts'> {
  members: Machine[]
  errors: GroupError[]
}

export interface FakeWorld {
  readonly clock: FakeClock
  readonly fleet: Fleet
  readonly images: Map<string, ImageFacts & { behaviour: Behaviour }>
  readonly templates: Map<string, { image: string; shape: Shape }>
  readonly groups: Map<string, Group>
  readonly backendsOf: Map<string, Backend[]>
  /** Disks that were kept, by name. */
  readonly disks: Map<string, KeptDisk>
  addImage(name: string, behaviour?: Behaviour): void
  /** Healthy machines that get requests. */
  serving(): readonly { readonly name: string; readonly template: string }[]
  /** The least of them since it was last asked. */
  leastServing(): number
}

export function fakeWorld(): FakeWorld {
  const clock = fakeClock()
  const images: FakeWorld['images'] = new Map()
  const templates: FakeWorld['templates'] = new Map()
  const groups: FakeWorld['groups'] = new Map()
  const backendsOf: FakeWorld['backendsOf'] = new Map()
  const disks: FakeWorld['disks'] = new Map()
  let count = 0
  let least = Infinity

  function behaviourOf(template: string): Behaviour {
    return images.get(templates.get(template)?.image.split('/').at(-1) ?? '')?.behaviour ?? {}
  }

  function healthOf(machine: Machine): HealthState {
    const ageMs = clock.now() - machine.bornMs
    return (behaviourOf(machine.template).health ?? ((age) => (age >= 2000 ? 'HEALTHY' : 'UNKNOWN')))(ageMs)
  }

  function isHealthy(machine: Machine): boolean {
    return healthOf(machine) === 'HEALTHY'
  }

  function wants(group: Group): Map<string, number> {
    const sized = group.versions.reduce((sum, version) => sum + (version.count ?? 0), 0)
    return new Map(group.versions.map(({ template, count: fixed }) => [template, fixed ?? Math.max(0, group.size - sized)]))
  }

  function balanceOf(group: Group): { readonly surplus: readonly Machine[]; readonly missing: readonly string[] } {
    const left = wants(group)
    const surplus = group.members
      .toSorted((a, b) => Number(isHealthy(b)) - Number(isHealthy(a)))
      .filter((machine) => {
        const free = left.get(machine.template) ?? 0
        left.set(machine.template, free - 1)
        return free <= 0
      })
    return { surplus, missing: [...left].flatMap(([template, free]) => Array.from({ length: Math.max(0, free) }, () => template)) }
  }

  function tick(group: Group): void {
    const { surplus, missing } = balanceOf(group)
    const room = group.size + (surplus.length > 0 ? group.maxSurge : 0) - group.members.length
    for (const template of missing.slice(0, Math.max(0, room))) {
      count += 1
      const machine = { name: `${group.name}-${count}`, id: String(1000 + count), template, bornMs: clock.now() }
      const { refused } = behaviourOf(template)
      if (refused === undefined) group.members.push(machine)
      else group.errors.push({ at: new Date(clock.now()).toISOString(), instance: machine.name, template, action: 'CREATING', code: 'REFUSED', message: refused })
    }
    for (const machine of surplus) {
      const healthy = group.members.filter(isHealthy).length
      const mayGo = isHealthy(machine) ? healthy - 1 >= group.size : missing.length === 0 || group.members.length > group.size
      if (mayGo || (missing.length === 0 && healthy - Number(isHealthy(machine)) >= group.size)) group.members = group.members.filter((each) => each !== machine)
    }
  }

  function serving(): readonly Machine[] {
    const open = [...backendsOf.values()].flat().filter(({ capacity }) => capacity > 0)
    const shown = backendsOf.size === 0 ? [...groups.values()] : open.flatMap(({ group }) => groups.get(group) ?? [])
    return shown.flatMap((group) => group.members).filter(isHealthy)
  }

  clock.onTick(() => {
    for (const group of groups.values()) tick(group)
    least = Math.min(least, serving().length)
  })

  function required(name: string): Group {
    const group = groups.get(name)
    if (group === undefined) throw new KilnError('E_NOT_FOUND', `the group ${name} was not found`)
    return group
  }

  function factsOf(group: Group): GroupFacts {
    const { surplus, missing } = balanceOf(group)
    const isReached = surplus.length === 0 && missing.length === 0
    return {
      name: group.name,
      size: group.size,
      versions: group.versions,
      maxSurge: group.maxSurge,
      maxUnavailable: 0,
      isProactive: true,
      isReached,
      isStable: isReached && group.members.every((machine) => healthOf(machine) !== 'UNKNOWN'),
      hasHealthCheck: group.healthCheck !== undefined,
    }
  }

  function requireTemplates(versions: readonly GroupVersion[]): void {
    for (const { template } of versions) if (!templates.has(template)) throw new KilnError('E_NOT_FOUND', `the template ${template} was not found`)
  }

  const fleet: Fleet = {
    image: async (link) => images.get(link.split('/').at(-1) ?? ''),
    images: async () => [...images.values()],
    deleteImage: async (name) => void images.delete(name),
    async template(name) {
      const found = templates.get(name)
      return found === undefined ? undefined : { name, image: found.image }
    },
    templates: async (prefix) => [...templates].flatMap(([name, { image }]) => (name.startsWith(prefix) ? [{ name, image }] : [])),
    async createTemplate({ name, image, shape }) {
      if (!templates.has(name)) templates.set(name, { image, shape })
    },
    async deleteTemplate(name) {
      if ([...groups.values()].some((group) => group.versions.some(({ template }) => template === name))) return false
      templates.delete(name)
      return true
    },
    async group(name) {
      const group = groups.get(name)
      return group === undefined ? undefined : factsOf(group)
    },
    groups: async () => [...groups.values()].map(factsOf),
    async createGroup({ namedPorts: _ports, initialDelaySec: _delay, ...wish }) {
      requireTemplates(wish.versions)
      if (!groups.has(wish.name)) groups.set(wish.name, { ...wish, members: [], errors: [] })
    },
    async updateGroup(name, { versions, size, maxSurge }) {
      requireTemplates(versions)
      Object.assign(required(name), { versions, size, maxSurge })
    },
    async members(name) {
      const group = groups.get(name)
      return (group?.members ?? []).map((machine): MemberFacts => {
        const state = healthOf(machine)
        const isFresh = clock.now() - machine.bornMs < 1000
        return {
          name: machine.name,
          id: machine.id,
          template: machine.template,
          action: isFresh ? 'CREATING' : 'NONE',
          status: isFresh ? 'STAGING' : 'RUNNING',
          errors: [],
          ...(group?.healthCheck === undefined ? {} : { health: state }),
        }
      })
    },
    groupErrors: async (name) => groups.get(name)?.errors ?? [],
    address: async () => ({ internal: '10.0.0.2' }),
    serial: async (instance) => `serial of ${instance}\n[    9.100000] systemd[1]: app.service: Main process exited, code=exited, status=1/FAILURE\n`,
    async keepDisk(instance, stack, release) {
      if (![...groups.values()].some(({ members }) => members.some(({ name }) => name === instance))) throw new KilnError('E_NOT_FOUND', `there is no ${instance}`)
      disks.set(instance, { name: instance, release, isUsed: false })
      return `projects/p-one/zones/z-one/disks/${instance}`
    },
    keptDisks: async () => [...disks.values()],
    deleteDisk: async (name) => void disks.delete(name),
    machines: async () =>
      [...groups.values()].flatMap(({ members }) =>
        members.map(({ name, template }) => ({ name, template, imageIds: [images.get(templates.get(template)?.image.split('/').at(-1) ?? '')?.id ?? ''] })),
      ),
    backends: async (service) => backendsOf.get(service),
    async setBackends(service, wished) {
      const before = backendsOf.get(service) ?? []
      const kept = before.map((backend) => wished.find(({ group }) => group === backend.group) ?? backend)
      backendsOf.set(service, [...kept, ...wished.filter(({ group }) => !before.some((backend) => backend.group === group))])
    },
    async backendHealth(service, name): Promise<readonly BackendHealth[]> {
      if (!(backendsOf.get(service) ?? []).some(({ group }) => group === name)) return []
      return (groups.get(name)?.members ?? []).map((machine) => ({ instance: machine.name, state: healthOf(machine), evidence: { answer: healthOf(machine) } }))
    },
  }

  return {
    clock,
    fleet,
    images,
    templates,
    groups,
    backendsOf,
    disks,
    addImage(name, behaviour = {}) {
      count += 1
      images.set(name, { name, selfLink: `projects/p-one/global/images/${name}`, id: String(count), status: 'READY', deprecation: 'ACTIVE', behaviour })
    },
    serving,
    leastServing() {
      const seen = least
      least = Infinity
      return seen
    },
  }
}

const writes = new Set(['write', 'remove', 'createTemplate', 'deleteTemplate', 'createGroup', 'updateGroup', 'setBackends', 'deleteImage', 'keepDisk', 'deleteDisk'])

/**
 * Lets so many changes through; from then on every call fails, the last change after its work was done: as when the process is killed while it waits for
 * the answer. A kill between two changes is the same, whatever was read there.
 */
export function killAfter(changes: number): { wrap<T extends object>(part: T): T; isDead(): boolean } {
  let left = changes
  const killed = (): KilnError => new KilnError('E_NETWORK', 'the process was killed')
  return {
    isDead: () => left <= 0,
    wrap: <T extends object>(part: T): T =>
      new Proxy(part, {
        get(target, key, receiver) {
          const value: unknown = Reflect.get(target, key, receiver)
          if (typeof value !== 'function') return value
          return async (...args: unknown[]): Promise<unknown> => {
            if (left <= 0) throw killed()
            const result: unknown = await Reflect.apply(value, target, args)
            if (writes.has(String(key))) left -= 1
            if (left <= 0) throw killed()
            return result
          }
        },
      }),
  }
}

export const shape: Shape = { machineType: 'e2-micro', network: 'default', externalAddress: true, tags: [], labels: {}, metadata: {}, scopes: [] }

export const target: Target = { stack: 'moshi', group: 'srv', size: 3, port: 8080, namedPorts: [{ name: 'http', port: 8080 }], healthCheck: 'alive' }
