import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitFor } from '../../../base/wait.ts'
import { describeRoomContract } from '../../kernel/room-contract.ts'
import { startTestCloud } from '../../kernel/testing.ts'
import type { CallOptions, CallResult, TestCloud } from '../../kernel/testing.ts'
import { createFirestoreRoom } from './index.ts'

const RULES = 'firebaserules.googleapis.com'

describeRoomContract({
  makeRooms: () => [createFirestoreRoom()],
  prepare: async (cloud) => cloud.kernel().projects.setService('contract-project', RULES, true),
})

let cloud: TestCloud

beforeAll(async () => {
  cloud = await startTestCloud(() => [createFirestoreRoom()])
  cloud.addProject('p-one', ['firestore.googleapis.com', RULES])
  cloud.addProject('p-two', ['firestore.googleapis.com'])
})
afterAll(() => cloud.close())

function api(method: string, path: string, options?: CallOptions): Promise<CallResult> {
  return cloud.call(method, `firestore.googleapis.com/v1/projects/p-one${path}`, options)
}

function rules(method: string, path: string, options?: CallOptions): Promise<CallResult> {
  return cloud.call(method, `${RULES}/v1/projects/p-one${path}`, options)
}

async function finished(operation: string): Promise<CallResult['json']> {
  return waitFor({ what: operation, timeoutMs: 5000, intervalMs: 10, code: 'E_API' }, async () => {
    const now = await cloud.call('GET', `firestore.googleapis.com/v1/${operation.replaceAll('(', '%28').replaceAll(')', '%29')}`)
    return now.json.done === true ? { done: true, value: now.json } : { done: false, status: now.text }
  })
}

async function makeDatabase(id: string, more: object = {}): Promise<CallResult> {
  const made = await api('POST', `/databases?databaseId=${encodeURIComponent(id)}`, { body: { type: 'FIRESTORE_NATIVE', locationId: 'nam5', ...more } })
  expect(made.status, made.text).toBe(200)
  return made
}

