import { afterAll, beforeAll, expect, test } from 'vitest'
import { api, operate, succeed, zone } from '../testing.ts'
import { managers, startGroupWorld } from './testing.ts'
import type { GroupWorld } from './testing.ts'

let world: GroupWorld

beforeAll(async () => {
  world = await startGroupWorld()
  await world.template('t-1')
  await world.template('t-2', { labels: { release: 'two' } })
})
afterAll(() => world.close())

const templateLink = (name: string): string => `https://www.googleapis.com/compute/v1/projects/p-one/global/instanceTemplates/${name}`

test('a group as gcloud makes it: the server picks the base name, fills defaults, and makes machines', async () => {
  await world.group('web', { instanceTemplate: 'https://compute.googleapis.com/compute/v1/projects/p-one/global/instanceTemplates/t-1', targetSize: 2 })
  const manager = await world.stable('web')
  expect(manager).toMatchObject({
    kind: 'compute#instanceGroupManager',
    baseInstanceName: 'web',
    targetSize: 2,
    instanceTemplate: templateLink('t-1'),
    versions: [{ instanceTemplate: templateLink('t-1'), targetSize: { calculated: 2 } }],
    updatePolicy: {
      type: 'OPPORTUNISTIC',
      minimalAction: 'REPLACE',
      replacementMethod: 'SUBSTITUTE',
      maxSurge: { fixed: 1, calculated: 1 },
      maxUnavailable: { fixed: 1, calculated: 1 },
    },
    currentActions: { none: 2, creating: 0, deleting: 0 },
    status: { isStable: true, versionTarget: { isReached: true }, allInstancesConfig: { effective: true } },
    instanceGroup: 'https://www.googleapis.com/compute/v1/projects/p-one/zones/us-central1-c/instanceGroups/web',
  })
  expect(Buffer.from(manager.fingerprint, 'base64')).toHaveLength(8)
  const instances = await world.list('web')
  for (const each of instances) {
    expect(each).toMatchObject({ currentAction: 'NONE', instanceStatus: 'RUNNING', version: { instanceTemplate: templateLink('t-1') } })
    expect(each.name).toMatch(/^web-[a-z0-9]{4}$/)
    const instance = await world.get(`${zone}/instances/${each.name}`)
    const items = Object.fromEntries(instance.metadata.items.map((item: { key: string; value: string }) => [item.key, item.value]))
    expect(items['created-by']).toMatch(/^projects\/\d+\/zones\/us-central1-c\/instanceGroupManagers\/web$/)
  }
  expect(await world.get(`${zone}/instanceGroups/web`)).toMatchObject({ kind: 'compute#instanceGroup', size: 2, network: expect.stringContaining('networks/default') })
  const members = await world.cloud.call('POST', `${zone}/instanceGroups/web/listInstances`, { body: {} })
  expect(members.json.items.map((item: { instance: string }) => item.instance)).toEqual(instances.map((each) => each.instance))
})

test('rolling-action replace: a new name of the version alone makes every machine anew', async () => {
  const before = (await world.list('web')).map((each) => each.name)
  const { versions } = await world.manager('web')
  await succeed(world.cloud, 'PATCH', `${managers}/web`, {
    updatePolicy: { maxUnavailable: { fixed: 1 }, minimalAction: 'REPLACE', type: 'PROACTIVE' },
    versions: [{ ...versions[0], name: '0/2026-11-22 23:00:00' }],
  })
  expect((await world.manager('web')).status.versionTarget.isReached).toBe(false)
  const after = await world.stable('web')
  expect(after.status.versionTarget.isReached).toBe(true)
  const names = (await world.list('web')).map((each) => each.name)
  expect(names).toHaveLength(2)
  expect(names.filter((name) => before.includes(name))).toEqual([])
  for (const name of before) expect((await world.cloud.call('GET', `${zone}/instances/${name}`)).status).toBe(404)
})

