/** What a health check is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { HealthCheckProps } from './schema.ts'

export const healthCheckResource: Resource<HealthCheckProps> = {
  kind: 'health-check',
  identity: (props) => ({ projectId: props.projectId, name: props.name }),
  replacing: [],
}
