import { expect, test } from 'vitest'
import { parseFilter } from './service.filter.ts'

const items = [
  { name: 'img-1', status: 'READY', diskSizeGb: '10', labels: { a: 'b' }, family: 'fam', creationTimestamp: '2026-01-01T10:00:00.000Z', deprecated: { state: 'OBSOLETE' } },
  { name: 'img-2', status: 'READY', diskSizeGb: '9', labels: {}, family: 'fam', creationTimestamp: '2026-02-01T10:00:00.000Z', tags: ['web', 'db'] },
  { name: 'other', status: 'PENDING', diskSizeGb: '200', labels: { a: 'c', team: 'x' }, creationTimestamp: '2026-03-01T10:00:00.000Z', isOn: true },
]

function names(filter: string): string {
  return items
    .filter(parseFilter(filter))
    .map((item) => item.name)
    .join(' ')
}

test.each([
  ['', 'img-1 img-2 other'],
  ['name=img-1', 'img-1'],
  ['name = "img-1"', 'img-1'],
  ["name = 'img-1'", 'img-1'],
  ['name=img-*', 'img-1 img-2'],
  ['name != img-1', 'img-2 other'],
  // As gcloud 528 sends `name~img-[12]`, `name:img*` and `status=READY`.
  ['name eq ".*(img-[12]).*"', 'img-1 img-2'],
  [String.raw`name eq ".*\bimg.*"`, 'img-1 img-2'],
  ['status eq READY', 'img-1 img-2'],
  ['(status eq READY) (name ne img-2)', 'img-1'],
  ['status=READY AND name=img-2', 'img-2'],
  ['name=img-1 OR name=other', 'img-1 other'],
  ['status=READY AND (name=img-2 OR name=other)', 'img-2'],
  // OR binds more tightly.
  ['name=img-1 OR name=other AND status=PENDING', 'other'],
  ['NOT name=img-1', 'img-2 other'],
  ['-name=img-1 -name=other', 'img-2'],
  ['NOT (name=img-1 OR labels.team:*)', 'img-2'],
  ['labels.a:*', 'img-1 other'],
  ['labels.a=b', 'img-1'],
  ['tags:web', 'img-2'],
  ['isOn=true', 'other'],
  ['diskSizeGb>9', 'img-1 other'],
  ['diskSizeGb >= 10 diskSizeGb < 200', 'img-1'],
  ['diskSizeGb<=9', 'img-2'],
  ['creationTimestamp>2026-01-15T00:00:00Z', 'img-2 other'],
  ['creationTimestamp <= "2026-02-01T11:00:00+01:00"', 'img-1 img-2'],
  ['deprecated.state=OBSOLETE', 'img-1'],
  ['nothing=x', ''],
])('%s', (filter, expected) => {
  expect(names(filter)).toBe(expected)
})

test.each([
  'name',
  'name=',
  '=x',
  'name ~~ x',
  '(name=x',
  'name=x)',
  'name=x OR',
  'NOT',
  'AND name=x',
  'name eq "("',
  'name eq "(a+)+b"',
  String.raw`name eq "(a)\1"`,
  '"a"=b',
  `name=${'x'.repeat(5000)}`,
])('refused: %.40s', (filter) => {
  expect(() => parseFilter(filter)).toThrow('Invalid list filter expression')
})