test('a canary takes part of the group; then the rest follows', async () => {
  await succeed(world.cloud, 'POST', `${managers}/web/resize?size=3`)
  await world.stable('web')
  await succeed(world.cloud, 'PATCH', `${managers}/web`, {
    updatePolicy: { type: 'PROACTIVE', maxSurge: { fixed: 1 }, maxUnavailable: { fixed: 0 } },
    versions: [
      { instanceTemplate: templateLink('t-1'), name: '0/2026-11-22 23:00:00' },
      { instanceTemplate: 'global/instanceTemplates/t-2', name: 'canary', targetSize: { fixed: 1 } },
    ],
  })
  await world.stable('web')
  const count = async (template: string): Promise<number> => (await world.list('web')).filter((each) => each.version.instanceTemplate === templateLink(template)).length
  expect([await count('t-1'), await count('t-2')]).toEqual([2, 1])
  await succeed(world.cloud, 'PATCH', `${managers}/web`, { versions: [{ instanceTemplate: 'global/instanceTemplates/t-2', name: 'canary' }] })
  await world.stable('web')
  expect([await count('t-1'), await count('t-2')]).toEqual([0, 3])
})

test('RECREATE makes machines anew under their names, and never takes more away than allowed', async () => {
  await world.group('named', { instanceTemplate: 'global/instanceTemplates/t-1', targetSize: 3 })
  await world.stable('named')
  const before = await world.list('named')
  await succeed(world.cloud, 'PATCH', `${managers}/named`, {
    updatePolicy: { type: 'PROACTIVE', minimalAction: 'REPLACE', replacementMethod: 'RECREATE', maxSurge: { fixed: 0 }, maxUnavailable: { fixed: 1 } },
    versions: [{ instanceTemplate: templateLink('t-2') }],
  })
  const atWork: number[] = []
  await world.until('every machine to be another one', async () => {
    const now = await world.list('named')
    atWork.push(now.filter((each) => each.currentAction !== 'NONE').length)
    expect(now).toHaveLength(3)
    return now.every((each) => each.currentAction === 'NONE' && each.version.instanceTemplate === templateLink('t-2'))
  })
  expect(Math.max(...atWork)).toBe(1)
  const after = await world.list('named')
  expect(after.map((each) => each.name)).toEqual(before.map((each) => each.name))
  expect(after.filter((each) => before.some((old) => old.id === each.id))).toEqual([])
  await succeed(world.cloud, 'DELETE', `${managers}/named`)
})

test('an opportunistic group waits for applyUpdatesToInstances', async () => {
  await world.group('slow', { instanceTemplate: 'global/instanceTemplates/t-1', targetSize: 2, baseInstanceName: 'slow-vm' })
  await world.stable('slow')
  await succeed(world.cloud, 'POST', `${managers}/slow/setInstanceTemplate`, { instanceTemplate: templateLink('t-2') })
  const manager = await world.stable('slow')
  expect(manager).toMatchObject({ instanceTemplate: templateLink('t-2'), status: { versionTarget: { isReached: false } } })
  const [first, second] = await world.list('slow')
  const refused = await world.cloud.call('POST', `${managers}/slow/applyUpdatesToInstances`, { body: { instances: [first.instance], mostDisruptiveAllowedAction: 'NONE' } })
  expect(refused.status).toBe(400)
  // Labels alone differ: the machine stays.
  const { id } = await world.get(`${zone}/instances/${first.name}`)
  await succeed(world.cloud, 'POST', `${managers}/slow/applyUpdatesToInstances`, { instances: [first.instance], minimalAction: 'NONE', mostDisruptiveAllowedAction: 'REPLACE' })
  await world.stable('slow')
  expect(await world.get(`${zone}/instances/${first.name}`)).toMatchObject({ id, labels: { release: 'two' } })
  await succeed(world.cloud, 'POST', `${managers}/slow/applyUpdatesToInstances`, { instances: [second.instance], minimalAction: 'REPLACE' })
  await world.stable('slow')
  const replaced = await world.get(`${zone}/instances/${second.name}`)
  expect(replaced.labels).toEqual({ release: 'two' })
  expect(replaced.id).not.toBe(second.id)
  expect((await world.manager('slow')).status.versionTarget.isReached).toBe(true)
})

