import { statSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32c } from '@node-rs/crc32'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitFor } from '../../../base/wait.ts'
import { describeRoomContract } from '../../kernel/room-contract.ts'
import { startTestCloud } from '../../kernel/testing.ts'
import type { CallOptions, CallResult, TestCloud } from '../../kernel/testing.ts'
import { createSecretManagerRoom } from './index.ts'

describeRoomContract({ makeRooms: () => [createSecretManagerRoom()] })

let cloud: TestCloud
let prefix = ''

beforeAll(async () => {
  cloud = await startTestCloud(() => [createSecretManagerRoom()])
  cloud.addProject('p-one')
  prefix = `projects/${cloud.kernel().projects.find('p-one')?.projectNumber}/secrets`
})
afterAll(() => cloud.close())

function api(method: string, path: string, options?: CallOptions): Promise<CallResult> {
  return cloud.call(method, `secretmanager.googleapis.com/v1/projects/p-one${path}`, options)
}

async function makeSecret(id: string, ...payloads: string[]): Promise<void> {
  expect((await api('POST', `/secrets?secretId=${id}`, { body: { replication: { automatic: {} } } })).status).toBe(200)
  for (const text of payloads) expect((await add(id, text)).status).toBe(200)
}

function add(id: string, text: string | Buffer, crc?: string): Promise<CallResult> {
  return api('POST', `/secrets/${id}:addVersion`, {
    body: { payload: { data: Buffer.from(text as string).toString('base64'), ...(crc === undefined ? {} : { dataCrc32c: crc }) } },
  })
}

test('what gcloud does: create, add a version with a checksum, access the latest', async () => {
  const made = await api('POST', '/secrets?secretId=db-password', { body: { annotations: {}, replication: { automatic: {} }, labels: { env: 'dev' } } })
  expect(made.json).toMatchObject({ name: `${prefix}/db-password`, replication: { automatic: {} }, labels: { env: 'dev' } })
  const added = await add('db-password', 'hunter2', String(crc32c('hunter2')))
  expect(added.json).toMatchObject({ name: `${prefix}/db-password/versions/1`, state: 'ENABLED', clientSpecifiedPayloadChecksum: true })
  await add('db-password', 'hunter3')
  const latest = await api('GET', '/secrets/db-password/versions/latest:access')
  expect(latest.json).toEqual({ name: `${prefix}/db-password/versions/2`, payload: { data: Buffer.from('hunter3').toString('base64'), dataCrc32c: String(crc32c('hunter3')) } })
  await cloud.restart()
  expect((await api('GET', '/secrets/db-password/versions/1:access')).json.payload.data).toBe(Buffer.from('hunter2').toString('base64'))
  const byNumber = await cloud.call('GET', `secretmanager.googleapis.com/v1/${prefix}/db-password/versions/1`)
  expect(byNumber.json.state).toBe('ENABLED')
})

test('what is wrong is refused and leaves no version', async () => {
  await makeSecret('strict')
  expect((await api('POST', '/secrets?secretId=strict', { body: { replication: { automatic: {} } } })).json.error).toMatchObject({
    code: 409,
    status: 'ALREADY_EXISTS',
    message: `Secret [${prefix}/strict] already exists.`,
  })
  expect((await api('POST', '/secrets?secretId=no%20good', { body: { replication: { automatic: {} } } })).status).toBe(400)
  expect((await api('POST', '/secrets?secretId=none', { body: {} })).status).toBe(400)
  expect((await add('strict', 'x', '1')).status).toBe(400)
  expect((await add('strict', '')).status).toBe(400)
  expect((await add('strict', Buffer.alloc(65_537))).status).toBe(400)
  expect((await api('POST', '/secrets/strict:addVersion', { body: { payload: { data: 'no base64!' } } })).status).toBe(400)
  expect((await api('GET', '/secrets/strict/versions')).json).toEqual({ totalSize: 0 })
  expect((await api('GET', '/secrets/strict/versions/latest:access')).json.error).toMatchObject({
    code: 404,
    message: `Secret Version [${prefix}/strict/versions/latest] not found.`,
  })
  expect((await api('GET', '/secrets/missing')).json.error).toMatchObject({ code: 404, message: `Secret [${prefix}/missing] not found.` })
  expect((await add('strict', Buffer.alloc(65_536, 'a'))).json.name).toBe(`${prefix}/strict/versions/1`)
})

