/** One member in one role on the project. https://cloud.google.com/resource-manager/reference/rest/v1/projects/setIamPolicy */
import type { Clients } from '../../client/clients.ts'
import { call, isAbsent, isGone } from '../../client/errors.ts'
import type { IamPolicy } from '../../client/iam-types.ts'
import type { KindContext, ResourceKind } from '../../engine/types.ts'
import { addMember, hasMember, removeMember } from '../iam-members.ts'
import type { PolicyAccess } from '../iam-members.ts'
import { parseProps, part } from '../resource.ts'
import { projectIamMemberResource } from './resource.ts'
import { ProjectIamMemberProps } from './schema.ts'
import type { ProjectIamMemberAttributes } from './schema.ts'

export const projectIamMemberKind: ResourceKind<ProjectIamMemberProps, ProjectIamMemberAttributes, Clients> = {
  kind: projectIamMemberResource.kind,
  identity: projectIamMemberResource.identity,
  parse: (props) => parseProps(projectIamMemberResource.kind, ProjectIamMemberProps, props),

  async observe(context, identity) {
    const role = part(identity, 'role')
    const member = part(identity, 'member')
    try {
      return hasMember(await accessTo(context, part(identity, 'projectId')).read(), role, member) ? { role, member } : undefined
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  diff: () => [],

  async create(context, props) {
    await addMember(accessTo(context, props.projectId), props.role, props.member)
    return { role: props.role, member: props.member }
  },

  update: (context, props) => projectIamMemberKind.create(context, props),

  async remove(context, identity) {
    try {
      await removeMember(accessTo(context, part(identity, 'projectId')), part(identity, 'role'), part(identity, 'member'))
    } catch (error) {
      if (!isGone(error)) throw error
    }
  },
}

function accessTo(context: KindContext<Clients>, resource: string): PolicyAccess {
  return {
    async read() {
      const manager = await context.clients.resourceManager()
      // version 3 shows conditions, so that writing back does not lose them
      return await call(manager.projects.getIamPolicy({ resource, requestBody: { options: { requestedPolicyVersion: 3 } } }, { signal: context.signal }))
    },
    async write(policy) {
      const manager = await context.clients.resourceManager()
      return await call(manager.projects.setIamPolicy({ resource, requestBody: { policy: toSchema(policy) } }, { signal: context.signal }))
    },
    signal: context.signal,
  }
}

function toSchema(policy: IamPolicy) {
  const bindings = (policy.bindings ?? []).map((binding) => ({
    role: binding.role ?? '',
    members: [...(binding.members ?? [])],
    ...(binding.condition === undefined || binding.condition === null ? {} : { condition: binding.condition }),
  }))
  return { version: 3, etag: policy.etag ?? null, bindings }
}