test('a restart keeps the machine and its name', async () => {
  const [first] = await world.list('slow')
  await succeed(world.cloud, 'POST', `${managers}/slow/applyUpdatesToInstances`, { instances: [first.instance], minimalAction: 'RESTART' })
  expect((await world.list('slow'))[0].currentAction).toBe('RESTARTING')
  await world.stable('slow')
  const after = await world.get(`${zone}/instances/${first.name}`)
  expect(after.id).toBe(first.id)
  expect(after.lastStopTimestamp).toBeDefined()
})

test('what happens behind its back is made good: a deleted machine, and one that died', async () => {
  const [first, second] = await world.list('slow')
  await succeed(world.cloud, 'DELETE', `${zone}/instances/${first.name}`)
  await world.until('the deleted one is made again', async () => {
    const now = (await world.list('slow')).find((each) => each.name === first.name)
    return now?.currentAction === 'NONE' && now.id !== undefined && now.id !== first.id
  })
  await world.crash(second.name)
  await world.until('the dead one is made again', async () => {
    const now = (await world.list('slow')).find((each) => each.name === second.name)
    return now?.currentAction === 'NONE' && now.id !== undefined && now.id !== second.id
  })
  expect((await world.list('slow')).map((each) => each.name)).toEqual([first.name, second.name])
})

test('a creation that fails is told, and tried again', async () => {
  world.driver.failNextStart(new Error('no such luck'))
  await succeed(world.cloud, 'POST', `${managers}/slow/resize?size=3`)
  const manager = await world.stable('slow')
  expect(manager.targetSize).toBe(3)
  const { items } = await world.get(`${managers}/slow/listErrors`)
  expect(items[0]).toMatchObject({ error: { message: expect.stringContaining('no such luck') }, instanceActionDetails: { action: 'CREATING' }, timestamp: expect.any(String) })
})

test('deleting, abandoning, recreating and naming instances changes the size as Google does', async () => {
  const [first, second, third] = await world.list('slow')
  await succeed(world.cloud, 'POST', `${managers}/slow/deleteInstances`, { instances: [first.instance] })
  await succeed(world.cloud, 'POST', `${managers}/slow/abandonInstances`, { instances: [`zones/us-central1-c/instances/${second.name}`] })
  await succeed(world.cloud, 'POST', `${managers}/slow/createInstances`, { instances: [{ name: 'by-name' }] })
  await succeed(world.cloud, 'POST', `${managers}/slow/recreateInstances`, { instances: [third.instance] })
  expect((await world.stable('slow')).targetSize).toBe(2)
  expect((await world.list('slow')).map((each) => each.name)).toEqual(['by-name', third.name].toSorted())
  expect((await world.list('slow')).find((each) => each.name === third.name).id).not.toBe(third.id)
  expect((await world.cloud.call('GET', `${zone}/instances/${first.name}`)).status).toBe(404)
  expect((await world.get(`${zone}/instances/${second.name}`)).status).toBe('RUNNING')
  expect((await world.cloud.call('POST', `${managers}/slow/deleteInstances`, { body: { instances: [second.instance] } })).json.error.message).toContain('not a member')
  expect((await world.cloud.call('POST', `${managers}/slow/createInstances`, { body: { instances: [{ name: second.name }] } })).status).toBe(409)
})

test('a template in use stays; one that is not goes', async () => {
  const refused = await world.cloud.call('DELETE', `${api}/global/instanceTemplates/t-2`)
  expect(refused.json.error).toMatchObject({ code: 400, errors: [{ reason: 'resourceInUseByAnotherResource' }] })
  await world.template('unused')
  await succeed(world.cloud, 'DELETE', `${api}/global/instanceTemplates/unused`)
  expect((await world.cloud.call('GET', `${api}/global/instanceTemplates/unused`)).status).toBe(404)
})

test('a template that only older instances were made from may go, and they are still repaired', async () => {
  await world.template('old')
  await world.group('aging', { instanceTemplate: 'global/instanceTemplates/old', targetSize: 1 })
  await world.stable('aging')
  await succeed(world.cloud, 'POST', `${managers}/aging/setInstanceTemplate`, { instanceTemplate: templateLink('t-1') })
  await succeed(world.cloud, 'DELETE', `${api}/global/instanceTemplates/old`)
  const [instance] = await world.list('aging')
  await world.crash(instance.name)
  await world.until('it is made anew', async () => {
    const [now] = await world.list('aging')
    return now.currentAction === 'NONE' && now.id !== instance.id
  })
  expect((await world.list('aging'))[0].version.instanceTemplate).toBe(templateLink('old'))
  await succeed(world.cloud, 'DELETE', `${managers}/aging`)
})