test('what gcloud does for the default database: create, list, describe, delete', async () => {
  const made = await api('POST', '/databases?databaseId=%28default%29', {
    body: {
      type: 'FIRESTORE_NATIVE',
      locationId: 'nam5',
      databaseEdition: 'STANDARD',
      deleteProtectionState: 'DELETE_PROTECTION_STATE_UNSPECIFIED',
      pointInTimeRecoveryEnablement: 'POINT_IN_TIME_RECOVERY_ENABLEMENT_UNSPECIFIED',
      cmekConfig: {},
    },
  })
  expect(made.json.name).toMatch(/^projects\/p-one\/databases\/\(default\)\/operations\//)
  expect(made.json.metadata['@type']).toBe('type.googleapis.com/google.firestore.admin.v1.CreateDatabaseMetadata')
  const done = await finished(made.json.name)
  expect(done.response).toMatchObject({ '@type': 'type.googleapis.com/google.firestore.admin.v1.Database', name: 'projects/p-one/databases/(default)' })
  const shown = await api('GET', '/databases/%28default%29')
  expect(shown.json).toMatchObject({
    name: 'projects/p-one/databases/(default)',
    uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
    locationId: 'nam5',
    type: 'FIRESTORE_NATIVE',
    concurrencyMode: 'PESSIMISTIC',
    versionRetentionPeriod: '3600s',
    appEngineIntegrationMode: 'DISABLED',
    pointInTimeRecoveryEnablement: 'POINT_IN_TIME_RECOVERY_DISABLED',
    deleteProtectionState: 'DELETE_PROTECTION_DISABLED',
    databaseEdition: 'STANDARD',
    freeTier: true,
    etag: expect.any(String),
  })
  await makeDatabase('second')
  expect((await api('GET', '/databases')).json.databases.map((each: { name: string; freeTier: boolean }) => [each.name.split('/').at(-1), each.freeTier])).toEqual([
    ['(default)', true],
    ['second', false],
  ])
  await cloud.restart()
  expect((await api('GET', '/databases/(default)')).json.uid).toBe(shown.json.uid)
  expect((await api('DELETE', '/databases/second')).status).toBe(200)
  expect((await api('GET', '/databases/second')).json.error).toMatchObject({ code: 404, status: 'NOT_FOUND', message: "Project 'p-one' or database 'second' does not exist." })
  expect((await cloud.call('GET', 'firestore.googleapis.com/v1/projects/p-two/databases')).json).toEqual({})
})

test('what is wrong with a database is refused', async () => {
  await makeDatabase('taken')
  const create = async (id: string, body: object): Promise<number> => (await api('POST', `/databases?databaseId=${encodeURIComponent(id)}`, { body })).status
  const fine = { type: 'FIRESTORE_NATIVE', locationId: 'eur3' }
  expect(await create('taken', fine)).toBe(409)
  for (const id of ['', 'abc', 'UPPER', 'has_underscore', '-abcd', `a${'b'.repeat(63)}`, 'default', '0f8fad5b-d9cb-469f-a165-70867728950e'].filter((each) => each !== 'default'))
    expect(await create(id, fine), id).toBe(400)
  expect(await create('nowhere', { ...fine, locationId: 'mars-1' })).toBe(400)
  expect(await create('notype', { locationId: 'eur3' })).toBe(400)
  expect(await create('badmode', { ...fine, deleteProtectionState: 'MAYBE' })).toBe(400)
  expect(await create('enterprise', { ...fine, databaseEdition: 'ENTERPRISE' })).toBe(501)
})

test('protection and etags hold a deletion back; a patch changes what its mask names', async () => {
  await makeDatabase('guarded', { deleteProtectionState: 'DELETE_PROTECTION_ENABLED' })
  expect((await api('DELETE', '/databases/guarded')).json.error).toMatchObject({ code: 400, status: 'FAILED_PRECONDITION' })
  expect((await api('PATCH', '/databases/guarded?updateMask=locationId', { body: { locationId: 'eur3' } })).status).toBe(400)
  const patched = await api('PATCH', '/databases/guarded?updateMask=delete_protection_state,pointInTimeRecoveryEnablement', {
    body: { deleteProtectionState: 'DELETE_PROTECTION_DISABLED', pointInTimeRecoveryEnablement: 'POINT_IN_TIME_RECOVERY_ENABLED', concurrencyMode: 'OPTIMISTIC' },
  })
  expect((await finished(patched.json.name)).response).toMatchObject({
    deleteProtectionState: 'DELETE_PROTECTION_DISABLED',
    versionRetentionPeriod: '604800s',
    concurrencyMode: 'PESSIMISTIC',
  })
  expect((await api('DELETE', '/databases/guarded?etag=b2xk')).json.error.status).toBe('FAILED_PRECONDITION')
  const { etag } = (await api('GET', '/databases/guarded')).json
  expect((await api('DELETE', `/databases/guarded?etag=${encodeURIComponent(etag)}`)).status).toBe(200)
})

test('composite indexes: created by an operation, ready at its end, one of each shape', async () => {
  await makeDatabase('indexed')
  const group = '/databases/indexed/collectionGroups/users/indexes'
  const body = {
    queryScope: 'COLLECTION',
    fields: [
      { fieldPath: 'city', order: 'ASCENDING' },
      { fieldPath: 'age', order: 'DESCENDING' },
    ],
  }
  const made = await api('POST', group, { body })
  expect(made.json.metadata).toMatchObject({ '@type': 'type.googleapis.com/google.firestore.admin.v1.IndexOperationMetadata', index: expect.stringContaining('/indexes/') })
  const done = await finished(made.json.name)
  expect(done).toMatchObject({ metadata: { state: 'SUCCESSFUL' }, response: { state: 'READY', name: made.json.metadata.index } })
  const index = made.json.metadata.index.split('/').at(-1)
  expect((await api('GET', `${group}/${index}`)).json).toMatchObject({ ...body, state: 'READY', fields: [...body.fields, { fieldPath: '__name__', order: 'DESCENDING' }] })
  expect((await api('POST', group, { body })).json.error).toMatchObject({ code: 409, message: 'index already exists' })
  expect((await api('POST', group, { body: { fields: [{ fieldPath: 'city', order: 'ASCENDING' }] } })).json.error.message).toBe(
    'this index is not necessary, configure using single field index controls',
  )
  expect((await api('POST', group, { body: { fields: [] } })).status).toBe(400)
  expect((await api('POST', group, { body: { fields: [{ fieldPath: 'a' }, { fieldPath: 'b', order: 'ASCENDING' }] } })).status).toBe(400)
  expect((await api('GET', '/databases/indexed/collectionGroups/-/indexes')).json.indexes).toHaveLength(1)
  expect((await api('GET', '/databases/indexed/collectionGroups/other/indexes')).json).toEqual({})
  expect((await api('DELETE', `${group}/${index}`)).json).toEqual({})
  expect((await api('GET', `${group}/${index}`)).status).toBe(404)
})

test('field settings: inherited, own, none, and back again', async () => {
  await makeDatabase('fielded')
  const field = '/databases/fielded/collectionGroups/users/fields/bio'
  expect((await api('GET', field)).json.indexConfig).toMatchObject({
    usesAncestorConfig: true,
    ancestorField: 'projects/p-one/databases/fielded/collectionGroups/__default__/fields/*',
  })
  const patched = await api('PATCH', `${field}?updateMask=indexConfig`, { body: { indexConfig: { indexes: [{ queryScope: 'COLLECTION', fields: [{ order: 'ASCENDING' }] }] } } })
  await finished(patched.json.name)
  expect((await api('GET', field)).json.indexConfig).toEqual({ indexes: [{ queryScope: 'COLLECTION', fields: [{ fieldPath: 'bio', order: 'ASCENDING' }], state: 'READY' }] })
  await api('PATCH', `${field}?updateMask=indexConfig`, { body: { indexConfig: {} } })
  expect((await api('GET', field)).json.indexConfig).toEqual({})
  const ttl = await api('PATCH', '/databases/fielded/collectionGroups/users/fields/expires?updateMask=ttlConfig', { body: { ttlConfig: {} } })
  await finished(ttl.json.name)
  expect((await api('GET', '/databases/fielded/collectionGroups/users/fields/expires')).json.ttlConfig).toEqual({ state: 'ACTIVE' })
  const filter = encodeURIComponent('ttlConfig:*')
  expect((await api('GET', `/databases/fielded/collectionGroups/__default__/fields?filter=${filter}`)).json.fields).toHaveLength(1)
  await api('PATCH', `${field}?updateMask=indexConfig`, { body: {} })
  expect((await api('GET', field)).json.indexConfig.usesAncestorConfig).toBe(true)
})

test('locations', async () => {
  const all = (await api('GET', '/locations')).json.locations
  expect(all.map((each: { locationId: string }) => each.locationId)).toEqual(expect.arrayContaining(['nam5', 'eur3', 'us-central1']))
  expect((await api('GET', '/locations/eur3')).json).toMatchObject({ name: 'projects/p-one/locations/eur3', locationId: 'eur3' })
  expect((await api('GET', '/locations/mars-1')).status).toBe(404)
})

test('rulesets are checked and released; one in use stays', async () => {
  const content = "rules_version = '2';\nservice cloud.firestore {\n  match /databases/{database}/documents { match /{document=**} { allow read: if true; } } // }\n}"
  const made = await rules('POST', '/rulesets', { body: { source: { files: [{ name: 'firestore.rules', content }] } } })
  expect(made.json).toMatchObject({ name: expect.stringMatching(/^projects\/p-one\/rulesets\/[0-9a-f-]{36}$/), metadata: { services: ['cloud.firestore'] } })
  const broken = await rules('POST', '/rulesets', { body: { source: { files: [{ name: 'f.rules', content: 'service cloud.firestore {\n  match / {\n' }] } } })
  expect(broken.json.error).toMatchObject({ code: 400, message: expect.stringContaining('f.rules, line 3') })
  const release = await rules('POST', '/releases', { body: { name: 'projects/p-one/releases/cloud.firestore', rulesetName: made.json.name } })
  expect(release.json).toMatchObject({ name: 'projects/p-one/releases/cloud.firestore', rulesetName: made.json.name, createTime: expect.any(String) })
  expect((await rules('POST', '/releases', { body: { name: 'projects/p-one/releases/cloud.firestore', rulesetName: made.json.name } })).status).toBe(409)
  expect((await rules('POST', '/releases', { body: { name: 'projects/p-one/releases/x', rulesetName: 'projects/p-one/rulesets/none' } })).status).toBe(404)
  const nested = await rules('POST', '/releases', { body: { name: 'projects/p-one/releases/firebase.storage/my-bucket', rulesetName: made.json.name } })
  expect(nested.status).toBe(200)
  expect((await rules('GET', '/releases/firebase.storage/my-bucket')).json.name).toBe('projects/p-one/releases/firebase.storage/my-bucket')
  const second = await rules('POST', '/rulesets', { body: { source: { files: [{ name: 'firestore.rules', content }] } } })
  const moved = await rules('PATCH', '/releases/cloud.firestore', {
    body: { release: { name: 'projects/p-one/releases/cloud.firestore', rulesetName: second.json.name }, updateMask: 'ruleset_name' },
  })
  expect(moved.json.rulesetName).toBe(second.json.name)
  const used = `/rulesets/${second.json.name.split('/').at(-1)}`
  expect((await rules('DELETE', used)).json.error.status).toBe('FAILED_PRECONDITION')
  expect((await rules('DELETE', '/releases/cloud.firestore')).json).toEqual({})
  expect((await rules('DELETE', used)).json).toEqual({})
  expect((await rules('GET', used)).status).toBe(404)
  const disabled = await cloud.call('GET', `${RULES}/v1/projects/p-two/rulesets`)
  expect(disabled.json.error.details[0]).toMatchObject({ reason: 'SERVICE_DISABLED', metadata: { service: RULES } })
})
