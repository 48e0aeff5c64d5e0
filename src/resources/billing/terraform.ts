/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/billing_project_info */
import type { TerraformMapping } from '../terraform.ts'
import type { BillingProps } from './schema.ts'

export const billingTerraform: TerraformMapping<BillingProps> = (name, props) => ({
  type: 'google_billing_project_info',
  name,
  body: { project: props.projectId, billing_account: props.billingAccount },
})
