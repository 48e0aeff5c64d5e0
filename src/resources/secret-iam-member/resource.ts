/** What a role on a secret is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { SecretIamMemberProps } from './schema.ts'

export const secretIamMemberResource: Resource<SecretIamMemberProps> = {
  kind: 'secret-iam-member',
  identity: (props) => ({ projectId: props.projectId, secretId: props.secretId, role: props.role, member: props.member }),
  replacing: [],
}
