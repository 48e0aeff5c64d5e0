import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import type { Plan, PlanNode } from '../../app/plan-types.ts'
import { planSummary, renderPlan } from './plan.ts'

function node(action: PlanNode['action'], address: PlanNode['address'], reasons: readonly string[] = [], drifted = false): PlanNode {
  return { address, kind: 'any', action, reasons, differences: [], drifted, after: [] }
}

const plan: Plan = {
  stack: 'moshi-3',
  nodes: [
    node('noop', 'project/moshi-3'),
    node('create', 'bucket/moshi-storage', ['does not exist']),
    node('create', 'service/compute.googleapis.com', ['does not exist']),
    node('update', 'image/moshi-srv', ['key: 1a2b -> 3c4d', 'wheel moshi-server 0.1.0 -> 0.2.0']),
    node('update', 'firewall/health', ['ports: 80 -> 8080', 'ranges: none -> 0.0.0.0/0'], true),
    node('replace', 'instance/moshi-dev', ['image changes (known after apply)']),
    node('delete', 'secret/old', ['no longer in the config']),
    node('forget', 'python-package/gone'),
  ],
}

/** Not a terminal: no colours. */
const pipe = new PassThrough() as unknown as NodeJS.WriteStream

test('one line per resource that changes, further reasons under the first', () => {
  expect(renderPlan(plan, pipe)).toBe(`  + create  bucket/moshi-storage  does not exist
  + create  service/compute.googleapis.com  does not exist
  ~ update  image/moshi-srv  key: 1a2b -> 3c4d
                             wheel moshi-server 0.1.0 -> 0.2.0
  ~ update  firewall/health (drift: changed outside of Kiln)  ports: 80 -> 8080
                                                              ranges: none -> 0.0.0.0/0
  ± replace instance/moshi-dev  image changes (known after apply)
  - delete  secret/old  no longer in the config
  x forget  python-package/gone
2 to create, 2 to update, 1 to replace, 1 to delete, 1 to forget (1 unchanged)`)
})

test('counts by action; nothing to change when all is as it should be', () => {
  expect(planSummary(plan)).toBe('2 to create, 2 to update, 1 to replace, 1 to delete, 1 to forget')
  const quiet = { stack: 'moshi-3', nodes: [node('noop', 'project/moshi-3'), node('noop', 'bucket/b')] }
  expect(planSummary(quiet)).toBe('nothing to change')
  expect(renderPlan(quiet, pipe)).toBe('nothing to change (2 unchanged)')
  expect(renderPlan({ stack: 'empty', nodes: [] }, pipe)).toBe('nothing to change')
})
