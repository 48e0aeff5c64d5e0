/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/compute_instance */
import { resourcePath } from '../resource.ts'
import type { TerraformMapping } from '../terraform.ts'
import type { InstanceProps } from './schema.ts'

export const instanceTerraform: TerraformMapping<InstanceProps> = (name, props) => ({
  type: 'google_compute_instance',
  name,
  body: {
    project: props.projectId,
    zone: props.zone,
    name: props.name,
    machine_type: props.machineType,
    boot_disk: [
      {
        auto_delete: true,
        initialize_params: [
          { image: props.image.startsWith('${') ? props.image : resourcePath(props.image), ...(props.diskSizeGb === undefined ? {} : { size: props.diskSizeGb }) },
        ],
      },
    ],
    network_interface: [{ network: props.network, access_config: [{}] }],
    tags: props.tags,
    labels: props.labels,
    metadata: props.metadata,
    ...(props.serviceAccount === undefined ? {} : { service_account: [{ email: props.serviceAccount, scopes: props.scopes }] }),
    allow_stopping_for_update: true,
  },
})
