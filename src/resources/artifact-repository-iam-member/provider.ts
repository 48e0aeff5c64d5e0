/** One member in one role on a Python repository. https://cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories/setIamPolicy */
import { iamMemberKind } from '../iam-member-kind.ts'
import { artifactRepositoryIamMemberResource, policyOwner } from './resource.ts'
import { ArtifactRepositoryIamMemberProps } from './schema.ts'

export const artifactRepositoryIamMemberKind = iamMemberKind<ArtifactRepositoryIamMemberProps>({
  resource: artifactRepositoryIamMemberResource,
  schema: ArtifactRepositoryIamMemberProps,
  access(context, identity) {
    const registry = context.clients.artifactRegistry
    const name = policyOwner(identity)
    return {
      read: () => registry.getIamPolicy(name, { signal: context.signal }),
      write: (policy) => registry.setIamPolicy(name, policy, { signal: context.signal }),
      signal: context.signal,
    }
  },
})
