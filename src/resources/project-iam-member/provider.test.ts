/** Roles on a project against a fake policy with etags. */
import { expect, test } from 'vitest'
import { contextOf, kindContract } from '../testing/contract.ts'
import { startFake } from '../testing/fake-google.ts'
import { fakePolicy } from '../testing/fake-management.ts'
import { projectIamMemberKind } from './provider.ts'
import { projectIamMemberTerraform } from './terraform.ts'

const props = { projectId: 'p', role: 'roles/viewer', member: 'serviceAccount:a@p.iam.gserviceaccount.com' }
const policy = () => fakePolicy('POST', 'cloudresourcemanager.googleapis.com/v1/projects/{p}')

kindContract(projectIamMemberKind, { fake: policy, props, variants: [] })

test('a binding with a condition is somebody else’s and stays', async () => {
  const service = policy()
  const fake = await startFake(service)
  await projectIamMemberKind.create(contextOf(fake), props)
  expect(service.bindings).toContainEqual({ role: 'roles/viewer', members: ['user:bob@example.com'], condition: { title: 'until May' } })
  expect(service.bindings).toContainEqual({ role: 'roles/viewer', members: [props.member] })
  await fake.close()
})

test('many members of one policy at the same time all get in', async () => {
  const service = policy()
  const fake = await startFake(service)
  const members = [1, 2, 3].map((number) => `serviceAccount:a${number}@p.iam.gserviceaccount.com`)
  await Promise.all(members.map((member) => projectIamMemberKind.create(contextOf(fake), { ...props, role: 'roles/editor', member })))
  expect(service.bindings.find((binding) => binding.role === 'roles/editor')?.members.toSorted()).toEqual(members)
  await fake.close()
})

test('Terraform', () => {
  expect(projectIamMemberTerraform('viewer', props)).toEqual({
    type: 'google_project_iam_member',
    name: 'viewer',
    body: { project: 'p', role: 'roles/viewer', member: props.member },
  })
})
