import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { head } from '../shapes.ts'
import { api, succeed, zone } from '../testing.ts'
import type { Health } from './members.ts'
import { managers, startGroupWorld } from './testing.ts'
import type { GroupWorld, Json } from './testing.ts'

/** What the test says of each instance: by name, else by the release in its labels. */
const verdicts = new Map<string, Health>()
const drained: string[] = []
let blockDrain: Promise<void> | undefined

let world: GroupWorld

beforeAll(async () => {
  world = await startGroupWorld({
    healthByCheck: (instance) => verdicts.get(instance.name) ?? verdicts.get(instance.record.labels?.['release'] ?? '') ?? 'HEALTHY',
    healthAsBackend: (instance) => verdicts.get(`backend ${instance.record.labels?.['release'] ?? ''}`),
    async drain(instance) {
      drained.push(instance.name)
      await blockDrain
    },
  })
  for (const release of ['one', 'two', 'three']) await world.template(release, { labels: { release } })
  // Health checks belong to load balancing; here one row is enough to be named.
  const key = { projectId: 'p-one', scope: 'global', collection: 'healthChecks', name: 'alive' }
  world.cloud
    .kernel()
    .database.run(
      'INSERT INTO compute_resources VALUES (?, ?, ?, ?, ?, ?, ?)',
      key.projectId,
      key.scope,
      key.collection,
      key.name,
      '77',
      JSON.stringify(head('healthCheck', key, '77')),
      '{}',
    )
})
afterAll(() => world.close())
beforeEach(() => {
  verdicts.clear()
  drained.length = 0
  blockDrain = undefined
})

const careful = { type: 'PROACTIVE', minimalAction: 'REPLACE', maxSurge: { fixed: 1 }, maxUnavailable: { fixed: 0 } }

async function release(group: string, name: string): Promise<void> {
  await succeed(world.cloud, 'PATCH', `${managers}/${group}`, { versions: [{ instanceTemplate: `global/instanceTemplates/${name}` }] })
}

function releasesOf(instances: readonly Json[]): string[] {
  return instances.map((each) => String(each.version.instanceTemplate).split('/').at(-1) ?? '').toSorted()
}

test('a new instance is verified before it counts; initial delay keeps it from being healed', async () => {
  verdicts.set('one', 'UNKNOWN')
  await world.group('app', {
    instanceTemplate: 'global/instanceTemplates/one',
    targetSize: 2,
    updatePolicy: careful,
    autoHealingPolicies: [{ healthCheck: 'global/healthChecks/alive', initialDelaySec: 300 }],
  })
  await world.until('both are being verified', async () => (await world.manager('app')).currentActions.verifying === 2)
  expect((await world.manager('app')).status.isStable).toBe(false)
  verdicts.set('one', 'UNHEALTHY')
  const [first] = await world.list('app')
  expect(first).toMatchObject({ currentAction: 'VERIFYING', instanceHealth: [{ detailedHealthState: 'UNHEALTHY', healthCheck: expect.stringContaining('healthChecks/alive') }] })
  verdicts.set('one', 'HEALTHY')
  await world.stable('app')
  expect((await world.list('app')).map((each) => each.id)).toContain(first.id)
})

test('a release that is never healthy stops: the old instances stay, and going back removes the new one', async () => {
  const before = (await world.list('app')).map((each) => each.id)
  verdicts.set('two', 'UNHEALTHY')
  await release('app', 'two')
  await world.until('the new one is being verified', async () => (await world.manager('app')).currentActions.verifying === 1)
  // Several passes later nothing else has happened.
  const passes = Array.from({ length: 10 }, () => world.manager('app'))
  for (const manager of await Promise.all(passes)) expect(manager.status).toMatchObject({ isStable: false, versionTarget: { isReached: false } })
  const during = await world.list('app')
  expect(releasesOf(during)).toEqual(['one', 'one', 'two'])
  expect(drained).toEqual([])
  await release('app', 'one')
  await world.stable('app')
  expect((await world.list('app')).map((each) => each.id)).toEqual(before)
})

