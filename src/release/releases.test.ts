import { beforeEach, expect, test } from 'vitest'
import { KilnError } from '../base/errors.ts'
import { ApiError } from '../client/errors.ts'
import { journalOf } from './capsule.ts'
import { acquireLock } from './lock.ts'
import type { Release, Strategy } from './ledger.schema.ts'
import { createReleases } from './releases.ts'
import type { ReleaseParts, Releases } from './releases.ts'
import { fakeWorld, memoryStore, shape, target } from './testing.ts'
import type { FakeWorld, MemoryStore } from './testing.ts'

let world: FakeWorld
let store: MemoryStore
const balanced = { ...target, backendService: 'web' }
const strategies: readonly Strategy[] = [{ kind: 'rolling' }, { kind: 'canary', percent: 30, bakeMs: 10_000 }, { kind: 'blue-green' }]

beforeEach(() => {
  world = fakeWorld()
  store = memoryStore()
  world.backendsOf.set('web', [])
  for (const name of ['one', 'two', 'three']) world.addImage(name, { version: name })
})

function releases(fields: Partial<ReleaseParts> = {}): Releases {
  const { fleet, clock } = world
  return createReleases({ store, fleet, clock, target: balanced, timing: { stallMs: 60_000, bakeMs: 20_000 }, ...fields })
}

function request(image: string, strategy: Strategy = { kind: 'rolling' }, fields: object = {}) {
  return { image, shape, strategy, who: 'ann', why: `deploy ${image}`, package: { name: 'moshi', version: image }, ...fields }
}

async function failure(work: Promise<unknown>): Promise<KilnError> {
  return work.then(
    () => expect.unreachable('it must fail'),
    (error: unknown) => error as KilnError,
  )
}

async function states(): Promise<string[]> {
  return (await releases().list()).releases.toReversed().map(({ number, state }) => `${number} ${state}`)
}

/** One release is live, all that serves has its template, and it is the size that it should be. */
async function expectWhole(image: string): Promise<Release> {
  const view = await releases().list()
  const live = view.releases.filter(({ state }) => state === 'live')
  expect(live.map((release) => release.image.name)).toEqual([image])
  expect(view.lock).toBeUndefined()
  const serving = world.serving()
  expect(serving.map(({ template }) => template)).toEqual(Array.from({ length: 3 }, () => live[0]?.template))
  return live[0] as Release
}

/** Sick as soon as the age says so. */
function sickFrom(ageMs: number): { health: (age: number) => 'HEALTHY' | 'UNHEALTHY' | 'UNKNOWN' } {
  return { health: (age) => (age < 2000 ? 'UNKNOWN' : age < ageMs ? 'HEALTHY' : 'UNHEALTHY') }
}

test.each(strategies)('$kind: a release goes out, the next takes its place, and there are never fewer serving than the group has', async (strategy) => {
  await releases().deploy(request('one', strategy))
  const first = await expectWhole('one')
  expect(first.before).toBeUndefined()
  world.leastServing()
  const result = await releases().deploy(request('two', strategy))
  expect(world.leastServing()).toBeGreaterThanOrEqual(3)
  expect(result).toMatchObject({ outcome: 'live', resumed: false, release: { number: 2, before: { number: 1, template: first.template } } })
  const second = await expectWhole('two')
  expect(second.template).toMatch(/^moshi-r000002-[0-9a-f]{8}$/)
  expect(world.templates.get(second.template)?.image).toBe('projects/p-one/global/images/two')
  const gates = { rolling: ['start', 'converge', 'bake'], canary: ['start', 'canary', 'canary-bake', 'converge', 'bake'], 'blue-green': ['start', 'converge', 'switch', 'bake'] }
  expect(second.evidence.map(({ gate }) => gate)).toEqual(gates[strategy.kind])
  expect(second.evidence.find(({ gate }) => gate === 'bake')?.durationMs).toBeGreaterThanOrEqual(20_000)
  expect(await states()).toEqual(['1 superseded', '2 live'])
})

