/** What a release that failed leaves: its capsule, and the disk of one of its instances. */
import { beforeEach, expect, test } from 'vitest'
import { KilnError } from '../base/errors.ts'
import { journalOf } from './capsule.ts'
import { failure, releasesBench, request, strategies } from './testing-releases.ts'
import type { ReleasesBench } from './testing-releases.ts'

let world: ReleasesBench['world']
let store: ReleasesBench['store']
let releases: ReleasesBench['releases']
let expectWhole: ReleasesBench['expectWhole']

beforeEach(() => {
  ;({ world, store, releases, expectWhole } = releasesBench())
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
