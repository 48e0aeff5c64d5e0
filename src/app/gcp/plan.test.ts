/** A plan that was made again is only carried out when it is the one that was shown. */
import { expect, test } from 'vitest'
import type { PlanNode } from '../../engine/types.ts'
import { imageLink, requireAsShown } from './plan.ts'

const node = (address: PlanNode['address'], action: PlanNode['action'], reasons: readonly string[] = []): PlanNode => ({
  address,
  kind: 'google_storage_bucket',
  action,
  reasons,
  differences: [],
  drifted: false,
  after: [],
})

const shown = [node('storage/a', 'create'), node('storage/b', 'update'), node('dev/vm', 'replace')]

test('the same, or less since it was done meanwhile, is carried out', () => {
  expect(() => requireAsShown(shown, shown)).not.toThrow()
  expect(() => requireAsShown(shown, [node('storage/a', 'noop'), node('dev/vm', 'replace')])).not.toThrow()
})

test('another action, or something that was not shown, is refused and listed', () => {
  expect(() => requireAsShown(shown, [node('storage/b', 'replace', ['location: "EU" -> "US"']), node('storage/c', 'delete')])).toThrow(
    expect.objectContaining({ code: 'E_PLAN_STALE', message: expect.stringContaining('2 changes'), detail: 'replace storage/b (location: "EU" -> "US")\ndelete storage/c' }),
  )
})

test('images are named as Terraform takes them', () => {
  expect(imageLink('p', 'srv-1')).toBe('projects/p/global/images/srv-1')
})
