/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/storage_bucket */
import type { TerraformMapping } from '../terraform.ts'
import type { BucketProps } from './schema.ts'

export const bucketTerraform: TerraformMapping<BucketProps> = (name, props) => ({
  type: 'google_storage_bucket',
  name,
  body: {
    project: props.projectId,
    name: props.name,
    location: props.location.toUpperCase(),
    uniform_bucket_level_access: true,
    public_access_prevention: 'enforced',
    labels: props.labels,
  },
})
