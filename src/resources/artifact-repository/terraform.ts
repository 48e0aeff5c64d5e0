/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/artifact_registry_repository */
import type { TerraformMapping } from '../terraform.ts'
import type { ArtifactRepositoryProps } from './schema.ts'

export const artifactRepositoryTerraform: TerraformMapping<ArtifactRepositoryProps> = (name, props) => ({
  type: 'google_artifact_registry_repository',
  name,
  body: {
    project: props.projectId,
    location: props.location,
    repository_id: props.repository,
    format: props.format,
    ...(props.description === '' ? {} : { description: props.description }),
    labels: props.labels,
  },
})
