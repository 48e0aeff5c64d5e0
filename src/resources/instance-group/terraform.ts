/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/compute_instance_group_manager */
import { terraformLink } from '../terraform.ts'
import type { TerraformMapping } from '../terraform.ts'
import { firstSize } from './resource.ts'
import { firstPolicy } from './schema.ts'
import type { InstanceGroupProps } from './schema.ts'

export const instanceGroupTerraform: TerraformMapping<InstanceGroupProps> = (name, props) => {
  const policy = props.updatePolicy ?? firstPolicy
  return {
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
          type: policy.type,
          minimal_action: policy.minimalAction,
          replacement_method: policy.replacementMethod,
          max_surge_fixed: policy.maxSurge,
          max_unavailable_fixed: policy.maxUnavailable,
        },
      ],
      ...(props.description === '' ? {} : { description: props.description }),
      // versions belong to the deployer, and so do size and policy where the config says none
      lifecycle: {
        ignore_changes: ['version', ...(props.targetSize === undefined ? ['target_size'] : []), ...(props.updatePolicy === undefined ? ['update_policy'] : [])],
      },
    },
  }
}
