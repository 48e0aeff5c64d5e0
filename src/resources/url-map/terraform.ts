/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/compute_url_map */
import { terraformLink } from '../terraform.ts'
import type { TerraformMapping } from '../terraform.ts'
import { matcherName } from './resource.ts'
import type { UrlMapProps } from './schema.ts'

export const urlMapTerraform: TerraformMapping<UrlMapProps> = (name, props) => ({
  type: 'google_compute_url_map',
  name,
  body: {
    project: props.projectId,
    name: props.name,
    default_service: terraformLink(props.defaultService),
    ...(props.hostRules.length === 0
      ? {}
      : {
          host_rule: props.hostRules.map((rule, index) => ({ hosts: rule.hosts, path_matcher: matcherName(index) })),
          path_matcher: props.hostRules.map((rule, index) => ({
            name: matcherName(index),
            ...('service' in rule
              ? { default_service: terraformLink(rule.service) }
              : { default_url_redirect: [{ https_redirect: true, redirect_response_code: 'MOVED_PERMANENTLY_DEFAULT', strip_query: false }] }),
          })),
        }),
    ...(props.description === '' ? {} : { description: props.description }),
  },
})
