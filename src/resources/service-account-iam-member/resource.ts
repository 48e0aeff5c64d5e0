/** What a role on a service account is, without a cloud. */
import { part } from '../resource.ts'
import type { Resource } from '../resource.ts'
import type { ServiceAccountIamMemberProps } from './schema.ts'

export const serviceAccountIamMemberResource: Resource<ServiceAccountIamMemberProps> = {
  kind: 'service-account-iam-member',
  identity: (props) => ({ projectId: props.projectId, accountId: props.accountId, role: props.role, member: props.member }),
  replacing: [],
}

/** `projects/P/serviceAccounts/EMAIL` */
export function accountName(identity: Readonly<Record<string, string>>): string {
  const projectId = part(identity, 'projectId')
  // a domain-scoped project `example.com:web` becomes `web.example.com`
  const [first, second] = projectId.split(':')
  const domain = second === undefined ? first : `${second}.${first}`
  return `projects/${projectId}/serviceAccounts/${part(identity, 'accountId')}@${domain}.iam.gserviceaccount.com`
}