test('a canary is as large as asked, and only that while it bakes', async () => {
  await releases().deploy(request('one'))
  const seen = new Set<number>()
  world.clock.onTick(() => void seen.add(world.serving().filter(({ template }) => template.startsWith('moshi-r000002')).length))
  const canary: Strategy = { kind: 'canary', count: 1, bakeMs: 600_000 }
  const startMs = world.clock.now()
  let promotedMs = 0
  await releases({
    emit: (event) => {
      if (event.type === 'gate' && event.gate === 'canary-bake') promotedMs = world.clock.now() - startMs
      if (promotedMs === 0) expect([...seen].every((count) => count <= 1)).toBe(true)
    },
  }).deploy(request('two', canary))
  expect(promotedMs).toBeGreaterThanOrEqual(600_000)
  await expectWhole('two')
})

test('blue/green keeps the old group whole for the way back, which takes one change', async () => {
  const strategy: Strategy = { kind: 'blue-green' }
  await releases().deploy(request('one', strategy))
  await releases().deploy(request('two', strategy))
  expect(world.groups.get('srv')?.members).toHaveLength(3)
  expect(world.backendsOf.get('web')).toEqual([
    { group: 'srv', capacity: 0 },
    { group: 'srv-green', capacity: 1 },
  ])
  const machines = world.groups.get('srv')?.members.map(({ id }) => id)
  const before = world.clock.now()
  const { release } = await releases({ timing: { bakeMs: 0 } }).rollback({ who: 'ann', why: 'slow' })
  expect(world.clock.now() - before).toBeLessThan(1000)
  expect(release).toMatchObject({ rollbackOf: 1, group: 'srv' })
  expect(world.groups.get('srv')?.members.map(({ id }) => id)).toEqual(machines)
  await expectWhole('one')
})

test.each(strategies)('$kind: a release whose health never turns good gets no traffic, goes back, and leaves a capsule', async (strategy) => {
  await releases().deploy(request('one', strategy))
  world.addImage('bad', { health: (age) => (age < 2000 ? 'UNKNOWN' : 'UNHEALTHY') })
  world.leastServing()
  const error = await failure(releases().deploy(request('bad', strategy)))
  expect(error.code).toBe('E_RELEASE_FAILED')
  expect(error.message).toMatch(/release 2 failed at its gate "(converge|canary)".*UNHEALTHY.*back on release 1/)
  expect(world.leastServing()).toBeGreaterThanOrEqual(3)
  await expectWhole('one')
  const failed = (await releases().list()).releases[0]
  expect(failed).toMatchObject({ number: 2, state: 'rolled-back', restore: 'done', replacedBy: 1 })
  expect(failed?.evidence.map(({ gate, passed }) => `${gate} ${passed}`).slice(-2)).toEqual([`${strategy.kind === 'canary' ? 'canary' : 'converge'} false`, 'restore true'])
  expect(failed?.capsule?.length).toBeGreaterThanOrEqual(2)
  expect(error.detail).toBe(failed?.capsule?.join('\n'))
  for (const link of failed?.capsule ?? []) expect(store.objects.has(link.replace('gs://releases-bucket/', '')), link).toBe(true)
  const group = JSON.parse(store.objects.get('releases/000002/group.json')?.text ?? '')
  expect(group).toMatchObject({ release: 2, failure: { reason: expect.stringContaining('UNHEALTHY') } })
  expect(group.instances.some((each: { isOfThisRelease: boolean }) => each.isOfThisRelease)).toBe(true)
})

test('the capsule has, of each instance, its whole answer at the health path, its serial log and the journal on it', async () => {
  await releases().deploy(request('one'))
  world.addImage('bad', { health: (age) => (age < 2000 ? 'UNKNOWN' : 'UNHEALTHY') })
  const probes = { health: async ({ instance, port }: { instance: string; port: number }) => `GET http://${instance}:${port}/healthz\n500\n\nno database\n` }
  await failure(releases({ probes }).deploy(request('bad')))
  const texts = new Map([...store.objects].flatMap(([name, { text }]) => (name.startsWith('releases/000002/') ? [[name.replace('releases/000002/', ''), text] as const] : [])))
  const [sick = ''] = [...texts.keys()].flatMap((name) => /^serial-(.*)\.txt$/.exec(name)?.[1] ?? [])
  expect([...texts.keys()].toSorted()).toEqual(['group.json', `health-${sick}.txt`, `journal-${sick}.txt`, `serial-${sick}.txt`])
  expect(texts.get(`health-${sick}.txt`)).toBe(`GET http://${sick}:8080/healthz\n500\n\nno database\n`)
  expect(texts.get(`serial-${sick}.txt`)).toContain(`serial of ${sick}`)
  expect(texts.get(`journal-${sick}.txt`)).toBe('[    9.100000] systemd[1]: app.service: Main process exited, code=exited, status=1/FAILURE\n')
  expect(world.disks.size).toBe(0)
})

