/** Roles on a bucket against a fake policy with etags. */
import { expect, test } from 'vitest'
import { kindContract } from '../testing/contract.ts'
import { fakeBucketPolicy } from '../testing/fake-management.ts'
import { bucketIamMemberKind } from './provider.ts'
import { bucketIamMemberTerraform } from './terraform.ts'

const props = { bucket: 'images', role: 'roles/storage.objectAdmin', member: 'serviceAccount:a@p.iam.gserviceaccount.com' }

kindContract(bucketIamMemberKind, { fake: fakeBucketPolicy, props, variants: [] })

test('Terraform', () => {
  expect(bucketIamMemberTerraform('x', props)).toEqual({ type: 'google_storage_bucket_iam_member', name: 'x', body: props })
})
