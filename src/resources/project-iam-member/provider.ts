/** One member in one role on the project. https://cloud.google.com/resource-manager/reference/rest/v1/projects/setIamPolicy */
import { call } from '../../client/errors.ts'
import { iamMemberKind } from '../iam-member-kind.ts'
import { policySchema } from '../iam-members.ts'
import { part } from '../resource.ts'
import { projectIamMemberResource } from './resource.ts'
import { ProjectIamMemberProps } from './schema.ts'

export const projectIamMemberKind = iamMemberKind<ProjectIamMemberProps>({
  resource: projectIamMemberResource,
  schema: ProjectIamMemberProps,
  access(context, identity) {
    const resource = part(identity, 'projectId')
    const options = { signal: context.signal }
    return {
      // version 3 shows conditions, so that writing back does not lose them
      read: async () => await call((await context.clients.resourceManager()).projects.getIamPolicy({ resource, requestBody: { options: { requestedPolicyVersion: 3 } } }, options)),
      write: async (policy) => await call((await context.clients.resourceManager()).projects.setIamPolicy({ resource, requestBody: { policy: policySchema(policy) } }, options)),
      signal: context.signal,
    }
  },
})
