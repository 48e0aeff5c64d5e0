/** One member in one role on a bucket. https://cloud.google.com/storage/docs/json_api/v1/buckets/setIamPolicy */
import { call } from '../../client/errors.ts'
import { iamMemberKind } from '../iam-member-kind.ts'
import { policySchema } from '../iam-members.ts'
import { part } from '../resource.ts'
import { bucketIamMemberResource } from './resource.ts'
import { BucketIamMemberProps } from './schema.ts'

export const bucketIamMemberKind = iamMemberKind<BucketIamMemberProps>({
  resource: bucketIamMemberResource,
  schema: BucketIamMemberProps,
  access(context, identity) {
    const bucket = part(identity, 'bucket')
    const options = { signal: context.signal }
    return {
      read: async () => await call((await context.clients.storage()).buckets.getIamPolicy({ bucket, optionsRequestedPolicyVersion: 3 }, options)),
      write: async (policy) => await call((await context.clients.storage()).buckets.setIamPolicy({ bucket, requestBody: policySchema(policy) }, options)),
      signal: context.signal,
    }
  },
})
