/** The verbs over releases, on a whole stack whose machines are fake: what they do, what they refuse and how they say it. One story, in order. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { KilnError } from '../../base/errors.ts'
import { createClients } from '../../client/clients.ts'
import type { Clients } from '../../client/clients.ts'
import { call } from '../../client/errors.ts'
import { waitForCompute } from '../../client/operations.ts'
import { acquireLease } from '../../engine/lease.ts'
import { bucketObjects } from '../../release/objects.ts'
import { cloudStatus } from '../cloud/control.ts'
import { answersAt } from './balancer.ts'
import { openReleases, shapeOf } from './context.ts'
import { deliver } from './deliver.ts'
import { deploy, rollback } from './deploy.ts'
import { listReleases, pruneReleases, showRelease } from './ledger.ts'
import { servingStatus } from './live.ts'
import { createStage, project } from './testing.ts'
import type { Stage } from './testing.ts'

const limitMs = 600_000
const who = { who: 'ann', why: 'test' }
let stage: Stage

beforeAll(async () => {
  stage = await createStage()
  await stage.addImage('app-one', '1.0.0')
  await stage.addImage('app-two', '2.0.0')
  await stage.addImage('app-sick', '3.0.0')
  await stage.addImage('app-turning', '4.0.0')
  stage.health.set('app-sick', () => 500)
  await stage.addImage('app-broken', '6.0.0')
  await stage.addImage('app-slow', '6.1.0')
  await stage.addImage('app-dead', '6.2.0')
  await stage.addImage('app-crashing', '6.3.0')
  stage.health.set('app-slow', () => 'late')
  stage.health.set('app-dead', () => 'gone')
  stage.health.set('app-crashing', (ageMs) => (ageMs < 6000 ? 200 : 'gone'))
  // Its health is good, what users ask for is not.
  stage.health.set('app-broken', (_ageMs, path) => (path === '/page' ? 500 : 200))
  stage.health.set('app-turning', (ageMs) => (ageMs < 6000 ? 200 : 500))
}, limitMs)
afterAll(() => stage.close(), limitMs)

async function failure(work: Promise<unknown>): Promise<KilnError> {
  const error: unknown = await work.then(
    () => expect.unreachable('it must fail'),
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(KilnError)
  return error as KilnError
}

async function version(): Promise<string> {
  const { url } = (await status()) ?? {}
  const response = await fetch(`${url ?? ''}/version`, { headers: { connection: 'close' } })
  return ((await response.json()) as { version: string }).version
}

async function status() {
  return servingStatus({ ...stage.options(), clients: stage.clients(), serving: await stage.serving() })
}

async function states(): Promise<readonly string[]> {
  return (await listReleases(stage.options())).releases.map((row) => `${row.number} ${row.state} ${row.image}`)
}

test('before anything is there the verbs say what comes first', { timeout: limitMs }, async () => {
  expect((await listReleases(stage.options())).releases).toEqual([])
  expect(await status()).toBeUndefined()
  for (const work of [() => deploy({ ...stage.options(), ...who, image: 'app-one' }), () => rollback({ ...stage.options(), ...who })]) {
    expect(await failure(work())).toMatchObject({ code: 'E_NOT_FOUND', hint: 'run `kiln up` first' })
  }
})

test('the first up makes all, boots each machine once and ends with release 1; the second finds nothing to do', { timeout: limitMs }, async () => {
  expect(await stage.up('app-one')).toMatchObject({ 'instance-group/serve-release-test': 'create', 'release/serve-release-test': 'create' })
  expect(await states()).toEqual(['1 live app-one'])
  expect(await stage.machines()).toEqual(['serve-release-test app-one RUNNING', 'serve-release-test app-one RUNNING'])
  const { release } = await showRelease({ ...stage.options(), number: 1, withTexts: false })
  expect(release).toMatchObject({ who: 'ann', package: { name: 'app', version: '1.0.0' }, shape: { tags: ['serve-release-test'] } })
  expect(release.evidence.map((gate) => gate.gate)).toEqual(['start', 'converge', 'bake'])
  // Each machine's only life: none was made for the empty group, and none was replaced.
  const compute = await stage.clients().compute()
  const operations = (await call(compute.zoneOperations.list({ project, zone: 'us-central1-c', filter: 'operationType = insert' }))).items ?? []
  expect(operations.filter((operation) => operation.targetLink?.includes('/instances/serve-release-test-') === true)).toHaveLength(2)
  expect(await stage.plan('app-one')).toEqual({})
  expect(await stage.up('app-one')).toEqual({})
  expect(await status()).toMatchObject({
    healthy: true,
    release: 1,
    version: '1.0.0',
    size: 2,
    instances: [
      { isHealthy: true, isCurrent: true },
      { isHealthy: true, isCurrent: true },
    ],
  })
  expect(await version()).toBe('1.0.0')
})

test('another image is another release, by up and by name or version; what serves already is left alone', { timeout: limitMs }, async () => {
  expect((await stage.plan('app-two'))['release/serve-release-test']?.[0]).toContain('image: "projects/release-test/global/images/app-one" -> ')
  expect(await stage.up('app-two', { why: 'merge' })).toEqual({ 'release/serve-release-test': 'update' })
  expect(await version()).toBe('2.0.0')
  const back = await deploy({ ...stage.options(), ...who, version: '1.0.0', commit: 'c0ffee' })
  expect(back).toMatchObject({ outcome: 'live', release: 3, image: 'app-one', version: '1.0.0', url: expect.stringMatching(/^http:\/\/127\./) })
  expect(back.servingMs).toBeGreaterThan(0)
  expect((await showRelease({ ...stage.options(), number: 3, withTexts: false })).release.commit).toBe('c0ffee')
  expect(await deploy({ ...stage.options(), ...who, image: 'app-one' })).toMatchObject({ outcome: 'unchanged', release: 3 })
  const unknown = await failure(deploy({ ...stage.options(), ...who, version: '9.9.9' }))
  expect(unknown).toMatchObject({ code: 'E_NOT_FOUND', hint: expect.stringContaining('2.0.0') })
  expect((await failure(deploy({ ...stage.options(), ...who, image: 'app-nine' }))).message).toContain('the image app-nine cannot be released: it is not there')
  // Both, as a pipeline names them: the version is what the image must say that it is.
  expect((await failure(deploy({ ...stage.options(), ...who, image: 'app-two', version: '2.0.1' }))).message).toMatch(/app-two has 2\.0\.0, not 2\.0\.1/)
})

test('rollback: a new release of the old image, and of a named one; what never served is refused by name', { timeout: limitMs }, async () => {
  expect(await rollback({ ...stage.options(), ...who })).toMatchObject({ outcome: 'live', release: 4, rollbackOf: 2, image: 'app-two' })
  expect(await rollback({ ...stage.options(), ...who, number: 1 })).toMatchObject({ release: 5, rollbackOf: 1, image: 'app-one' })
  expect(await version()).toBe('1.0.0')
  expect(await failure(rollback({ ...stage.options(), ...who, number: 77 }))).toMatchObject({
    code: 'E_RELEASE_REFUSED',
    message: expect.stringContaining('there is no release 77'),
  })
})

test('a release that answers 500 gets no request and goes back by itself, with its capsule; one that turns bad too', { timeout: limitMs }, async () => {
  const seen = new Set<string>()
  const { url = '' } = (await status()) ?? {}
  const state = { isOver: false }
  const watch = (async () => {
    while (!state.isOver) {
      const response = await fetch(`${url}/page`, { headers: { connection: 'close' } })
      seen.add(`${response.status} ${response.headers.get('x-version')}`)
      await response.text()
    }
  })()
  const sick = await failure(deploy({ ...stage.options(), ...who, image: 'app-sick', keepDisk: true }))
  state.isOver = true
  await watch
  expect(sick).toMatchObject({ code: 'E_RELEASE_FAILED', message: expect.stringContaining('the group serve-release-test is back on release 5') })
  expect([...seen]).toEqual(['200 1.0.0'])
  const shown = await showRelease({ ...stage.options(), number: 6, withTexts: true })
  expect(shown.release.state).toBe('rolled-back')
  expect(shown.capsule.map(({ object }) => object.replace(/-serve-release-test-[^.]*/, ''))).toEqual([
    'releases/000006/group.json',
    'releases/000006/health.txt',
    'releases/000006/journal.txt',
    'releases/000006/serial.txt',
  ])
  const [group, health, , serial] = shown.capsule.map(({ text }) => text)
  expect(group).toContain('app-sick is 500')
  expect(health).toMatch(/^GET http:\/\/127\.[\d.]+:8080\/healthz\n500 Internal Server Error, after \d+ ms\n[\s\S]*x-version: [\s\S]*\n\napp-sick is 500\n$/)
  expect(serial).toContain('fake machine')

  // The sick machine is gone, its disk is there until it is pruned.
  const name = shown.release.disk?.split('/').at(-1) ?? ''
  const disk = { project, zone: 'us-central1-c', disk: name }
  expect(shown.release.disk).toMatch(/\/disks\/serve-release-test-/)
  const compute = await stage.clients().compute()
  expect((await call(compute.disks.get(disk))).labels).toMatchObject({ 'kiln-stack': project, 'kiln-failed-release': '6' })
  expect((await pruneReleases({ ...stage.options(), keep: 9, dryRun: true })).disks).toEqual([])
  expect((await pruneReleases({ ...stage.options(), keep: 9, dryRun: false, allDisks: true })).disks).toEqual([name])
  await expect(call(compute.disks.get(disk))).rejects.toMatchObject({ status: 404 })

  const turned = await failure(deploy({ ...stage.options(), ...who, image: 'app-turning', bakeSeconds: 60, keepDisk: true }))
  expect(turned).toMatchObject({ code: 'E_RELEASE_FAILED', message: expect.stringContaining('is back on release 5') })
  expect(await version()).toBe('1.0.0')
  expect(await stage.machines()).toEqual(['serve-release-test app-one RUNNING', 'serve-release-test app-one RUNNING'])
})