test('Terraform names one incarnation of a template, and sends a policy of empty objects', async () => {
  const { id } = await world.get(`${api}/global/instanceTemplates/t-1`)
  for (const form of [id, `t-1?uniqueId=${id}`]) {
    const body = {
      versions: [{ instanceTemplate: `https://compute.googleapis.com/compute/v1/projects/p-one/global/instanceTemplates/${form}`, name: 'by id' }],
      statefulPolicy: { preservedState: {} },
    }
    await succeed(world.cloud, 'PATCH', `${managers}/slow`, body)
    expect((await world.manager('slow')).versions).toMatchObject([{ instanceTemplate: templateLink('t-1'), name: 'by id' }])
  }
  await succeed(world.cloud, 'PATCH', `${managers}/slow`, { versions: [{ instanceTemplate: templateLink('t-2') }] })
  const stateful = { statefulPolicy: { preservedState: { disks: { data: { autoDelete: 'NEVER' } } } } }
  expect((await world.cloud.call('PATCH', `${managers}/slow`, { body: stateful })).json.error.message).toContain('Stateful')
})

test('a patch needs the fingerprint that was read, and refuses what Google refuses', async () => {
  const bad = [
    { fingerprint: 'AAAAAAAAAAA=' },
    { updatePolicy: { maxSurge: { fixed: 0 }, maxUnavailable: { fixed: 0 } } },
    { updatePolicy: { replacementMethod: 'RECREATE', maxSurge: { fixed: 1 } } },
    { updatePolicy: { maxSurge: { percent: 20 } } },
    { updatePolicy: { type: 'SOMETIMES' } },
    { versions: [{ instanceTemplate: 'global/instanceTemplates/none' }] },
    { versions: [{ instanceTemplate: 'global/instanceTemplates/t-1', targetSize: { fixed: 1 } }] },
    { autoHealingPolicies: [{ healthCheck: 'global/healthChecks/none' }] },
    { targetSize: -1 },
  ]
  for (const body of bad) expect([400, 404, 412], JSON.stringify(body)).toContain((await world.cloud.call('PATCH', `${managers}/slow`, { body })).status)
  const { fingerprint } = await world.manager('slow')
  await succeed(world.cloud, 'PATCH', `${managers}/slow`, { description: 'said', fingerprint })
  expect((await world.manager('slow')).description).toBe('said')
  expect((await world.cloud.call('PATCH', `${managers}/slow`, { body: { description: 'old', fingerprint } })).status).toBe(412)
})

test('named ports stand on the instance group and on its manager', async () => {
  await succeed(world.cloud, 'POST', `${zone}/instanceGroups/slow/setNamedPorts`, { namedPorts: [{ name: 'http', port: 8080 }] })
  expect((await world.manager('slow')).namedPorts).toEqual([{ name: 'http', port: 8080 }])
  expect((await world.get(`${zone}/instanceGroups/slow`)).namedPorts).toEqual([{ name: 'http', port: 8080 }])
  expect((await world.cloud.call('DELETE', `${zone}/instanceGroups/slow`)).status).toBe(400)
  expect((await world.cloud.call('POST', `${zone}/instanceGroups/slow/addInstances`, { body: { instances: [{ instance: 'x' }] } })).status).toBe(400)
})

test('all-instances configuration reaches machines that run', async () => {
  await succeed(world.cloud, 'PATCH', `${managers}/slow`, {
    updatePolicy: { type: 'PROACTIVE' },
    allInstancesConfig: { properties: { labels: { env: 'prod' }, metadata: { flag: 'on' } } },
  })
  await world.until('every machine has it', async () => (await world.manager('slow')).status.allInstancesConfig.effective === true)
  const [first] = await world.list('slow')
  const instance = await world.get(`${zone}/instances/${first.name}`)
  expect(instance.labels).toMatchObject({ env: 'prod', release: 'two' })
  expect(instance.metadata.items).toContainEqual({ key: 'flag', value: 'on' })
})

