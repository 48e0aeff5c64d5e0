/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/artifact_registry_repository_iam */
import type { TerraformMapping } from '../terraform.ts'
import type { ArtifactRepositoryIamMemberProps } from './schema.ts'

export const artifactRepositoryIamMemberTerraform: TerraformMapping<ArtifactRepositoryIamMemberProps> = (name, props) => ({
  type: 'google_artifact_registry_repository_iam_member',
  name,
  body: { project: props.projectId, location: props.location, repository: props.repository, role: props.role, member: props.member },
})
