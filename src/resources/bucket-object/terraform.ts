/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/storage_bucket_object */
import type { TerraformMapping } from '../terraform.ts'
import type { BucketObjectProps } from './schema.ts'

/** `source` stays the path that props have: `synth` makes it relative to the folder that it writes. */
export const bucketObjectTerraform: TerraformMapping<BucketObjectProps> = (name, props) => ({
  type: 'google_storage_bucket_object',
  name,
  body: { bucket: props.bucket, name: props.name, source: props.source, content_type: props.contentType, metadata: { 'managed-by': 'kiln' } },
})
