/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/google_project_service */
import type { TerraformMapping } from '../terraform.ts'
import type { ServiceProps } from './schema.ts'

export const serviceTerraform: TerraformMapping<ServiceProps> = (name, props) => ({
  type: 'google_project_service',
  name,
  body: { project: props.projectId, service: props.service, disable_on_destroy: false },
})
