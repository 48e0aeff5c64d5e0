/** One member in one role on a service account. https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/setIamPolicy */
import { call } from '../../client/errors.ts'
import { iamMemberKind } from '../iam-member-kind.ts'
import { policySchema } from '../iam-members.ts'
import { accountName, serviceAccountIamMemberResource } from './resource.ts'
import { ServiceAccountIamMemberProps } from './schema.ts'

export const serviceAccountIamMemberKind = iamMemberKind<ServiceAccountIamMemberProps>({
  resource: serviceAccountIamMemberResource,
  schema: ServiceAccountIamMemberProps,
  access(context, identity) {
    const resource = accountName(identity)
    const options = { signal: context.signal }
    return {
      read: async () => await call((await context.clients.iam()).projects.serviceAccounts.getIamPolicy({ resource, 'options.requestedPolicyVersion': 3 }, options)),
      write: async (policy) =>
        await call((await context.clients.iam()).projects.serviceAccounts.setIamPolicy({ resource, requestBody: { policy: policySchema(policy) } }, options)),
      signal: context.signal,
    }
  },
})
