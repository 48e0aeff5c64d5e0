/** The last step of a workflow's sign-in: the exchanged token acts as a service account, which the account's own policy must let it. https://cloud.google.com/iam/docs/workload-identity-federation */
import { describeError } from '../base/errors.ts'
import type { Clients } from '../client/clients.ts'
import { call, isNotFound, isPermissionDenied } from '../client/errors.ts'
import type { IamBinding } from '../client/iam-types.ts'
import type { FederatedPrincipal } from '../oidc/provider.ts'

/** A service account and who may act as it. */
export interface LiveAccount {
  readonly email: string
  readonly projectId: string
  /** Its own policy's, and those of its project, which count for every account in it. */
  readonly bindings: readonly IamBinding[] | 'missing' | { readonly unavailable: string }
}

export interface AccountFinding {
  readonly status: 'ok' | 'failed'
  readonly message: string
  readonly next?: string
}

/** Roles that hold `iam.serviceAccounts.getAccessToken`. */
const ACTING_ROLES: readonly string[] = ['roles/iam.workloadIdentityUser', 'roles/iam.serviceAccountTokenCreator']

/** Reads both policies. A policy that may not be read is told in what is returned. @throws KilnError E_API, E_NETWORK */
export async function readAccount(clients: Pick<Clients, 'iam' | 'resourceManager'>, projectId: string, email: string): Promise<LiveAccount> {
  const account = { email, projectId }
  const resource = `projects/${projectId}/serviceAccounts/${email}`
  try {
    const own = await call((await clients.iam()).projects.serviceAccounts.getIamPolicy({ resource, 'options.requestedPolicyVersion': 3 }))
    return { ...account, bindings: [...(own.bindings ?? []), ...(await projectBindings(clients, projectId))] }
  } catch (error) {
    if (isNotFound(error)) return { ...account, bindings: 'missing' }
    if (isPermissionDenied(error)) return { ...account, bindings: { unavailable: describeError(error) } }
    throw error
  }
}

/** None where they may not be read: what a workflow needs is on the account itself. */
async function projectBindings(clients: Pick<Clients, 'resourceManager'>, projectId: string): Promise<readonly IamBinding[]> {
  try {
    const requestBody = { options: { requestedPolicyVersion: 3 } }
    const policy = await call((await clients.resourceManager()).projects.getIamPolicy({ resource: projectId, requestBody }))
    return policy.bindings ?? []
  } catch (error) {
    if (isPermissionDenied(error)) return []
    throw error
  }
}

/** Whether the principal may act as the account. A binding with a condition is not evaluated and counts for nothing: Kiln makes none. */
export function examineAccount({ email, projectId, bindings }: LiveAccount, principal: FederatedPrincipal): AccountFinding {
  if (bindings === 'missing') return { status: 'failed', message: `there is no service account ${email}`, next: 'the section `github` of the config and `kiln up` make it' }
  if ('unavailable' in bindings) {
    const next = 'examine it as somebody with roles/iam.securityReviewer on the project'
    return { status: 'failed', message: `the policy of ${email} cannot be read: ${bindings.unavailable}`, next }
  }
  const names = new Set([principal.member, ...principal.sets])
  const acting = bindings.filter((binding) => ACTING_ROLES.includes(binding.role ?? ''))
  const matching = acting.flatMap((binding) => (binding.members ?? []).filter((member) => names.has(member)).map((member) => ({ binding, member })))
  const good = matching.find(({ binding }) => !binding.condition)
  if (good !== undefined) return { status: 'ok', message: `${good.member} acts as ${email} by ${good.binding.role ?? ''}` }
  const wanted = principal.sets.find((set) => set.includes('/attribute.repository')) ?? principal.member
  const next = `kiln up; or: gcloud iam service-accounts add-iam-policy-binding ${email} --project ${projectId} --role roles/iam.workloadIdentityUser --member '${wanted}'`
  if (matching.length > 0) return { status: 'failed', message: `${email} may be acted as only on a condition, which is not evaluated here`, next }
  const others = [...new Set(acting.flatMap(({ members }) => members ?? []))]
  return { status: 'failed', message: `the policy of ${email} names ${others.length === 0 ? 'nobody' : `others: ${others.join(', ')}`}`, next }
}
