/** The way back to an earlier release. */
import { beforeEach, expect, test } from 'vitest'
import { shape } from './testing.ts'
import { failure, releasesBench, request } from './testing-releases.ts'
import type { ReleasesBench } from './testing-releases.ts'

let world: ReleasesBench['world']
let releases: ReleasesBench['releases']
let states: ReleasesBench['states']
let expectWhole: ReleasesBench['expectWhole']

beforeEach(() => {
  ;({ world, releases, states, expectWhole } = releasesBench())
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
