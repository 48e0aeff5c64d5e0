/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/compute_target_https_proxy */
import { terraformLink } from '../terraform.ts'
import type { TerraformMapping } from '../terraform.ts'
import type { TargetHttpsProxyProps } from './schema.ts'

export const targetHttpsProxyTerraform: TerraformMapping<TargetHttpsProxyProps> = (name, props) => ({
  type: 'google_compute_target_https_proxy',
  name,
  body: {
    project: props.projectId,
    name: props.name,
    url_map: terraformLink(props.urlMap),
    ssl_certificates: props.certificates.map(terraformLink),
    ...(props.description === '' ? {} : { description: props.description }),
  },
})