test('what cannot be had is named in the capsule, and the group goes back all the same', async () => {
  await releases().deploy(request('one'))
  world.addImage('bad', { health: () => 'UNHEALTHY' })
  const serial = async (): Promise<string> => {
    throw new KilnError('E_NETWORK', 'no answer')
  }
  await failure(releases({ fleet: { ...world.fleet, serial }, keepDisk: true }).deploy(request('bad')))
  const texts = [...store.objects].flatMap(([name, { text }]) => (/000002\/(serial|journal|health)-/.test(name) ? [text] : []))
  expect(texts.toSorted()).toEqual([expect.stringContaining('it was not asked'), expect.stringContaining('no answer'), expect.stringContaining('no answer')])
  await expectWhole('one')
})

test('the disk of one sick instance stays when that is asked for, and the release names it', async () => {
  await releases().deploy(request('one'))
  world.addImage('bad', { health: () => 'UNHEALTHY' })
  const error = await failure(releases({ keepDisk: true }).deploy(request('bad')))
  const [failed] = (await releases().list()).releases
  const [disk] = world.disks.values()
  expect(disk).toMatchObject({ release: 2, name: expect.stringMatching(/^srv-/) })
  expect(failed?.disk).toBe(`projects/p-one/zones/z-one/disks/${disk?.name}`)
  expect(error.detail).toContain(failed?.disk)
  await expectWhole('one')
})

test('journal lines are told from what kernel and firmware write', () => {
  const serial =
    'BdsDxe: starting\r\n[    0.512345] Linux version 6.1\r\n[  OK  ] Started app.service\r\n[    7.000001] app[312]: ready\r\n[   70.5] sshd[99]: Server listening\r\n'
  expect(journalOf(serial)).toBe('[    7.000001] app[312]: ready\n[   70.5] sshd[99]: Server listening\n')
  expect(journalOf('BdsDxe: failed\n')).toContain('no line of the journal')
})

test.each(strategies)('$kind: a release that turns bad after it passed goes back within its bake', async (strategy) => {
  await releases().deploy(request('one', strategy))
  world.addImage('late', sickFrom(15_000))
  const error = await failure(releases().deploy(request('late', strategy)))
  expect(error).toMatchObject({ code: 'E_RELEASE_FAILED' })
  expect(error.message).toMatch(/gate "(bake|converge|canary-bake)"/)
  world.clock.advance(5000)
  await expectWhole('one')
  const [failed] = (await releases().list()).releases
  expect(failed).toMatchObject({ number: 2, state: 'rolled-back', restore: 'done' })
  expect(Date.parse(failed?.failure?.at ?? '') - Date.parse(failed?.createdAt ?? '')).toBeLessThan(90_000)
  if (strategy.kind === 'blue-green') expect(world.groups.get('srv-green')).toMatchObject({ size: 0, members: [] })
})

test('the template of the last good release is made again when somebody deleted it', async () => {
  const { release } = await releases().deploy(request('one'))
  world.addImage('bad', { health: () => 'UNHEALTHY' })
  const error = await failure(
    releases({
      emit: (event) => {
        if (event.type === 'note') world.templates.delete(release.template)
      },
    }).deploy(request('bad')),
  )
  expect(error.message).toContain('back on release 1')
  expect(world.templates.get(release.template)?.image).toBe('projects/p-one/global/images/one')
  await expectWhole('one')
})

test('a machine that crashed in the bake and was made anew under its name is a failure, however quickly it came back', async () => {
  await releases().deploy(request('one'))
  let isCrashed = false
  world.clock.onTick(() => {
    const members = world.groups.get('srv')?.members ?? []
    if (isCrashed || store.objects.get('releases/000002.json')?.text.includes('"baking"') !== true) return
    isCrashed = true
    for (const member of members.slice(0, 1)) Object.assign(member, { id: '9999' })
  })
  const error = await failure(releases().deploy(request('two')))
  expect(error.message).toMatch(/gate "bake": srv-\d+ was made anew; the group srv is back on release 1/)
  await expectWhole('one')
})

