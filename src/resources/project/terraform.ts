/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/google_project */
import type { TerraformMapping } from '../terraform.ts'
import type { ProjectProps } from './schema.ts'

/** Terraform adopts the project by import; it must not delete it when the block goes. */
export const projectTerraform: TerraformMapping<ProjectProps> = (name, props) => ({
  type: 'google_project',
  name,
  body: { project_id: props.projectId, name: props.displayName, labels: props.labels, deletion_policy: 'PREVENT' },
})
