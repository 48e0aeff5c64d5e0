import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RequestCounts } from '../../kernel/ports.ts'
import { describeRoomContract } from '../../kernel/room-contract.ts'
import type { Room } from '../../kernel/room.ts'
import { startTestCloud } from '../../kernel/testing.ts'
import type { CallResult, TestCloud } from '../../kernel/testing.ts'
import { createMonitoringRoom } from './index.ts'

const noon = Date.parse('2026-11-27T12:00:00Z')
const counts: readonly RequestCounts[] = [
  {
    backendService: 'web',
    codeClass: 200,
    points: [
      { startMs: noon, endMs: noon + 1000, count: 7 },
      { startMs: noon + 1000, endMs: noon + 2000, count: 8 },
    ],
  },
  { backendService: 'web', codeClass: 500, points: [{ startMs: noon + 1000, endMs: noon + 2000, count: 2 }] },
  { backendService: 'api', codeClass: 200, points: [{ startMs: noon, endMs: noon + 1000, count: 1 }] },
]

/** Stands for the room that counts. */
function countingRoom(): Room {
  return {
    id: 'counting',
    service: 'compute.googleapis.com',
    hosts: [{ name: 'api', match: 'compute.googleapis.com' }],
    migrations: { namespace: 'counting', steps: [] },
    routes(kernel) {
      kernel.ports.provide('requestCounts', { list: (projectId) => (projectId === 'p-one' ? counts : []) })
      return []
    },
  }
}

const type = 'metric.type = "loadbalancing.googleapis.com/https/request_count"'
let cloud: TestCloud

describeRoomContract({
  makeRooms: () => [createMonitoringRoom(), countingRoom()],
  queries: { 'monitoring.projects.timeSeries.list': `filter=${encodeURIComponent(type)}&interval.endTime=2026-11-27T12:00:00Z` },
})

beforeAll(async () => {
  cloud = await startTestCloud(() => [createMonitoringRoom(), countingRoom()])
  cloud.addProject('p-one')
  cloud.addProject('p-two')
})
afterAll(() => cloud.close())

function list(query: Readonly<Record<string, string>>, project = 'p-one'): Promise<CallResult> {
  const all = { 'interval.startTime': '2026-11-27T12:00:00Z', 'interval.endTime': '2026-11-27T12:10:00Z', filter: type, ...query }
  return cloud.call('GET', `monitoring.googleapis.com/v3/projects/${project}/timeSeries?${new URLSearchParams(all)}`)
}

test('counts of one backend service by class, newest first, in Google’s form', async () => {
  const { json, status, text } = await list({ filter: `${type} AND resource.labels.backend_target_name="web"` })
  expect(status, text).toBe(200)
  const resource = { type: 'https_lb_rule', labels: { project_id: 'p-one', backend_target_name: 'web', backend_target_type: 'BACKEND_SERVICE' } }
  const metric = { type: 'loadbalancing.googleapis.com/https/request_count', labels: { response_code_class: '200' } }
  expect(json.timeSeries).toEqual([
    {
      metric,
      resource,
      metricKind: 'DELTA',
      valueType: 'INT64',
      points: [
        { interval: { startTime: '2026-11-27T12:00:01.000Z', endTime: '2026-11-27T12:00:02.000Z' }, value: { int64Value: '8' } },
        { interval: { startTime: '2026-11-27T12:00:00.000Z', endTime: '2026-11-27T12:00:01.000Z' }, value: { int64Value: '7' } },
      ],
    },
    expect.objectContaining({ metric: { ...metric, labels: { response_code_class: '500' } } }),
  ])
  expect((await list({}, 'p-two')).json).toEqual({ unit: '1' })
})

test('filters, times, views and pages', async () => {
  const names = async (query: Readonly<Record<string, string>>): Promise<unknown> =>
    ((await list(query)).json.timeSeries ?? []).map(
      (each: { resource: { labels: { backend_target_name: string } }; metric: { labels: { response_code_class: string } }; points?: unknown[] }) =>
        `${each.resource.labels.backend_target_name} ${each.metric.labels.response_code_class} ${each.points?.length ?? 0}`,
    )
  expect(await names({})).toEqual(['api 200 1', 'web 200 2', 'web 500 1'])
  expect(await names({ filter: `${type} AND metric.label.response_code_class = 500` })).toEqual(['web 500 1'])
  expect(await names({ filter: `resource.type = "https_lb_rule" AND ${type} AND resource.label.backend_target_name = "a\\"b"` })).toEqual([])
  expect(await names({ 'interval.startTime': '2026-11-27T12:00:01.500Z' })).toEqual(['web 200 1', 'web 500 1'])
  expect(await names({ 'interval.endTime': '2026-11-27T12:00:01Z' })).toEqual(['api 200 1', 'web 200 1'])
  expect(await names({ view: 'HEADERS' })).toEqual(['api 200 0', 'web 200 0', 'web 500 0'])
  const first = await list({ pageSize: '2' })
  expect(first.json.timeSeries).toHaveLength(2)
  expect(await names({ pageSize: '2', pageToken: first.json.nextPageToken })).toEqual(['web 500 1'])
})

test('what is not here is 501 and named, what is wrong is 400', async () => {
  for (const [query, word] of [
    [{ filter: 'metric.type = "compute.googleapis.com/instance/cpu/utilization"' }, 'compute.googleapis.com/instance/cpu/utilization'],
    [{ 'aggregation.alignmentPeriod': '60s' }, 'aggregation.alignmentPeriod'],
    [{ filter: `${type} AND metric.labels.response_code_class != "200"` }, 'response_code_class != '],
    [{ filter: `${type} AND resource.labels.backend_target_name = starts_with("w")` }, 'starts_with'],
  ] as const) {
    const { status, json } = await list(query)
    expect(status).toBe(501)
    expect(json.error).toMatchObject({ status: 'UNIMPLEMENTED', message: expect.stringContaining(word) })
  }
  const wrong: readonly Readonly<Record<string, string>>[] = [
    { filter: '' },
    { filter: 'resource.type = "https_lb_rule"' },
    { filter: `${type} AND x` },
    { 'interval.endTime': 'now' },
    { 'interval.startTime': '2027-01-01T00:00:00Z' },
  ]
  for (const query of wrong) expect((await list(query)).status, JSON.stringify(query)).toBe(400)
})