test('machines that cannot be made end the wait early, with what the group says', async () => {
  await releases().deploy(request('one'))
  world.addImage('refused', { refused: 'Quota CPUS exceeded' })
  const before = world.clock.now()
  const error = await failure(releases().deploy(request('refused')))
  expect(error.message).toContain('Quota CPUS exceeded')
  expect(world.clock.now() - before).toBeLessThan(20_000)
  await expectWhole('one')
})

test('a wrong version is a failure; an instance that does not answer once is none', async () => {
  await releases().deploy(request('one'))
  let calls = 0
  const version = async (): Promise<string> => {
    calls += 1
    if (calls === 1) throw new Error('connection refused')
    return 'two'
  }
  await releases({ probes: { version } }).deploy(request('two'))
  // Three instances, at the first good look and at the last; and the three of the look that failed.
  expect(calls).toBe(9)
  const error = await failure(releases({ probes: { version } }).deploy(request('three')))
  expect(error.message).toContain('answered "two", and the release has three')
  await expectWhole('two')
})

test('failed requests at the load balancer are a failure of the bake, by their share', async () => {
  await releases().deploy(request('one'))
  const errors = (failed: number) => ({ probes: { errors: async () => [{ of: 'requests', requests: 1000, failed }] } })
  await releases(errors(9)).deploy(request('two'))
  expect((await failure(releases(errors(11)).deploy(request('three')))).message).toContain('11 of 1000 requests failed')
  await expectWhole('two')
})

test('a release rolls forward out of a sick current version, by every strategy', async () => {
  for (const [index, strategy] of strategies.entries()) {
    const sick = `sick-${index}`
    const untilMs = world.clock.now() + 60_000
    world.addImage(sick, { health: (age) => (age < 2000 ? 'UNKNOWN' : world.clock.now() < untilMs ? 'HEALTHY' : 'UNHEALTHY') })
    await releases().deploy(request(sick))
    world.clock.advance(120_000)
    expect(world.serving()).toEqual([])
    world.addImage(`well-${index}`)
    await releases().deploy(request(`well-${index}`, strategy))
    await expectWhole(`well-${index}`)
  }
})

test('the first release that fails has nothing to go back to, and says so; the next one goes over it', async () => {
  world.addImage('bad', { health: () => 'UNHEALTHY' })
  const error = await failure(releases().deploy(request('bad')))
  expect(error.message).toContain('no release before it')
  expect(await states()).toEqual(['1 failed'])
  await releases().deploy(request('one'))
  await expectWhole('one')
})

test('a group that somebody else made is where the first release goes back to', async () => {
  await world.fleet.createTemplate({ name: 'terraform', description: '', image: 'projects/p-one/global/images/one', shape })
  await world.fleet.createGroup({
    name: 'srv',
    baseInstanceName: 'srv',
    size: 3,
    versions: [{ template: 'terraform' }],
    maxSurge: 1,
    namedPorts: [],
    initialDelaySec: 0,
    healthCheck: 'alive',
  })
  world.clock.advance(10_000)
  world.addImage('bad', { health: () => 'UNHEALTHY' })
  expect((await failure(releases().deploy(request('bad')))).message).toContain('back on the template terraform')
  expect(world.serving().map(({ template }) => template)).toEqual(['terraform', 'terraform', 'terraform'])
})

test('what serves already is left alone, unless asked or not well', async () => {
  await releases().deploy(request('one'))
  expect((await releases().deploy(request('one'))).outcome).toBe('unchanged')
  expect(await states()).toEqual(['1 live'])
  await releases().deploy(request('one', undefined, { force: true }))
  expect(await states()).toEqual(['1 superseded', '2 live'])
})

test('a group that was deleted is made again, whether nobody or a deploy was there to see it', async () => {
  await releases().deploy(request('one'))
  world.groups.delete('srv')
  await releases().deploy(request('one'))
  await expectWhole('one')
  let isDeleted = false
  await releases({
    emit: (event) => {
      if (event.type === 'note' && !isDeleted) isDeleted = world.groups.delete('srv')
    },
  }).deploy(request('two'))
  expect(isDeleted).toBe(true)
  await expectWhole('two')
})