test.each([
  ['that answers too late', 'app-slow', /gate "converge": nothing got better .* is VERIFYING/],
  ['whose image does not come up', 'app-dead', /gate "converge": nothing got better .* is VERIFYING/],
  ['that crashes after a while', 'app-crashing', /gate "bake"/],
])('a release %s goes back, and its capsule says how it answered', { timeout: limitMs }, async (_title, image, words) => {
  const error = await failure(deploy({ ...stage.options(), ...who, image, bakeSeconds: 60 }))
  expect(error).toMatchObject({ code: 'E_RELEASE_FAILED', message: expect.stringContaining('is back on release 5') })
  expect(error.message).toMatch(words)
  expect(await version()).toBe('1.0.0')
  const [newest] = (await listReleases(stage.options())).releases
  const { capsule } = await showRelease({ ...stage.options(), number: newest?.number ?? 0, withTexts: true })
  const answers = capsule.flatMap(({ object, text }) => (object.includes('/health-') ? [text ?? ''] : [])).join('\n')
  expect(answers).toMatch(image === 'app-slow' ? /200 OK, after [3-9]\d{3} ms[\s\S]*\n\nlate\n/ : /no answer after \d+ ms: /)
})

test('a release whose health is good and whose users get errors goes back: the load balancer counts them', { timeout: limitMs }, async () => {
  const { url = '' } = (await status()) ?? {}
  const state = { isOver: false }
  const users = (async () => {
    while (!state.isOver) await (await fetch(`${url}/page`, { headers: { connection: 'close' } })).text()
  })()
  const broken = await failure(deploy({ ...stage.options(), ...who, image: 'app-broken', bakeSeconds: 60 }))
  state.isOver = true
  await users
  expect(broken).toMatchObject({
    code: 'E_RELEASE_FAILED',
    message: expect.stringMatching(/failed at its gate "bake": \d+ of \d+ requests failed at the load balancer; .* is back on release 5/),
  })
  expect(await version()).toBe('1.0.0')
})

