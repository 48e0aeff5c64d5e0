import { expect, test } from 'vitest'
import { normalTime, shownTime } from './schema.ts'
import { parseFilter } from './service.filter.ts'

const entry = {
  logName: 'projects/p/logs/app%2Fweb',
  resource: { type: 'gce_instance', labels: { zone: 'us-central1-c' } },
  timestamp: '2026-11-22T10:00:00.123456Z',
  severity: 'ERROR',
  labels: { 'k8s/app': 'web', env: 'Dev' },
  jsonPayload: { message: 'Connection refused', code: 42, tags: ['a', 'b'], nested: { deep: true } },
  httpRequest: { status: 503, latency: '1.2s', requestSize: '2000' },
}

function check(filter: string): boolean {
  return parseFilter(filter).matches(entry)
}

test('comparisons', () => {
  for (const filter of [
    '',
    'severity=ERROR',
    'severity>=WARNING',
    'severity>200',
    'severity = error',
    'resource.type="gce_instance"',
    'resource.labels.zone=us-central1-c',
    'labels.env=dev',
    'labels."k8s/app"=web',
    'jsonPayload.code=42',
    'jsonPayload.code>=41.5',
    'jsonPayload.code!=43',
    'jsonPayload.tags=b',
    'jsonPayload.nested.deep=true',
    'jsonPayload.message:refused',
    'jsonPayload:"REFUSED"',
    'jsonPayload.message=~"^Conn.*d$"',
    'jsonPayload.message=~"(?i)CONN"',
    'jsonPayload.message!~"accepted"',
    'httpRequest.status>=500',
    'httpRequest.requestSize>900',
    'logName="projects/p/logs/app%2Fweb"',
    'log_id("app/web")',
    'jsonPayload.code:*',
    'timestamp>="2026-11-22T09:59:59Z" timestamp<"2026-11-22T11:00:00+00:30"',
    'timestamp>=2026-11-22T09:59:59Z',
    'timestamp>"2026-11-22"',
    'severity=(INFO OR ERROR)',
    'jsonPayload.message:(connection AND refused)',
    'jsonPayload.message:(connection AND NOT accepted)',
    '-- a comment\nseverity=ERROR',
  ])
    expect(`${filter}: ${check(filter)}`).toBe(`${filter}: true`)
  for (const filter of [
    'severity<ERROR',
    'severity=(INFO OR DEBUG)',
    'resource.type=global',
    'jsonPayload.message="refused"',
    'jsonPayload.message=~"^refused"',
    'jsonPayload.missing=1',
    'jsonPayload.missing!=1',
    'jsonPayload.missing:*',
    'jsonPayload.code>42',
    'timestamp<"2026-11-22T10:00:00.123456Z"',
    'log_id("app")',
  ])
    expect(`${filter}: ${check(filter)}`).toBe(`${filter}: false`)
})

test('boolean operators: NOT before OR before AND', () => {
  expect(check('refused')).toBe(true)
  expect(check('"connection refused" us-central1-c')).toBe(true)
  expect(check('accepted OR refused')).toBe(true)
  expect(check('NOT accepted')).toBe(true)
  expect(check('-accepted -severity=INFO')).toBe(true)
  expect(check('-severity=ERROR')).toBe(false)
  expect(check('severity=ERROR OR severity=INFO AND accepted')).toBe(false)
  expect(check('severity=ERROR OR (severity=INFO AND accepted)')).toBe(true)
  expect(check('NOT (severity=INFO OR severity=DEBUG)')).toBe(true)
  expect(check('resource.type="gce_instance" AND (jsonPayload.code=1 OR jsonPayload.code=42)')).toBe(true)
})

test('bounds of time help the search and never lie', () => {
  const both = parseFilter('timestamp>="2026-01-01T00:00:00Z" AND timestamp<="2026-02-01T00:00:00Z" AND severity=ERROR')
  expect([both.from, both.to]).toEqual(['2026-01-01T00:00:00.000000000Z', '2026-02-01T00:00:00.000000000Z'])
  expect(parseFilter('timestamp>="2026-01-01T00:00:00Z" OR severity=ERROR').from).toBe('')
  expect(parseFilter('NOT timestamp>="2026-01-01T00:00:00Z"').from).toBe('')
  expect(parseFilter('timestamp!="2026-01-01T00:00:00Z"').from).toBe('')
})

test('what is no filter is refused with the place', () => {
  for (const filter of ['severity=', '(severity=ERROR', 'severity=ERROR)', 'AND', 'a OR', 'f(x)', 'a=~"("', '"open', '='.repeat(3), '('.repeat(60) + 'a' + ')'.repeat(60)])
    expect(() => parseFilter(filter), filter).toThrow(/Unparseable filter/)
  expect(() => check('severity>=LOUD')).toThrow(/Invalid severity/)
  expect(() => check('timestamp>"yesterday"')).toThrow(/Invalid time/)
})

test('times keep nanoseconds and sort as text', () => {
  expect(normalTime('2026-11-22T10:00:00.5+01:00')).toBe('2026-11-22T09:00:00.500000000Z')
  expect(shownTime('2026-11-22T09:00:00.500000000Z')).toBe('2026-11-22T09:00:00.500Z')
  expect(shownTime('2026-11-22T09:00:00.000000000Z')).toBe('2026-11-22T09:00:00Z')
  expect(shownTime('2026-11-22T09:00:00.123456789Z')).toBe('2026-11-22T09:00:00.123456789Z')
  expect(normalTime('2026-13-01T00:00:00Z')).toBeUndefined()
})