test('states of a version: disabled ones cannot be accessed, destroyed ones never again, and their bytes leave the file', async () => {
  await makeSecret('states', 'first-payload-of-states', 'second')
  const one = '/secrets/states/versions/1'
  expect((await api('POST', `${one}:disable`)).json.state).toBe('DISABLED')
  expect((await api('GET', `${one}:access`)).json.error).toMatchObject({
    code: 400,
    status: 'FAILED_PRECONDITION',
    message: `Secret Version [${prefix}/states/versions/1] is in DISABLED state.`,
  })
  expect((await api('POST', `${one}:enable`)).json.state).toBe('ENABLED')
  expect((await api('POST', `${one}:destroy`, { body: { etag: 'b2xk' } })).status).toBe(400)
  expect((await api('POST', `${one}:destroy`)).json).toMatchObject({ state: 'DESTROYED', destroyTime: expect.any(String) })
  expect((await api('POST', `${one}:enable`)).status).toBe(400)
  expect((await api('GET', `${one}:access`)).json.error.status).toBe('FAILED_PRECONDITION')
  expect((await api('GET', '/secrets/states/versions')).json.versions.map((version: { name: string }) => version.name.split('/').at(-1))).toEqual(['2', '1'])
  expect((await api('GET', '/secrets/states/versions?filter=state=ENABLED')).json.versions).toHaveLength(1)
  await cloud.restart()
  const folder = join(cloud.folder, 'cloud')
  expect(statSync(folder).mode & 0o077).toBe(0)
  for (const name of (await readdir(folder)).filter((each) => each.startsWith('cloud.db'))) {
    expect((await readFile(join(folder, name))).includes('first-payload-of-states'), name).toBe(false)
    expect(statSync(join(folder, name)).mode & 0o077).toBe(0)
  }
})

test('paging, masks, etags, aliases', async () => {
  await makeSecret('paged', 'a', 'b', 'c')
  const first = await api('GET', '/secrets/paged/versions?pageSize=2')
  const second = await api('GET', `/secrets/paged/versions?pageSize=2&pageToken=${first.json.nextPageToken}`)
  expect([...first.json.versions, ...second.json.versions].map((version: { name: string }) => version.name.at(-1))).toEqual(['3', '2', '1'])
  expect((await api('PATCH', '/secrets/paged', { body: { labels: { a: 'b' } } })).status).toBe(400)
  const changed = await api('PATCH', '/secrets/paged?updateMask=labels,version_aliases', {
    body: { labels: { a: 'b' }, versionAliases: { stable: '2' }, annotations: { lost: 'x' } },
  })
  expect(changed.json.labels).toEqual({ a: 'b' })
  expect(changed.json.annotations).toBeUndefined()
  expect((await api('GET', '/secrets/paged/versions/stable:access')).json.payload.data).toBe(Buffer.from('b').toString('base64'))
  expect((await api('PATCH', '/secrets/paged?updateMask=labels', { body: { etag: 'b2xk', labels: {} } })).status).toBe(400)
  expect((await api('PATCH', '/secrets/paged?updateMask=replication', { body: {} })).status).toBe(400)
  expect((await api('GET', '/secrets?filter=labels.a=b')).json.secrets).toHaveLength(1)
})

test('the accessor of one secret reads its payload and nothing else', async () => {
  await makeSecret('mine', 'm')
  await makeSecret('theirs', 't')
  const token = cloud.serviceAccountToken('app@p-one.iam.gserviceaccount.com')
  expect((await api('GET', '/secrets/mine/versions/1:access', { token })).status).toBe(403)
  const before = await api('GET', '/secrets/mine:getIamPolicy')
  const bindings = [{ role: 'roles/secretmanager.secretAccessor', members: ['serviceAccount:app@p-one.iam.gserviceaccount.com'] }]
  expect((await api('POST', '/secrets/mine:setIamPolicy', { body: { policy: { bindings, etag: before.json.etag } } })).json.bindings).toEqual(bindings)
  expect((await api('GET', '/secrets/mine/versions/1:access', { token })).json.payload.data).toBe('bQ==')
  expect((await cloud.call('GET', `secretmanager.googleapis.com/v1/${prefix}/mine/versions/latest:access`, { token })).status).toBe(200)
  expect((await api('GET', '/secrets/mine', { token })).status).toBe(403)
  expect((await api('GET', '/secrets/theirs/versions/1:access', { token })).status).toBe(403)
  expect((await api('POST', '/secrets/mine:testIamPermissions', { token, body: { permissions: ['secretmanager.versions.access', 'secretmanager.secrets.get'] } })).json).toEqual({
    permissions: ['secretmanager.versions.access'],
  })
  expect((await api('DELETE', '/secrets/mine')).status).toBe(200)
  await makeSecret('mine', 'again')
  expect((await api('GET', '/secrets/mine/versions/1:access', { token })).status).toBe(403)
})

test('a secret with a time to live goes by itself', async () => {
  expect((await api('POST', '/secrets?secretId=short', { body: { replication: { automatic: {} }, ttl: '0.2s' } })).json.expireTime).toBeDefined()
  await waitFor({ what: 'the secret to expire', timeoutMs: 5000, intervalMs: 20 }, async () => {
    const { status } = await api('GET', '/secrets/short')
    return status === 404 ? { done: true, value: status } : { done: false, status: String(status) }
  })
})
