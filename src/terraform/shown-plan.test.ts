/** What a plan of Terraform's says, told as the engine's: addresses, drift, and what of a replacement is news. */
import { expect, test } from 'vitest'
import { ShownPlan, addressOf, planNodes } from './shown-plan.ts'

interface Given {
  readonly actions: readonly string[]
  readonly before: unknown
  readonly after: unknown
  readonly replacing?: readonly (readonly string[])[]
}

const address = 'module.dev[0].google_compute_instance.vm'

function change({ actions, before, after, replacing = [] }: Given) {
  return {
    address,
    mode: 'managed',
    type: 'google_compute_instance',
    change: { actions, before, after, after_unknown: {}, before_sensitive: false, after_sensitive: false, replace_paths: replacing },
  }
}

function nodes(planned: Given, drift?: Given) {
  const plan = ShownPlan.parse({ terraform_version: '1.11.4', resource_changes: [change(planned)], ...(drift === undefined ? {} : { resource_drift: [change(drift)] }) })
  return planNodes('terraform', plan).map(({ action, drifted, reasons }) => ({ action, drifted, reasons }))
}

test('a module that is there once or not at all is called by its name', () => {
  expect(addressOf('terraform', address)).toBe('dev/google_compute_instance.vm')
  expect(addressOf('terraform', 'module.apis.google_project_service.enabled["compute.googleapis.com"]')).toBe('apis/google_project_service.enabled["compute.googleapis.com"]')
})

test('drift is what the plan puts right, not everything that Terraform finds otherwise than it left it', () => {
  const planned = { actions: ['update'], before: { tags: 'a', status: 'RUNNING' }, after: { tags: 'b', status: 'RUNNING' } }
  expect(nodes(planned, { actions: ['update'], before: { tags: 'a', status: 'STAGING' }, after: { tags: 'a', status: 'RUNNING' } })).toMatchObject([
    { action: 'update', drifted: false },
  ])
  expect(nodes(planned, { actions: ['update'], before: { tags: 'b', status: 'RUNNING' }, after: { tags: 'a', status: 'RUNNING' } })).toMatchObject([
    { action: 'update', drifted: true },
  ])
  const gone = { actions: ['delete'], before: { tags: 'a' }, after: null }
  expect(nodes({ actions: ['create'], before: null, after: { tags: 'a' } }, gone)).toMatchObject([{ action: 'create', drifted: true }])
})

test('of a replacement what the cloud had given the old one is no news; what forces it is, also when it goes', () => {
  const before = { image: 'one', hostname: '', interface: 'SCSI' }
  expect(nodes({ actions: ['delete', 'create'], before, after: { image: 'two', hostname: null, interface: null }, replacing: [['image'], ['interface']] })).toEqual([
    { action: 'replace', drifted: false, reasons: ['image: "one" -> "two"', 'interface: "SCSI" -> nothing'] },
  ])
  expect(nodes({ actions: ['update'], before, after: { image: 'one', hostname: null, interface: 'SCSI' } })).toEqual([
    { action: 'update', drifted: false, reasons: ['hostname: "" -> nothing'] },
  ])
})
