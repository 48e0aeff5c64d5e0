/** What a role on a bucket is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { BucketIamMemberProps } from './schema.ts'

export const bucketIamMemberResource: Resource<BucketIamMemberProps> = {
  kind: 'bucket-iam-member',
  identity: (props) => ({ bucket: props.bucket, role: props.role, member: props.member }),
  replacing: [],
}
