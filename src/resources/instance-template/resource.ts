/** What an instance template is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { InstanceTemplateProps } from './schema.ts'

export const instanceTemplateResource: Resource<InstanceTemplateProps> = {
  kind: 'instance-template',
  identity: (props) => ({ projectId: props.projectId, name: props.name }),
  replacing: ['machineType', 'image', 'diskSizeGb', 'network', 'tags', 'labels', 'metadata', 'serviceAccount', 'scopes', 'description'],
}
