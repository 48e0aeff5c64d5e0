/** What a role on a Python repository is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { ArtifactRepositoryIamMemberProps } from './schema.ts'

export const artifactRepositoryIamMemberResource: Resource<ArtifactRepositoryIamMemberProps> = {
  kind: 'artifact-repository-iam-member',
  identity: (props) => ({ projectId: props.projectId, location: props.location, repository: props.repository, role: props.role, member: props.member }),
  replacing: [],
}

/** `projects/P/locations/L/repositories/R` */
export function policyOwner(identity: Readonly<Record<string, string>>): string {
  return `projects/${identity['projectId']}/locations/${identity['location']}/repositories/${identity['repository']}`
}