test('a group that vanishes between the look and the change after it is made again', async () => {
  await releases().deploy(request('one'))
  const { updateGroup } = world.fleet
  let refusals = 0
  const fleet = {
    ...world.fleet,
    async updateGroup(...args: Parameters<typeof updateGroup>) {
      refusals += 1
      if (refusals === 1) throw new ApiError('E_API', 'the group is being deleted', { status: 400, reasons: ['resourceNotReady'] })
      if (refusals > 2) return updateGroup(...args)
      world.groups.delete('srv')
      throw new ApiError('E_API', 'the group was not found', { status: 404 })
    },
  }
  await releases({ fleet }).deploy(request('two'))
  expect(refusals).toBe(2)
  await expectWhole('two')
})

test('a group that something else changes again and again is a failure, not an endless quarrel', async () => {
  await releases().deploy(request('one'))
  const old = world.groups.get('srv')?.versions ?? []
  const { updateGroup } = world.fleet
  const fleet = {
    ...world.fleet,
    updateGroup: async (...args: Parameters<typeof updateGroup>) => void (await updateGroup(...args), Object.assign(world.groups.get('srv') ?? {}, { versions: old })),
  }
  expect((await failure(releases({ fleet }).deploy(request('two')))).message).toContain('something else changes the group srv')
})

test('two deploys at once: the second is told who and until when, and changes nothing', async () => {
  let other: KilnError | undefined
  const first = releases({
    emit: (event) => {
      if (event.type === 'note' && other === undefined) void failure(releases().deploy(request('three', undefined, { who: 'bob' }))).then((error) => (other = error))
    },
  })
  await releases().deploy(request('one'))
  await first.deploy(request('two'))
  expect(other).toMatchObject({ code: 'E_LOCKED' })
  expect(other?.message).toMatch(/^ann deploys since 2026-11-23T.* \(deploy two\); the lock holds until 2026-11-23T/)
  await expectWhole('two')
  expect(await states()).toEqual(['1 superseded', '2 live'])
})

test('a deployer that lost its lock stops before its next change', async () => {
  await releases().deploy(request('one'))
  let isTaken = false
  const { fleet } = world
  const paused = {
    ...fleet,
    async createTemplate(template: Parameters<typeof fleet.createTemplate>[0]) {
      await fleet.createTemplate(template)
      // As a laptop that slept: the lock expires, and another takes it.
      world.clock.advance(10 * 60_000)
      await acquireLock(store, world.clock, { owner: 'bob', purpose: 'deploy three' })
      isTaken = true
    },
  }
  const error = await failure(releases({ fleet: paused }).deploy(request('two')))
  expect(isTaken).toBe(true)
  expect(error.code).toBe('E_LOCKED')
  expect(error.message).toContain('bob took it over')
  expect(world.groups.get('srv')?.versions).toEqual([{ template: expect.stringMatching(/^moshi-r000001-/) }])
  const view = await releases().list()
  expect(view.lock?.owner).toBe('bob')
  expect(view.releases[0]).toMatchObject({ number: 2, state: 'pending', evidence: [] })
})

test('rollback brings back the release before, again and again; a number any that served', async () => {
  for (const name of ['one', 'two', 'three']) await releases().deploy(request(name))
  const by = { who: 'ann', why: 'errors' }
  const back = await releases().rollback(by)
  expect(back.release).toMatchObject({
    number: 4,
    rollbackOf: 2,
    state: 'live',
    package: { version: 'two' },
    evidence: [{ gate: 'start' }, { gate: 'converge' }, { gate: 'bake' }],
  })
  expect(await states()).toEqual(['1 superseded', '2 superseded', '3 rolled-back', '4 live'])
  await expectWhole('two')
  await releases().rollback(by)
  await expectWhole('one')
  expect((await failure(releases().rollback(by))).message).toContain('no release before the current one')
  await releases().rollback({ ...by, number: 3 })
  await expectWhole('three')
})

