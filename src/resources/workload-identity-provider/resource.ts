/** What a provider of a workload identity pool is, without a cloud. */
import { part } from '../resource.ts'
import type { Resource } from '../resource.ts'
import type { WorkloadIdentityProviderProps } from './schema.ts'

export const workloadIdentityProviderResource: Resource<WorkloadIdentityProviderProps> = {
  kind: 'workload-identity-provider',
  identity: (props) => ({ projectId: props.projectId, poolId: props.poolId, providerId: props.providerId }),
  replacing: [],
}

/** `projects/P/locations/global/workloadIdentityPools/ID` */
export function parentName(identity: Readonly<Record<string, string>>): string {
  return `projects/${part(identity, 'projectId')}/locations/global/workloadIdentityPools/${part(identity, 'poolId')}`
}

/** `projects/P/locations/global/workloadIdentityPools/ID/providers/ID` */
export function providerName(identity: Readonly<Record<string, string>>): string {
  return `${parentName(identity)}/providers/${part(identity, 'providerId')}`
}
