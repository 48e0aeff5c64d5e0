/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/secret_manager_secret_version */
import type { TerraformMapping } from '../terraform.ts'
import type { SecretVersionProps } from './schema.ts'

export const secretVersionTerraform: TerraformMapping<SecretVersionProps> = (_name, props) => ({
  noEquivalent: `in Terraform the value of ${props.secretId} would be in the state file; Kiln adds it as a version of the secret, as does: gcloud secrets versions add ${props.secretId} --data-file=-`,
})
