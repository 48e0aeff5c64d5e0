/** Roles on a service account against a fake policy with etags. */
import { expect, test } from 'vitest'
import { contextOf, kindContract } from '../testing/contract.ts'
import { FakeError, startFake } from '../testing/fake-google.ts'
import { fakePolicy } from '../testing/fake-management.ts'
import { serviceAccountIamMemberKind } from './provider.ts'
import { serviceAccountIamMemberTerraform } from './terraform.ts'

const pool = 'projects/7/locations/global/workloadIdentityPools/github'
const props = { projectId: 'p', accountId: 'deployer', role: 'roles/iam.workloadIdentityUser', principalSet: { pool, attribute: 'repository_id', value: '42' } }
const policy = () => fakePolicy('POST', 'iam.googleapis.com/v1/projects/{p}/serviceAccounts/{email}')

kindContract(serviceAccountIamMemberKind, { fake: policy, props, variants: [] })

test('a principal set becomes the member that policies name', () => {
  expect(serviceAccountIamMemberKind.parse(props)).toEqual({
    projectId: 'p',
    accountId: 'deployer',
    role: 'roles/iam.workloadIdentityUser',
    member: `principalSet://iam.googleapis.com/${pool}/attribute.repository_id/42`,
  })
  expect(() => serviceAccountIamMemberKind.parse({ ...props, member: 'user:a@b.c' })).toThrow('either member or principalSet')
})

test('a pool that policies do not know yet is waited for', async () => {
  const service = policy()
  let refusals = 1
  const routes = service.routes.map((route) => ({
    ...route,
    answer: (request: Parameters<typeof route.answer>[0]) => {
      if (!route.path.endsWith(':setIamPolicy') || refusals === 0) return route.answer(request)
      refusals -= 1
      throw new FakeError(400, 'Identity Pool does not exist (github).')
    },
  }))
  const fake = await startFake({ ...service, routes })
  const parsed = serviceAccountIamMemberKind.parse(props)
  await serviceAccountIamMemberKind.create(contextOf(fake), parsed)
  expect(service.bindings).toContainEqual({ role: parsed.role, members: [parsed.member] })
  await fake.close()
})

test('Terraform', () => {
  const inTerraform = serviceAccountIamMemberKind.parse({ ...props, principalSet: { ...props.principalSet, pool: '${google_iam_workload_identity_pool.github.name}' } })
  expect(serviceAccountIamMemberTerraform('x', inTerraform)).toEqual({
    type: 'google_service_account_iam_member',
    name: 'x',
    body: {
      service_account_id: 'projects/p/serviceAccounts/deployer@p.iam.gserviceaccount.com',
      role: 'roles/iam.workloadIdentityUser',
      member: 'principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.github.name}/attribute.repository_id/42',
    },
  })
})
