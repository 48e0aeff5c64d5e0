/** What a bucket is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { BucketProps } from './schema.ts'

export const bucketResource: Resource<BucketProps> = {
  kind: 'bucket',
  identity: (props) => ({ projectId: props.projectId, name: props.name }),
  replacing: ['location'],
}
