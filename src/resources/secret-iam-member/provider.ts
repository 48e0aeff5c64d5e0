/** One member in one role on a secret. https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets/setIamPolicy */
import { call } from '../../client/errors.ts'
import { iamMemberKind } from '../iam-member-kind.ts'
import { policySchema } from '../iam-members.ts'
import { part } from '../resource.ts'
import { secretIamMemberResource } from './resource.ts'
import { SecretIamMemberProps } from './schema.ts'

export const secretIamMemberKind = iamMemberKind<SecretIamMemberProps>({
  resource: secretIamMemberResource,
  schema: SecretIamMemberProps,
  access(context, identity) {
    const resource = `projects/${part(identity, 'projectId')}/secrets/${part(identity, 'secretId')}`
    const options = { signal: context.signal }
    return {
      read: async () => await call((await context.clients.secretManager()).projects.secrets.getIamPolicy({ resource, 'options.requestedPolicyVersion': 3 }, options)),
      write: async (policy) =>
        await call((await context.clients.secretManager()).projects.secrets.setIamPolicy({ resource, requestBody: { policy: policySchema(policy) } }, options)),
      signal: context.signal,
    }
  },
})
