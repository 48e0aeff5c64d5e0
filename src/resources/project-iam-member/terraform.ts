/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/google_project_iam */
import type { TerraformMapping } from '../terraform.ts'
import type { ProjectIamMemberProps } from './schema.ts'

export const projectIamMemberTerraform: TerraformMapping<ProjectIamMemberProps> = (name, props) => ({
  type: 'google_project_iam_member',
  name,
  body: { project: props.projectId, role: props.role, member: props.member },
})
