/** What is refused: a second deployer, images that cannot serve, a deploy in a freeze. */
import { beforeEach, expect, test } from 'vitest'
import type { KilnError } from '../base/errors.ts'
import { acquireLock } from './lock.ts'
import { failure, releasesBench, request } from './testing-releases.ts'
import type { ReleasesBench } from './testing-releases.ts'

let world: ReleasesBench['world']
let store: ReleasesBench['store']
let releases: ReleasesBench['releases']
let states: ReleasesBench['states']
let expectWhole: ReleasesBench['expectWhole']

beforeEach(() => {
  ;({ world, store, releases, states, expectWhole } = releasesBench())
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
