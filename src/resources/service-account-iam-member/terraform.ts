/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/google_service_account_iam */
import type { TerraformMapping } from '../terraform.ts'
import { accountName } from './resource.ts'
import type { ServiceAccountIamMemberProps } from './schema.ts'

export const serviceAccountIamMemberTerraform: TerraformMapping<ServiceAccountIamMemberProps> = (name, props) => ({
  type: 'google_service_account_iam_member',
  name,
  body: { service_account_id: accountName({ projectId: props.projectId, accountId: props.accountId }), role: props.role, member: props.member },
})
