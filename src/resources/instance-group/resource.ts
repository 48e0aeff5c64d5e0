/** What a managed instance group is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { InstanceGroupProps } from './schema.ts'

export const instanceGroupResource: Resource<InstanceGroupProps> = {
  kind: 'instance-group',
  identity: (props) => ({ projectId: props.projectId, zone: props.zone, name: props.name }),
  replacing: [],
}

/** The size of a group that is made. */
export function firstSize(props: InstanceGroupProps): number {
  return props.targetSize ?? props.firstSize
}
