/** What a role on a project is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { ProjectIamMemberProps } from './schema.ts'

export const projectIamMemberResource: Resource<ProjectIamMemberProps> = {
  kind: 'project-iam-member',
  identity: (props) => ({ projectId: props.projectId, role: props.role, member: props.member }),
  replacing: [],
}
