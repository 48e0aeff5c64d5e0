/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/identity_platform_config */
import type { TerraformMapping } from '../terraform.ts'
import type { IdentityPlatformProps } from './schema.ts'

export const identityPlatformTerraform: TerraformMapping<IdentityPlatformProps> = (name, props) => ({
  type: 'google_identity_platform_config',
  name,
  body: {
    project: props.projectId,
    authorized_domains: props.authorizedDomains,
    sign_in: {
      ...(props.email ? { email: { enabled: true, password_required: true } } : {}),
      // the provider always reads this block back: without it every plan would have a difference
      phone_number: { enabled: props.phone },
      ...(props.anonymous ? { anonymous: { enabled: true } } : {}),
    },
  },
})
