/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/secret_manager_secret_iam */
import type { TerraformMapping } from '../terraform.ts'
import type { SecretIamMemberProps } from './schema.ts'

export const secretIamMemberTerraform: TerraformMapping<SecretIamMemberProps> = (name, props) => ({
  type: 'google_secret_manager_secret_iam_member',
  name,
  body: { project: props.projectId, secret_id: props.secretId, role: props.role, member: props.member },
})
