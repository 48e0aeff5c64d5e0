import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeRoomContract } from '../../kernel/room-contract.ts'
import { startTestCloud } from '../../kernel/testing.ts'
import type { CallOptions, CallResult, TestCloud } from '../../kernel/testing.ts'
import { createLoggingRoom } from './index.ts'

describeRoomContract({ makeRooms: () => [createLoggingRoom()] })

const HOST = 'logging.googleapis.com/v2'
let cloud: TestCloud

beforeAll(async () => {
  cloud = await startTestCloud(() => [createLoggingRoom()])
  cloud.addProject('p-one')
  cloud.addProject('p-two')
})
afterAll(() => cloud.close())

function write(body: object, options: CallOptions = {}): Promise<CallResult> {
  return cloud.call('POST', `${HOST}/entries:write`, { body, ...options })
}

function list(body: object, options: CallOptions = {}): Promise<CallResult> {
  return cloud.call('POST', `${HOST}/entries:list`, { body: { resourceNames: ['projects/p-one'], ...body }, ...options })
}

const resource = { type: 'global' }

test('what gcloud writes is read back, newest first, also after a restart', async () => {
  const log = 'projects/p-one/logs/first'
  expect((await write({ entries: [{ logName: log, resource, textPayload: 'hello', severity: 'INFO' }] })).json).toEqual({})
  await write({ logName: log, resource, labels: { a: '1', b: '1' }, entries: [{ jsonPayload: { n: 2 }, labels: { b: '2' }, severity: 500 }] })
  await cloud.restart()
  const read = await list({ filter: `logName="${log}"`, orderBy: 'timestamp desc', pageSize: 10 })
  expect(read.json.entries).toMatchObject([
    { logName: log, jsonPayload: { n: 2 }, severity: 'ERROR', labels: { a: '1', b: '2' } },
    {
      textPayload: 'hello',
      severity: 'INFO',
      insertId: expect.any(String),
      resource: { type: 'global', labels: { project_id: 'p-one' } },
      timestamp: expect.stringMatching(/Z$/),
      receiveTimestamp: expect.stringMatching(/Z$/),
    },
  ])
  expect((await list({ resourceNames: ['projects/p-two'] })).json).toEqual({})
})

test('one time and insert id make one entry', async () => {
  const timestamp = new Date().toISOString()
  const entries = [{ textPayload: 'once', insertId: 'x', timestamp }]
  for (let time = 0; time < 3; time += 1) await write({ logName: 'projects/p-one/logs/dedupe', resource, entries })
  expect((await list({ filter: 'log_id("dedupe")' })).json.entries).toHaveLength(1)
})

test('pages go on where they ended, in both directions', async () => {
  const start = Date.now() - 100_000
  const entries = Array.from({ length: 25 }, (_, index) => ({ textPayload: `line ${index}`, timestamp: new Date(start + index).toISOString() }))
  await write({ logName: 'projects/p-one/logs/paged', resource, entries })
  for (const orderBy of ['timestamp asc', 'timestamp desc']) {
    const seen: string[] = []
    let pageToken: string | undefined
    do {
      const answer = await list({ filter: 'log_id("paged")', orderBy, pageSize: 10, pageToken })
      seen.push(...answer.json.entries.map((entry: { textPayload: string }) => entry.textPayload))
      pageToken = answer.json.nextPageToken
    } while (pageToken !== undefined)
    const expected = entries.map((entry) => entry.textPayload)
    expect(seen).toEqual(orderBy === 'timestamp asc' ? expected : expected.toReversed())
  }
  expect((await list({ pageToken: 'bm9wZQ' })).status).toBe(400)
  expect((await list({ orderBy: 'severity' })).status).toBe(400)
  expect((await list({ filter: 'severity=' })).json.error.message).toContain('Unparseable filter')
  expect((await list({ resourceNames: ['folders/1'] })).status).toBe(400)
  expect((await list({ resourceNames: [] })).status).toBe(400)
})

test('what is wrong is refused whole, or left out when partial success is asked for', async () => {
  const logName = 'projects/p-one/logs/strict'
  const wrong: readonly object[] = [
    { entries: [{ textPayload: 'x', resource }] },
    { logName, entries: [{ textPayload: 'x' }] },
    { logName: 'first', resource, entries: [{ textPayload: 'x' }] },
    { logName: 'projects/p-one/logs/a b', resource, entries: [{ textPayload: 'x' }] },
    { logName, resource, entries: [{ textPayload: 'x', severity: 'LOUD' }] },
    { logName, resource, entries: [{ textPayload: 'x', jsonPayload: {} }] },
    { logName, resource, entries: [{ textPayload: 'x', timestamp: '2020-01-01T00:00:00Z' }] },
    { logName, resource, entries: [{ textPayload: 'x', timestamp: new Date(Date.now() + 90_000_000).toISOString() }] },
    { logName, resource, entries: [{ textPayload: 'x'.repeat(257 * 1024) }] },
  ]
  for (const body of wrong) expect((await write(body)).status, JSON.stringify(body).slice(0, 200)).toBe(400)
  const mixed = { logName, resource, entries: [{ textPayload: 'right' }, { textPayload: 'wrong', severity: 'LOUD' }] }
  expect((await write(mixed)).status).toBe(400)
  expect((await list({ filter: 'log_id("strict")' })).json).toEqual({})
  const partial = await write({ ...mixed, partialSuccess: true })
  expect(partial.json.error.details[0]).toMatchObject({ logEntryErrors: { 1: { code: 3 } } })
  expect((await list({ filter: 'log_id("strict")' })).json.entries).toMatchObject([{ textPayload: 'right' }])
  await write({ logName, resource, entries: [{ textPayload: 'dry' }], dryRun: true })
  expect((await list({ filter: 'log_id("strict")' })).json.entries).toHaveLength(1)
})

test('writing and reading need their permissions on the project that is named', async () => {
  const member = 'writer@example.com'
  const token = cloud.userToken(member)
  const body = { logName: 'projects/p-one/logs/authz', resource, entries: [{ textPayload: 'x' }] }
  expect((await write(body, { token })).status).toBe(403)
  cloud.kernel().policies.grant('projects/p-one', 'roles/logging.logWriter', `user:${member}`)
  expect((await write(body, { token })).status).toBe(200)
  expect((await write({ ...body, logName: undefined, entries: [{ ...body.entries[0], logName: 'projects/p-two/logs/authz' }] }, { token })).status).toBe(403)
  expect((await list({}, { token })).status).toBe(403)
})

test('logs are listed and deleted', async () => {
  await write({ logName: 'projects/p-two/logs/a%2Fb', resource, entries: [{ textPayload: 'x' }] })
  expect((await cloud.call('GET', `${HOST}/projects/p-two/logs`)).json).toEqual({ logNames: ['projects/p-two/logs/a%2Fb'] })
  expect((await cloud.call('DELETE', `${HOST}/projects/p-two/logs/a%2Fb`)).json).toEqual({})
  expect((await cloud.call('DELETE', `${HOST}/projects/p-two/logs/a%2Fb`)).status).toBe(404)
  expect((await cloud.call('GET', `${HOST}/projects/p-two/logs`)).json).toEqual({})
})
