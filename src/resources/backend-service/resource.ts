/** What a backend service is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { BackendServiceProps } from './schema.ts'

export const backendServiceResource: Resource<BackendServiceProps> = {
  kind: 'backend-service',
  identity: (props) => ({ projectId: props.projectId, name: props.name }),
  replacing: ['loadBalancingScheme'],
}