test('what a backend service says counts too', async () => {
  verdicts.set('backend two', 'UNHEALTHY')
  await release('app', 'two')
  await world.until('the new one is being verified', async () => (await world.manager('app')).currentActions.verifying === 1)
  expect(releasesOf(await world.list('app'))).toEqual(['one', 'one', 'two'])
  verdicts.set('backend two', 'HEALTHY')
  await world.stable('app')
  expect(releasesOf(await world.list('app'))).toEqual(['two', 'two'])
})

test('an instance is drained before it goes', async () => {
  let unblock = (): void => {}
  blockDrain = new Promise((resolve) => (unblock = resolve))
  const [first] = await world.list('app')
  await succeed(world.cloud, 'POST', `${managers}/app/deleteInstances`, { instances: [first.instance] })
  await world.until('draining began', async () => drained.length === 1)
  expect(drained).toEqual([first.name])
  expect((await world.list('app')).find((each) => each.name === first.name)).toMatchObject({ currentAction: 'DELETING', instanceStatus: 'RUNNING' })
  unblock()
  await world.until('it is gone', async () => (await world.cloud.call('GET', `${zone}/instances/${first.name}`)).status === 404)
  await succeed(world.cloud, 'POST', `${managers}/app/resize?size=2`)
  await world.stable('app')
})

test('auto-healing makes a sick instance anew under its name', async () => {
  await succeed(world.cloud, 'PATCH', `${managers}/app`, { autoHealingPolicies: [{ healthCheck: 'global/healthChecks/alive', initialDelaySec: 0 }] })
  const [first, second] = await world.list('app')
  verdicts.set(first.name, 'UNHEALTHY')
  await world.until('it is drained', async () => drained.includes(first.name))
  await world.until('it is another machine', async () => {
    const now = (await world.list('app')).find((each) => each.name === first.name)
    return now?.id !== undefined && now.id !== first.id
  })
  verdicts.clear()
  await world.stable('app')
  expect((await world.list('app')).find((each) => each.name === second.name).id).toBe(second.id)
})

test('what a failure leads to is the policy of the group', async () => {
  const policy = (instanceLifecyclePolicy: object) => succeed(world.cloud, 'PATCH', `${managers}/app`, { instanceLifecyclePolicy })
  await succeed(world.cloud, 'PATCH', `${managers}/app`, { updatePolicy: { type: 'OPPORTUNISTIC' } })
  await policy({ defaultActionOnFailure: 'DO_NOTHING' })
  const [first, second] = await world.list('app')
  await world.crash(first.name)
  await world.until('it is seen to be dead', async () => (await world.list('app'))[0].instanceStatus === 'TERMINATED')
  await release('app', 'one')
  // Other work of the group goes on; this instance is left as it is.
  await succeed(world.cloud, 'POST', `${managers}/app/recreateInstances`, { instances: [second.instance] })
  await world.until('the other is made anew', async () =>
    (await world.list('app')).some((each) => each.name === second.name && each.id !== second.id && each.currentAction === 'NONE'),
  )
  expect((await world.list('app'))[0]).toMatchObject({ id: first.id, instanceStatus: 'TERMINATED' })
  await policy({ defaultActionOnFailure: 'REPAIR', forceUpdateOnRepair: 'YES' })
  await world.stable('app')
  expect(releasesOf(await world.list('app'))).toEqual(['one', 'one'])
})

test('a daemon that dies after any commit leaves an update that the next ones finish, and never fewer than the target size', async () => {
  await succeed(world.cloud, 'PATCH', `${managers}/app`, { updatePolicy: careful, autoHealingPolicies: [{ healthCheck: 'global/healthChecks/alive', initialDelaySec: 300 }] })
  await world.stable('app')
  await release('app', 'three')
  let lives = 0
  for (; lives < 60; lives += 1) {
    const running = ((await world.get(`${zone}/instances`)).items ?? []).filter((each: Json) => each.status === 'RUNNING')
    expect(running.length).toBeGreaterThanOrEqual(2)
    expect((await world.list('app')).length).toBeLessThanOrEqual(3)
    const { status } = await world.manager('app')
    if (status.isStable === true && status.versionTarget.isReached === true) break
    // Each life may write a little more than the one before, so that one of them gets past its own start.
    await dieAfter(1 + (lives % 12), async () => (await world.manager('app')).status.isStable === true)
    await world.cloud.restart()
  }
  expect(lives).toBeGreaterThan(3)
  await world.stable('app')
  const instances = await world.list('app')
  expect(releasesOf(instances)).toEqual(['three', 'three'])
  const rows = (await world.get(`${zone}/instances`)).items as Json[]
  expect(rows.map((each) => each.id).toSorted()).toEqual(instances.map((each) => each.id).toSorted())
  expect((await readdir(join(world.cloud.folder, 'cloud', 'vms'))).toSorted()).toEqual(rows.map((each) => each.id).toSorted())
  expect(((await world.get(`${zone}/disks`)).items as Json[]).map((each) => each.name).toSorted()).toEqual(rows.map((each) => each.name).toSorted())
})

