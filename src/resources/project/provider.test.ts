/** Projects against a fake Resource Manager. */
import { expect, test } from 'vitest'
import { contextOf, kindContract } from '../testing/contract.ts'
import { startFake } from '../testing/fake-google.ts'
import { fakeProjects } from '../testing/fake-management.ts'
import { projectKind } from './provider.ts'
import { projectTerraform } from './terraform.ts'

const labels = { 'managed-by': 'kiln', 'kiln-stack': 'moshi' }
const props = { projectId: 'moshi-3', displayName: 'Moshi', labels }

kindContract(projectKind, {
  fake: fakeProjects,
  props,
  variants: [{ props: { ...props, displayName: 'Moshi three' }, paths: ['displayName'] }],
  drift: { change: (service) => Object.assign(service.table.get('moshi-3'), { name: 'other' }), paths: ['displayName'] },
})

test('a project that was there before is neither renamed nor deleted', async () => {
  const service = fakeProjects()
  service.table.insert('moshi-3', { projectId: 'moshi-3', name: 'Ann’s', lifecycleState: 'ACTIVE', labels: { team: 'a' } })
  const fake = await startFake(service)
  const parsed = projectKind.parse(props)
  expect(projectKind.diff(parsed, await projectKind.create(contextOf(fake), parsed))).toEqual([])
  fake.forgetWrites()
  await projectKind.remove(contextOf(fake), { projectId: 'moshi-3' })
  expect(fake.writes()).toEqual([])
  await fake.close()
})

test('a project that is about to be deleted is brought back', async () => {
  const fake = await startFake(fakeProjects())
  const parsed = projectKind.parse(props)
  await projectKind.create(contextOf(fake), parsed)
  const before = fake.snapshot()
  await projectKind.remove(contextOf(fake), { projectId: 'moshi-3' })
  expect(await projectKind.observe(contextOf(fake), { projectId: 'moshi-3' })).toBeUndefined()
  await projectKind.create(contextOf(fake), parsed)
  expect(fake.snapshot()).toBe(before)
  expect(fake.writes().at(-1)).toMatch(/:undelete$/)
  await fake.close()
})

test('wrong props are named by their path', () => {
  expect(() => projectKind.parse({ projectId: 3, displayName: 'x', labels: {} })).toThrow(/props of a project are not valid: projectId/)
})

test('Terraform', () => {
  expect(projectTerraform('moshi', projectKind.parse(props))).toEqual({
    type: 'google_project',
    name: 'moshi',
    body: { project_id: 'moshi-3', name: 'Moshi', labels, deletion_policy: 'PREVENT' },
  })
})