test("blue/green and back: the second group is nobody's drift; cold machines say so and are no other release", { timeout: limitMs }, async () => {
  expect(await deploy({ ...stage.options(), ...who, image: 'app-two', strategy: 'blue-green', cold: true })).toMatchObject({ release: 12, strategy: 'blue-green' })
  expect(await version()).toBe('2.0.0')
  expect((await showRelease({ ...stage.options(), number: 12, withTexts: false })).release.shape.metadata).toEqual({ 'kiln-warm-start': 'never' })
  expect(await stage.plan('app-two')).toEqual({})
  const back = await rollback({ ...stage.options(), ...who })
  expect(back).toMatchObject({ release: 13, rollbackOf: 5, strategy: 'blue-green' })
  expect(await version()).toBe('1.0.0')
  expect(await stage.plan('app-one')).toEqual({})
})

test('size, and what somebody took away, is mended without a new release', { timeout: limitMs }, async () => {
  await stage.configure('size: 1')
  expect((await stage.plan('app-one'))['release/serve-release-test']).toEqual(['size: 2 -> 1'])
  expect(await stage.up('app-one')).toEqual({ 'release/serve-release-test': 'update' })
  expect((await status())?.size).toBe(1)
  const compute = await stage.clients().compute()
  const group = (await status())?.group ?? ''
  const service = await call(compute.backendServices.get({ project, backendService: 'serve-release-test' }))
  const requestBody = { backends: (service.backends ?? []).filter((backend) => !(backend.group ?? '').endsWith(`/${group}`)), fingerprint: service.fingerprint ?? '' }
  await waitForCompute(stage.clients(), project, await call(compute.backendServices.patch({ project, backendService: 'serve-release-test', requestBody })), {
    what: 'take the backend away',
  })
  await waitForCompute(stage.clients(), project, await call(compute.instanceGroupManagers.delete({ project, zone: 'us-central1-c', instanceGroupManager: group })), {
    what: 'delete the group',
  })
  expect(await answersAt((await status())?.url ?? '', await stage.serving())).toBe(false)
  expect((await stage.plan('app-one'))['release/serve-release-test']?.join()).toMatch(/is gone|sends nothing/)
  await stage.up('app-one')
  expect(await version()).toBe('1.0.0')
  expect((await states())[0]).toBe('13 live app-one')
  expect(await stage.plan('app-one')).toEqual({})
})

