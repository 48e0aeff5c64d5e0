/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/secret_manager_secret */
import type { TerraformMapping } from '../terraform.ts'
import type { SecretProps } from './schema.ts'

export const secretTerraform: TerraformMapping<SecretProps> = (name, props) => ({
  type: 'google_secret_manager_secret',
  name,
  body: { project: props.projectId, secret_id: props.secretId, replication: { auto: {} }, labels: props.labels },
})
