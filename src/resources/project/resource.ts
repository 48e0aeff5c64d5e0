/** What a project is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { ProjectProps } from './schema.ts'

export const projectResource: Resource<ProjectProps> = {
  kind: 'project',
  identity: (props) => ({ projectId: props.projectId }),
  replacing: [],
}