test('a freeze, a revoked image, an image that is gone, another deploy at work: refused, and why', { timeout: limitMs }, async () => {
  await stage.configure("size: 1, freezes: [{ from: '2000-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z', why: 'the big show' }]")
  expect(await failure(deploy({ ...stage.options(), ...who, image: 'app-two' }))).toMatchObject({ code: 'E_FROZEN', message: expect.stringContaining('the big show') })
  expect(await failure(stage.up('app-two'))).toMatchObject({ code: 'E_FROZEN' })
  await stage.configure('size: 1')

  const compute = await stage.clients().compute()
  await waitForCompute(stage.clients(), project, await call(compute.images.deprecate({ project, image: 'app-two', requestBody: { state: 'OBSOLETE' } })), { what: 'revoke' })
  expect((await failure(deploy({ ...stage.options(), ...who, image: 'app-two' }))).message).toContain('it was revoked (OBSOLETE)')
  expect(await failure(rollback({ ...stage.options(), ...who, number: 2 }))).toMatchObject({ code: 'E_RELEASE_REFUSED', message: expect.stringMatching(/app-two is revoked/) })
  await waitForCompute(stage.clients(), project, await call(compute.images.delete({ project, image: 'app-two' })), { what: 'delete the image' })
  expect((await failure(rollback({ ...stage.options(), ...who, number: 2 }))).message).toContain('its image app-two is gone')

  const lease = await acquireLease(stage.home, project, 'deploy')
  expect(await failure(deploy({ ...stage.options(), ...who, image: 'app-one' }))).toMatchObject({
    code: 'E_LOCKED',
    message: expect.stringMatching(/kiln deploy` of .* \(pid \d+\)/),
  })
  await lease.release()
  // Another machine's deployer has only the ledger's lock.
  const store = bucketObjects(stage.clients(), `${project}-kiln-releases`)
  const note = { token: 'x', owner: 'bob', purpose: 'deploy app-six', since: new Date().toISOString(), expiresAt: new Date(Date.now() + 60_000).toISOString() }
  await store.write('releases/lock/deploy.json', JSON.stringify(note))
  expect(await failure(rollback({ ...stage.options(), ...who, number: 1 }))).toMatchObject({ code: 'E_LOCKED', message: expect.stringContaining('bob deploys since') })
  expect((await listReleases(stage.options())).lock?.owner).toBe('bob')
  await store.remove('releases/lock/deploy.json')
})

test('GitHub’s account rolls out with its own roles, and writes nothing but records', { timeout: limitMs }, async () => {
  await stage.configure("size: 1 }, github: { repository: 'moshi/server', repositoryId: '42' ")
  expect(await stage.up('app-one')).toMatchObject({ 'service-account/github-deployer': 'create', 'release-ledger/release-test-kiln-releases': 'update' })
  expect(await stage.plan('app-one')).toEqual({})
  await stage.addImage('app-merged', '5.0.0')
  const robot = await actAs(`github-deployer@${project}.iam.gserviceaccount.com`)
  const serving = await stage.serving()
  const releases = openReleases({ ...stage.options(), clients: robot, serving })
  const { release } = await releases.deploy({
    image: 'app-merged',
    shape: shapeOf(serving),
    strategy: { kind: 'rolling' },
    package: { name: 'app', version: '5.0.0' },
    who: 'github',
    why: 'merge',
  })
  expect(release).toMatchObject({ number: 14, state: 'live', who: 'github' })
  expect(await version()).toBe('5.0.0')
  const storage = await robot.storage()
  await expect(call(storage.buckets.setIamPolicy({ bucket: `${project}-kiln-releases`, requestBody: { bindings: [] } }))).rejects.toMatchObject({ status: 403 })
  await expect(call(storage.buckets.delete({ bucket: `${project}-kiln-releases` }))).rejects.toMatchObject({ status: 403 })
  // Beside the section's account the roles of others stay.
  await stage.configure('size: 1')
  expect((await rollback({ ...stage.options(), ...who })).release).toBe(15)
})

/** Clients with a token of this account, which the owner lends itself. */
async function actAs(email: string): Promise<Clients> {
  const { transport } = stage.clients()
  const send = async (url: string, body: object): Promise<Record<string, never>> =>
    (await (await transport.send(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })).json()) as Record<string, never>
  const account = `https://iam.googleapis.com/v1/projects/${project}/serviceAccounts/${email}`
  const policy: { bindings?: object[] } = await send(`${account}:getIamPolicy`, {})
  const lent = { role: 'roles/iam.serviceAccountTokenCreator', members: ['user:owner@kiln.local'] }
  await send(`${account}:setIamPolicy`, { policy: { ...policy, bindings: [...(policy.bindings ?? []), lent] } })
  const token = await send(`https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${email}:generateAccessToken`, {
    scope: ['https://www.googleapis.com/auth/cloud-platform'],
  })
  const { url = '' } = await cloudStatus(stage.home)
  return createClients({ rootUrl: url, accessToken: async () => String(token['accessToken']) })
}

test('what a pipeline baked goes to the group, with its commit and its pusher in the ledger', { timeout: limitMs }, async () => {
  // What was rolled back is not kept: the next commit's image is another.
  await stage.addImage('app-pushed', '7.0.0')
  const pushed = { image: 'app-pushed', version: '7.0.0', who: 'push by ada', why: 'Merge of the lessons', commit: 'c0ffee0' }
  const result = await deliver.deploy({ ...stage.options(), ...pushed })
  expect(result).toMatchObject({ outcome: 'live', release: 16, version: '7.0.0', url: expect.stringMatching(/^http:\/\/127\./) })
  expect(await version()).toBe('7.0.0')
  const { release } = await showRelease({ ...stage.options(), number: 16, withTexts: false })
  expect(release).toMatchObject({ state: 'live', who: 'push by ada', why: 'Merge of the lessons', commit: 'c0ffee0', group: (await status())?.group })
  // A pipeline that is run again for the same commit finds its work done.
  expect(await deliver.deploy({ ...stage.options(), ...pushed })).toMatchObject({ outcome: 'unchanged', release: 16 })
  // Bytes of another version than the one that was published never go out under its name.
  await expect(deliver.deploy({ ...stage.options(), ...pushed, version: '7.0.1' })).rejects.toThrow(/app-pushed has 7\.0\.0, not 7\.0\.1/)
})

test('prune says what would go; destroy takes all that releases made, and nothing of others', { timeout: limitMs }, async () => {
  const plan = await pruneReleases({ ...stage.options(), keep: 2, dryRun: true })
  expect(plan).toMatchObject({ dryRun: true, blocked: undefined })
  expect((await pruneReleases({ ...stage.options(), keep: 2, dryRun: false })).templates).toEqual(plan.templates)
  const store = bucketObjects(stage.clients(), `${project}-kiln-releases`)
  await store.write('notes/mine.txt', 'not of a release')
  expect((await failure(stage.destroy())).message).toContain('notes/mine.txt')
  await store.remove('notes/mine.txt')
  await stage.destroy()
  expect(await stage.destroy()).toEqual([])
  const compute = await stage.clients().compute()
  expect(await stage.machines()).toEqual([])
  for (const list of [
    compute.instanceTemplates.list({ project }),
    compute.disks.list({ project, zone: 'us-central1-c' }),
    compute.instanceGroupManagers.list({ project, zone: 'us-central1-c' }),
    compute.backendServices.list({ project }),
    compute.globalForwardingRules.list({ project }),
  ]) {
    const items = await list.then(
      ({ data }) => data.items ?? [],
      () => [],
    )
    expect(items).toEqual([])
  }
})
