/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/identity_platform_default_supported_idp_config */
import type { TerraformMapping } from '../terraform.ts'
import type { IdentityProviderProps } from './schema.ts'

export const identityProviderTerraform: TerraformMapping<IdentityProviderProps> = (_name, props) => ({
  noEquivalent: `in Terraform the client secret of ${props.idpId} would be in the state file; Kiln sends it to Identity Platform itself`,
})
