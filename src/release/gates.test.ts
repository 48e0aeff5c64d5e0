import { expect, test } from 'vitest'
import type { GroupFacts, MemberFacts } from './fleet.ts'
import { convergeProblems, hopeless, tooManyFailed } from './gates.ts'
import type { GroupView } from './gates.ts'

const group: GroupFacts = {
  name: 'srv',
  size: 2,
  versions: [{ template: 'new' }],
  maxSurge: 1,
  maxUnavailable: 0,
  isProactive: true,
  isStable: true,
  isReached: true,
  hasHealthCheck: true,
}
const whole = { template: 'new', count: 2, isWhole: true }

function member(name: string, fields: Partial<MemberFacts> = {}): MemberFacts {
  return { name, id: name, template: 'new', action: 'NONE', status: 'RUNNING', health: 'HEALTHY', errors: [], ...fields }
}

function view(fields: Partial<GroupView> = {}): GroupView {
  return { group, members: [member('a'), member('b')], errors: [], backend: ['a', 'b'].map((instance) => ({ instance, state: 'HEALTHY', evidence: {} })), ...fields }
}

test('a group that is as expected has no problems', () => {
  expect(convergeProblems(view(), whole)).toEqual([])
  expect(convergeProblems(view({ backend: undefined }), whole)).toEqual([])
})

test.each<[string, Partial<GroupView>, string]>([
  ['no group', { group: undefined }, 'the group is not there'],
  ['not stable', { group: { ...group, isStable: false } }, 'the group is not stable'],
  ['versions not reached', { group: { ...group, isReached: false } }, 'the group has not reached its versions'],
  ['one still old', { members: [member('a'), member('b'), member('c', { template: 'old' })] }, '1 instances have another template'],
  ['one too few', { members: [member('a')] }, '1 of 2 instances have the template new'],
  ['one too many', { members: [member('a'), member('b'), member('c')], backend: undefined }, 'there are 3 instances and 2 are wanted'],
  ['one being made', { members: [member('a'), member('b', { action: 'CREATING', errors: ['QUOTA: full'] })] }, 'b is CREATING (QUOTA: full)'],
  ['one stopped', { members: [member('a'), member('b', { status: 'TERMINATED' })] }, 'b is TERMINATED'],
  ['one sick', { members: [member('a'), member('b', { health: 'UNHEALTHY' })] }, "b is UNHEALTHY by the group's health check"],
  ['one of which nothing is said', { backend: [{ instance: 'a', state: 'HEALTHY', evidence: {} }] }, 'b is UNKNOWN at the load balancer'],
  [
    'one sick for the load balancer',
    { backend: ['a', 'b'].map((instance) => ({ instance, state: instance === 'a' ? 'UNHEALTHY' : 'HEALTHY', evidence: {} })) },
    'a is UNHEALTHY at the load balancer',
  ],
])('%s is a problem', (_name, fields, problem) => {
  expect(convergeProblems(view(fields), whole)).toEqual([problem])
})

test('a canary is judged by itself: the others may be sick, and the group unstable', () => {
  const members = [member('a'), member('b', { template: 'old', health: 'UNHEALTHY', action: 'RECREATING' })]
  const seen = view({ members, backend: undefined, group: { ...group, isStable: false, isReached: false } })
  expect(convergeProblems(seen, { template: 'new', count: 1, isWhole: false })).toEqual([])
})

test('enough errors on the template since the release began end the wait; others do not', () => {
  const error = (template: string, at: string) => ({ at, instance: 'srv-1', template, action: 'CREATING', code: 'X', message: 'no room' })
  const errors = [error('old', '2026-01-01T00:00:09Z'), error('new', '2025-01-01T00:00:00Z'), error('new', '2026-01-01T00:00:01Z'), error('new', '2026-01-01T00:00:02Z')]
  const sinceMs = Date.parse('2026-01-01T00:00:00Z')
  expect(hopeless(view({ errors }), 'new', sinceMs, 3)).toBeUndefined()
  expect(hopeless(view({ errors }), 'new', sinceMs, 2)).toBe('2 errors of the group, the last of srv-1 (CREATING): X: no room')
})

test('failed requests are judged by their share', () => {
  expect(tooManyFailed({ requests: 0, failed: 0 }, 0)).toBe(false)
  expect(tooManyFailed({ requests: 100, failed: 1 }, 0.01)).toBe(false)
  expect(tooManyFailed({ requests: 100, failed: 2 }, 0.01)).toBe(true)
})
