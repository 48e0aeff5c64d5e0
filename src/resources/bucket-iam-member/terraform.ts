/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/storage_bucket_iam */
import type { TerraformMapping } from '../terraform.ts'
import type { BucketIamMemberProps } from './schema.ts'

export const bucketIamMemberTerraform: TerraformMapping<BucketIamMemberProps> = (name, props) => ({
  type: 'google_storage_bucket_iam_member',
  name,
  body: { bucket: props.bucket, role: props.role, member: props.member },
})
