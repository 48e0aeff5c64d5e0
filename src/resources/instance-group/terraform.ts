/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/compute_instance_group_manager */
import { terraformLink } from '../terraform.ts'
import type { TerraformMapping } from '../terraform.ts'
import { firstSize } from './resource.ts'
import type { InstanceGroupProps } from './schema.ts'

export const instanceGroupTerraform: TerraformMapping<InstanceGroupProps> = (name, props) => ({
  type: 'google_compute_instance_group_manager',
  name,
  body: {
    project: props.projectId,
    zone: props.zone,
    name: props.name,
    base_instance_name: props.baseInstanceName,
    version: [{ instance_template: terraformLink(props.template) }],
    target_size: firstSize(props),
    named_port: Object.entries(props.namedPorts).map(([portName, port]) => ({ name: portName, port })),
    ...(props.autoHealing === undefined
      ? {}
      : { auto_healing_policies: [{ health_check: terraformLink(props.autoHealing.healthCheck), initial_delay_sec: props.autoHealing.initialDelaySeconds }] }),
    update_policy: [
      {
        type: props.updatePolicy.type,
        minimal_action: props.updatePolicy.minimalAction,
        replacement_method: props.updatePolicy.replacementMethod,
        max_surge_fixed: props.updatePolicy.maxSurge,
        max_unavailable_fixed: props.updatePolicy.maxUnavailable,
      },
    ],
    ...(props.description === '' ? {} : { description: props.description }),
    // versions belong to the deployer, and so does the size where the config says none
    lifecycle: { ignore_changes: props.targetSize === undefined ? ['version', 'target_size'] : ['version'] },
  },
})
