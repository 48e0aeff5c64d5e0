/** Roles on a secret against a fake policy with etags. */
import { expect, test } from 'vitest'
import { kindContract } from '../testing/contract.ts'
import { fakePolicy } from '../testing/fake-management.ts'
import { secretIamMemberKind } from './provider.ts'
import { secretIamMemberTerraform } from './terraform.ts'

const props = { projectId: 'p', secretId: 'token', role: 'roles/secretmanager.secretAccessor', member: 'serviceAccount:a@p.iam.gserviceaccount.com' }

kindContract(secretIamMemberKind, { fake: () => fakePolicy('GET', 'secretmanager.googleapis.com/v1/projects/{p}/secrets/{s}'), props, variants: [] })

test('Terraform', () => {
  expect(secretIamMemberTerraform('x', props)).toEqual({
    type: 'google_secret_manager_secret_iam_member',
    name: 'x',
    body: { project: 'p', secret_id: 'token', role: props.role, member: props.member },
  })
})
