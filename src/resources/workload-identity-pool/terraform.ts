/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/iam_workload_identity_pool */
import type { TerraformMapping } from '../terraform.ts'
import type { WorkloadIdentityPoolProps } from './schema.ts'

export const workloadIdentityPoolTerraform: TerraformMapping<WorkloadIdentityPoolProps> = (name, props) => ({
  type: 'google_iam_workload_identity_pool',
  name,
  body: {
    project: props.projectId,
    workload_identity_pool_id: props.poolId,
    ...(props.displayName === '' ? {} : { display_name: props.displayName }),
    ...(props.description === '' ? {} : { description: props.description }),
  },
})
