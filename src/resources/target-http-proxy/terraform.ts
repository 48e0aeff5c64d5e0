/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/compute_target_http_proxy */
import { terraformLink } from '../terraform.ts'
import type { TerraformMapping } from '../terraform.ts'
import type { TargetHttpProxyProps } from './schema.ts'

export const targetHttpProxyTerraform: TerraformMapping<TargetHttpProxyProps> = (name, props) => ({
  type: 'google_compute_target_http_proxy',
  name,
  body: {
    project: props.projectId,
    name: props.name,
    url_map: terraformLink(props.urlMap),
    ...(props.description === '' ? {} : { description: props.description }),
  },
})
