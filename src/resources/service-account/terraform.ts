/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/google_service_account */
import type { TerraformMapping } from '../terraform.ts'
import type { ServiceAccountProps } from './schema.ts'

export const serviceAccountTerraform: TerraformMapping<ServiceAccountProps> = (name, props) => ({
  type: 'google_service_account',
  name,
  body: {
    project: props.projectId,
    account_id: props.accountId,
    ...(props.displayName === '' ? {} : { display_name: props.displayName }),
    ...(props.description === '' ? {} : { description: props.description }),
  },
})