test('an update is finished after a death at each of its commits in turn, and leaves nothing behind', async () => {
  await world.group('one', { instanceTemplate: 'global/instanceTemplates/one', targetSize: 1, updatePolicy: careful })
  await world.stable('one')
  let commits = 0
  for (let isWhole = false; !isWhole; commits += 1) {
    await release('one', commits % 2 === 0 ? 'two' : 'one')
    isWhole = !(await dieAfter(commits, async () => (await world.manager('one')).status.isStable === true))
    expect(commits, 'an update has an end').toBeLessThan(80)
    const before = (await world.get(`${zone}/instances`)).items as Json[]
    expect(before.filter((each) => each.status === 'RUNNING' && each.name.startsWith('one-')).length).toBeGreaterThanOrEqual(1)
    await world.cloud.restart()
    await world.stable('one')
    const rows = ((await world.get(`${zone}/instances`)).items as Json[]).filter((each) => each.name.startsWith('one-'))
    expect(releasesOf(await world.list('one'))).toEqual([commits % 2 === 0 ? 'two' : 'one'])
    expect(rows.map((each) => each.id)).toEqual((await world.list('one')).map((each) => each.id))
    expect((await world.cloud.call('GET', `${managers}/one/listErrors`)).json).toEqual({})
  }
  expect(commits).toBeGreaterThan(10)
}, 60_000)

test('a group that is being deleted goes on being deleted after a crash', async () => {
  await world.cloud.call('DELETE', `${managers}/app`)
  await dieAfter(3, async () => (await world.cloud.call('GET', `${managers}/app`)).status === 404)
  await world.cloud.restart()
  await world.until('the group is gone', async () => (await world.cloud.call('GET', `${managers}/app`)).status === 404)
  expect(((await world.get(`${zone}/instances`)).items as Json[]).filter((each) => each.name.startsWith('app-'))).toEqual([])
  expect(((await world.get(`${zone}/instanceGroups`)).items as Json[]).map((each) => each.name)).toEqual(['one'])
  await succeed(world.cloud, 'DELETE', `${api}/global/instanceTemplates/three`)
})

/**
 * Lets the daemon commit so many more transactions; whatever it writes after them is lost, as when it was killed. Returns when that has happened, or when
 * nothing was left to write; true in the first case.
 */
async function dieAfter(commits: number, isDone: () => Promise<boolean>): Promise<boolean> {
  const { database } = world.cloud.kernel()
  const { run, transaction } = database
  const lost = new Error('lost with the daemon')
  let left = commits
  let depth = 0
  let hasWritten = false
  Object.assign(database, {
    run: (...args: Parameters<typeof run>) => {
      hasWritten = true
      if (depth > 0) return run(...args)
      left -= 1
      return left < 0 ? 1 : run(...args)
    },
    transaction: (work: () => unknown) => {
      if (depth > 0) return transaction(work)
      depth += 1
      hasWritten = false
      let result: unknown
      try {
        transaction(() => {
          result = work()
          // Transactions that only read are no place to die.
          if (hasWritten) left -= 1
          if (left < 0) throw lost
        })
      } catch (error) {
        if (error !== lost) throw error
      } finally {
        depth -= 1
      }
      return result
    },
  })
  await world.until('the daemon has died', async () => left < 0 || (await isDone()))
  return left < 0
}
