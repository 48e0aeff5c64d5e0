/** What an object in a bucket is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { BucketObjectProps } from './schema.ts'

export const bucketObjectResource: Resource<BucketObjectProps> = {
  kind: 'bucket-object',
  identity: (props) => ({ bucket: props.bucket, name: props.name }),
  replacing: [],
}
