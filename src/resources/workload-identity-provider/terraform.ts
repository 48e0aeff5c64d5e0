/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/iam_workload_identity_pool_provider */
import type { TerraformMapping } from '../terraform.ts'
import type { WorkloadIdentityProviderProps } from './schema.ts'

export const workloadIdentityProviderTerraform: TerraformMapping<WorkloadIdentityProviderProps> = (name, props) => ({
  type: 'google_iam_workload_identity_pool_provider',
  name,
  body: {
    project: props.projectId,
    workload_identity_pool_id: props.poolId,
    workload_identity_pool_provider_id: props.providerId,
    ...(props.displayName === '' ? {} : { display_name: props.displayName }),
    ...(props.description === '' ? {} : { description: props.description }),
    attribute_mapping: props.attributeMapping,
    attribute_condition: props.attributeCondition,
    oidc: { issuer_uri: props.issuerUri },
  },
})
