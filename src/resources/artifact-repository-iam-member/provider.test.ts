/** Roles on a repository against a fake policy with etags. */
import { expect, test } from 'vitest'
import { kindContract } from '../testing/contract.ts'
import { fakePolicy } from '../testing/fake-management.ts'
import { artifactRepositoryIamMemberKind } from './provider.ts'
import { artifactRepositoryIamMemberTerraform } from './terraform.ts'

const props = { projectId: 'p', location: 'us-central1', repository: 'pypi', role: 'roles/artifactregistry.reader', member: 'serviceAccount:a@p.iam.gserviceaccount.com' }

kindContract(artifactRepositoryIamMemberKind, {
  fake: () => fakePolicy('GET', 'artifactregistry.googleapis.com/v1/projects/{p}/locations/{l}/repositories/{r}'),
  props,
  variants: [],
})

test('Terraform', () => {
  expect(artifactRepositoryIamMemberTerraform('reader', props)).toEqual({
    type: 'google_artifact_registry_repository_iam_member',
    name: 'reader',
    body: { project: 'p', location: 'us-central1', repository: 'pypi', role: props.role, member: props.member },
  })
})