test('rollback to a release whose machines were to boot does not make them boot again', async () => {
  const cold = { ...shape, metadata: { mode: 'srv', 'kiln-warm-start': 'never' } }
  const first = await releases().deploy({ ...request('one'), shape: cold })
  await releases().deploy(request('two'))
  const { release } = await releases().rollback({ who: 'ann', why: 'errors' })
  expect(release).toMatchObject({ number: 3, rollbackOf: 1, configDigest: first.release.configDigest, template: expect.stringMatching(/^moshi-r000003-/) })
  expect(world.templates.get(release.template)?.shape.metadata).toEqual({ mode: 'srv' })
  await expectWhole('one')
})

test('rollback is refused when the image is gone, another, or revoked, and names what is left', async () => {
  for (const name of ['one', 'two', 'three']) await releases().deploy(request(name))
  const two = world.images.get('two')
  world.images.delete('two')
  const error = await failure(releases().rollback({ who: 'ann', why: '' }))
  expect(error).toMatchObject({ code: 'E_RELEASE_REFUSED', hint: 'kiln rollback 1' })
  expect(error.message).toBe('release 2 cannot be brought back: its image two is gone; these can be brought back: 1 (one)')
  world.addImage('two')
  expect((await failure(releases().rollback({ who: 'ann', why: '', number: 2 }))).message).toContain('replaced by another one of the same name')
  if (two !== undefined) world.images.set('two', { ...two, deprecation: 'OBSOLETE' })
  expect((await failure(releases().rollback({ who: 'ann', why: '', number: 2 }))).message).toContain('revoked (OBSOLETE)')
  expect((await failure(releases().rollback({ who: 'ann', why: '', number: 9 }))).message).toContain('there is no release 9')
  await expectWhole('three')
  expect(await states()).toEqual(['1 superseded', '2 superseded', '3 live'])
})

test('images that are revoked, not ready, missing, or named by family are refused before anything is changed', async () => {
  const image = world.images.get('one')
  for (const [fields, why] of [
    [{ deprecation: 'OBSOLETE' }, /revoked/],
    [{ status: 'FAILED' }, /FAILED/],
  ] as const) {
    if (image !== undefined) world.images.set('one', { ...image, ...fields })
    expect((await failure(releases().deploy(request('one')))).message).toMatch(why)
  }
  expect((await failure(releases().deploy(request('none')))).message).toContain('it is not there')
  expect((await failure(releases().deploy(request('projects/p-one/global/images/family/srv')))).message).toContain('is a family')
  expect(store.objects.size).toBe(0)
})

test('a freeze refuses deploys and lets rollbacks through', async () => {
  await releases().deploy(request('one'))
  await releases().deploy(request('two'))
  const freezes = [{ from: '2026-11-23T00:00:00Z', to: '2026-11-24T00:00:00Z', why: 'the fair' }]
  expect(await failure(releases({ freezes }).deploy(request('three')))).toMatchObject({ code: 'E_FROZEN', message: 'releases are frozen until 2026-11-24T00:00:00Z: the fair' })
  await releases({ freezes }).rollback({ who: 'ann', why: 'errors' })
  await expectWhole('one')
})

test('an interrupted release gives way when another is wanted, and the ledger says so', async () => {
  await releases().deploy(request('one'))
  const strategy: Strategy = { kind: 'blue-green' }
  let isSwitched = false
  const { setBackends } = world.fleet
  const dying = {
    ...world.fleet,
    async setBackends(...args: Parameters<typeof setBackends>) {
      await setBackends(...args)
      isSwitched = world.backendsOf.get('web')?.[0]?.capacity === 0
      if (isSwitched) throw new Error('killed right after the switch')
    },
  }
  await failure(releases({ fleet: dying }).deploy(request('two', strategy)))
  expect(isSwitched).toBe(true)
  const next = releases({
    emit: (event) => {
      if (event.type === 'state' && event.state === 'pending')
        expect(world.serving().map(({ template }) => template.slice(0, 13))).toEqual(Array.from({ length: 3 }, () => 'moshi-r000001'))
    },
  })
  world.leastServing()
  await next.deploy(request('three', strategy))
  expect(world.leastServing()).toBeGreaterThanOrEqual(3)
  await expectWhole('three')
  expect((await releases().list()).releases[1]).toMatchObject({ number: 2, state: 'failed', restore: 'dropped' })
})
