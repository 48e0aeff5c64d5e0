/** Rollouts by every strategy, and what goes wrong in them. */
import { beforeEach, expect, test } from 'vitest'
import { ApiError } from '../client/errors.ts'
import type { Strategy } from './ledger.schema.ts'
import { shape } from './testing.ts'
import { failure, releasesBench, request, strategies } from './testing-releases.ts'
import type { ReleasesBench } from './testing-releases.ts'

let world: ReleasesBench['world']
let store: ReleasesBench['store']
let releases: ReleasesBench['releases']
let states: ReleasesBench['states']
let expectWhole: ReleasesBench['expectWhole']

beforeEach(() => {
  ;({ world, store, releases, states, expectWhole } = releasesBench())
})

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