test('lists page, and an unmanaged group takes instances by hand', async () => {
  const first = await world.cloud.call('POST', `${managers}/slow/listManagedInstances?maxResults=1`)
  expect(first.json.managedInstances).toHaveLength(1)
  const second = await world.cloud.call('POST', `${managers}/slow/listManagedInstances?maxResults=1&pageToken=${first.json.nextPageToken}`)
  expect(second.json.managedInstances[0].name).not.toBe(first.json.managedInstances[0].name)
  expect(second.json.nextPageToken).toBeUndefined()
  expect((await world.get(`${api}/aggregated/instanceGroupManagers`)).items['zones/us-central1-c'].instanceGroupManagers.map((each: { name: string }) => each.name)).toEqual([
    'slow',
    'web',
  ])
  expect((await world.cloud.call('POST', `${managers}/slow/listPerInstanceConfigs`)).json).toEqual({})
  expect((await world.get(`${zone}/autoscalers`)).items).toBeUndefined()
  const groups = `${zone}/instanceGroups`
  await succeed(world.cloud, 'POST', groups, { name: 'hand', namedPorts: [{ name: 'http', port: 80 }] })
  const instance = first.json.managedInstances[0].instance
  await succeed(world.cloud, 'POST', `${groups}/hand/addInstances`, { instances: [{ instance }] })
  expect((await world.cloud.call('POST', `${groups}/hand/addInstances`, { body: { instances: [{ instance }] } })).json.error.errors[0].reason).toBe('memberAlreadyExists')
  expect((await world.get(`${groups}/hand`)).size).toBe(1)
  expect((await world.cloud.call('POST', `${groups}/hand/listInstances`, { body: { instanceState: 'RUNNING' } })).json.items).toEqual([
    { instance, status: 'RUNNING', namedPorts: [{ name: 'http', port: 80 }] },
  ])
  await succeed(world.cloud, 'POST', `${groups}/hand/removeInstances`, { instances: [{ instance }] })
  await succeed(world.cloud, 'DELETE', `${groups}/hand`)
})

test('deleting a group deletes its machines; twice is no error, and nothing is left', async () => {
  const names = (await world.list('slow')).map((each) => each.name)
  const started = await world.cloud.call('DELETE', `${managers}/slow`)
  expect(started.status).toBe(200)
  const again = await world.cloud.call('DELETE', `${managers}/slow`)
  expect([200, 404]).toContain(again.status)
  await world.until('the group is gone', async () => (await world.cloud.call('GET', `${managers}/slow`)).status === 404)
  expect(await world.cloud.kernel().operations.wait(started.json.name, 10_000)).toMatchObject({ status: 'DONE' })
  expect((await world.cloud.call('GET', `${zone}/instanceGroups/slow`)).status).toBe(404)
  for (const name of names) expect((await world.cloud.call('GET', `${zone}/instances/${name}`)).status).toBe(404)
  expect((await world.cloud.call('DELETE', `${managers}/slow`)).status).toBe(404)
})

test('who may not act as the account of a template may not make a group of it', async () => {
  await world.template('t-srv', { serviceAccounts: [{ email: 'srv@p-one.iam.gserviceaccount.com', scopes: ['https://www.googleapis.com/auth/cloud-platform'] }] })
  world.cloud.kernel().policies.grant('projects/p-one', 'roles/compute.instanceAdmin.v1', 'user:builder@example.com')
  const token = world.cloud.userToken('builder@example.com')
  const body = { name: 'own', targetSize: 1, instanceTemplate: 'global/instanceTemplates/t-srv' }
  expect((await world.cloud.call('POST', managers, { token, body })).json.error.message).toContain('iam.serviceAccounts.actAs')
  expect(await operate(world.cloud, 'POST', managers, { ...body, instanceTemplate: 'global/instanceTemplates/t-1', targetSize: 0 }, token)).toMatchObject({ status: 'DONE' })
})
