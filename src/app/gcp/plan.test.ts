/** A plan that was made again is only carried out when it is the one that was shown. */
import { expect, test } from 'vitest'
import type { PlanNode } from '../../engine/types.ts'
import { imageLink, requireAsShown, withBakes } from './plan.ts'

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

test('an image whose wheel or base will be another is baked, and the plan says so; what a stopped run left is no bake', () => {
  const image = (family: string, action: PlanNode['action'], after: readonly PlanNode['address'][], more: Partial<PlanNode> = {}): PlanNode => ({
    ...node(`image/${family}`, action),
    kind: 'image',
    after,
    ...more,
  })
  const planned = (nodes: readonly PlanNode[]) =>
    withBakes({ plan: { stack: 's', nodes }, desired: new Map(), observed: new Map(), props: new Map() }).plan.nodes.map(({ address, action, reasons }) => [
      address,
      action,
      reasons,
    ])
  const wheel = (action: PlanNode['action']): PlanNode => ({ ...node('python-package/app', action), kind: 'python-package' })
  const leftover = { differences: [{ path: 'older images', from: 'x', to: 'removed' }] }

  const above = [image('base', 'noop', []), image('srv', 'noop', ['image/base', 'python-package/app']), image('top', 'update', ['image/srv'], leftover)]
  expect(planned([wheel('update'), ...above])).toEqual([
    ['python-package/app', 'update', []],
    ['image/base', 'noop', []],
    ['image/srv', 'update', ['baked when python-package/app is there']],
    ['image/top', 'update', ['baked when image/srv is there']],
  ])
  expect(planned([wheel('noop'), ...above]).map(([, action]) => action)).toEqual(['noop', 'noop', 'noop', 'update'])
  expect(planned([wheel('noop'), image('base', 'create', []), image('srv', 'noop', ['image/base'])]).map(([, action]) => action)).toEqual(['noop', 'create', 'update'])
})

test('images are named as Terraform takes them', () => {
  expect(imageLink('p', 'srv-1')).toBe('projects/p/global/images/srv-1')
})
