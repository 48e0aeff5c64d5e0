/** One member in one role on a Python repository. https://cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories/setIamPolicy */
import type { Clients } from '../../client/clients.ts'
import { isAbsent, isGone } from '../../client/errors.ts'
import type { KindContext, ResourceKind } from '../../engine/types.ts'
import { addMember, hasMember, removeMember } from '../iam-members.ts'
import type { PolicyAccess } from '../iam-members.ts'
import { parseProps, part } from '../resource.ts'
import { artifactRepositoryIamMemberResource, policyOwner } from './resource.ts'
import { ArtifactRepositoryIamMemberProps } from './schema.ts'
import type { ArtifactRepositoryIamMemberAttributes } from './schema.ts'

export const artifactRepositoryIamMemberKind: ResourceKind<ArtifactRepositoryIamMemberProps, ArtifactRepositoryIamMemberAttributes, Clients> = {
  kind: artifactRepositoryIamMemberResource.kind,
  identity: artifactRepositoryIamMemberResource.identity,
  parse: (props) => parseProps(artifactRepositoryIamMemberResource.kind, ArtifactRepositoryIamMemberProps, props),

  async observe(context, identity) {
    const role = part(identity, 'role')
    const member = part(identity, 'member')
    try {
      return hasMember(await accessTo(context, identity).read(), role, member) ? { role, member } : undefined
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  diff: () => [],

  async create(context, props) {
    await addMember(accessTo(context, artifactRepositoryIamMemberResource.identity(props)), props.role, props.member)
    return { role: props.role, member: props.member }
  },

  update: (context, props) => artifactRepositoryIamMemberKind.create(context, props),

  async remove(context, identity) {
    try {
      await removeMember(accessTo(context, identity), part(identity, 'role'), part(identity, 'member'))
    } catch (error) {
      if (!isGone(error)) throw error
    }
  },
}

function accessTo(context: KindContext<Clients>, identity: Readonly<Record<string, string>>): PolicyAccess {
  const registry = context.clients.artifactRegistry
  const name = policyOwner(identity)
  return {
    read: () => registry.getIamPolicy(name, { signal: context.signal }),
    write: (policy) => registry.setIamPolicy(name, policy, { signal: context.signal }),
    signal: context.signal,
  }
}
