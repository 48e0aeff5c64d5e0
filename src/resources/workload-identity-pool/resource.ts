/** What a workload identity pool is, without a cloud. */
import { part } from '../resource.ts'
import type { Resource } from '../resource.ts'
import type { WorkloadIdentityPoolProps } from './schema.ts'

export const workloadIdentityPoolResource: Resource<WorkloadIdentityPoolProps> = {
  kind: 'workload-identity-pool',
  identity: (props) => ({ projectId: props.projectId, poolId: props.poolId }),
  replacing: [],
}

/** `projects/P/locations/global/workloadIdentityPools/ID` */
export function poolName(identity: Readonly<Record<string, string>>): string {
  return `projects/${part(identity, 'projectId')}/locations/global/workloadIdentityPools/${part(identity, 'poolId')}`
}
