/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/compute_health_check */
import type { TerraformMapping } from '../terraform.ts'
import type { HealthCheckProps } from './schema.ts'

export const healthCheckTerraform: TerraformMapping<HealthCheckProps> = (name, props) => ({
  type: 'google_compute_health_check',
  name,
  body: {
    project: props.projectId,
    name: props.name,
    check_interval_sec: props.intervalSeconds,
    timeout_sec: props.timeoutSeconds,
    healthy_threshold: props.healthyThreshold,
    unhealthy_threshold: props.unhealthyThreshold,
    http_health_check: [{ port: props.port, port_specification: 'USE_FIXED_PORT', request_path: props.requestPath }],
    ...(props.description === '' ? {} : { description: props.description }),
  },
})
