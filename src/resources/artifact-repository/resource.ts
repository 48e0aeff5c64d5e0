/** What a Python repository is, without a cloud. */
import { part } from '../resource.ts'
import type { Resource } from '../resource.ts'
import type { ArtifactRepositoryProps } from './schema.ts'

export const artifactRepositoryResource: Resource<ArtifactRepositoryProps> = {
  kind: 'artifact-repository',
  identity: (props) => ({ projectId: props.projectId, location: props.location, repository: props.repository }),
  replacing: ['format'],
}

/** `projects/P/locations/L/repositories/R` */
export function repositoryName(identity: Readonly<Record<string, string>>): string {
  return `projects/${part(identity, 'projectId')}/locations/${part(identity, 'location')}/repositories/${part(identity, 'repository')}`
}
