/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/compute_instance_template */
import { terraformLink } from '../terraform.ts'
import type { TerraformMapping } from '../terraform.ts'
import type { InstanceTemplateProps } from './schema.ts'

export const instanceTemplateTerraform: TerraformMapping<InstanceTemplateProps> = (name, props) => ({
  type: 'google_compute_instance_template',
  name,
  body: {
    project: props.projectId,
    name: props.name,
    machine_type: props.machineType,
    disk: [
      {
        boot: true,
        auto_delete: true,
        source_image: terraformLink(props.image),
        ...(props.diskSizeGb === undefined ? {} : { disk_size_gb: props.diskSizeGb }),
        labels: props.labels,
      },
    ],
    network_interface: [{ network: props.network, access_config: [{}] }],
    tags: props.tags,
    labels: props.labels,
    metadata: props.metadata,
    ...(props.serviceAccount === undefined ? {} : { service_account: [{ email: props.serviceAccount, scopes: props.scopes }] }),
    ...(props.description === '' ? {} : { description: props.description }),
    lifecycle: props.seed ? { ignore_changes: 'all' } : { create_before_destroy: true },
  },
})
