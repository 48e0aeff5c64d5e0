/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/compute_backend_service */
import { terraformLink } from '../terraform.ts'
import type { TerraformMapping } from '../terraform.ts'
import type { BackendServiceProps } from './schema.ts'

export const backendServiceTerraform: TerraformMapping<BackendServiceProps> = (name, props) => ({
  type: 'google_compute_backend_service',
  name,
  body: {
    project: props.projectId,
    name: props.name,
    load_balancing_scheme: props.loadBalancingScheme,
    protocol: 'HTTP',
    port_name: props.portName,
    timeout_sec: props.timeoutSeconds,
    connection_draining_timeout_sec: props.drainingSeconds,
    health_checks: [terraformLink(props.healthCheck)],
    backend: props.groups.map((group) => ({ group: terraformLink(group), balancing_mode: 'UTILIZATION', capacity_scaler: 1 })),
    ...(props.description === '' ? {} : { description: props.description }),
    ...(props.guests.length === 0 ? {} : { lifecycle: { ignore_changes: ['backend'] } }),
  },
})
