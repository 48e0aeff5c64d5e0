/** Service accounts and their IAM policies. https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts */
import { invalidArgument } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Target } from '../../kernel/policy.ts'
import { getPolicy, setPolicy, SetPolicyBody, testPermissions, TestPermissionsBody } from '../../kernel/policy-routes.ts'
import type { AnyRoute, Route, RouteRequest } from '../../kernel/room.ts'
import { CreateAccountBody, PatchAccountBody, UpdateAccountBody } from './schema.ts'
import { policyResource } from './service.accounts.ts'
import type { AccountService } from './service.accounts.ts'
import type { Account } from './store.ts'

export const ACCOUNTS = '/v1/projects/:project/serviceAccounts'
const ACCOUNT = `${ACCOUNTS}/:account(^[^:/]+)`

/**
 * Permissions are asked on the account (its own policy and its project's). The project may be `-`: then the account tells it, or for an account that does not exist its
 * e-mail, so that the owner of that project gets 404 and others 403.
 */
export function accountTarget(accounts: AccountService): (request: Pick<RouteRequest, 'params'>) => Target {
  return ({ params }) => {
    const project = params['project'] ?? '-'
    const name = params['account'] ?? ''
    const account = accounts.lookup(name)
    if (account !== undefined && accounts.isIn(account, project)) return { projectId: account.projectId, resource: policyResource(account) }
    if (project !== '-') return { projectId: project }
    const domain = /@([^@]+)\.iam\.gserviceaccount\.com$/.exec(name)?.[1]
    return domain === undefined ? { resource: `projects/-/serviceAccounts/${name}` } : { projectId: domain }
  }
}

export function createAccountRoutes(kernel: Kernel, accounts: AccountService): readonly AnyRoute[] {
  const target = accountTarget(accounts)
  const create: Route<ReturnType<typeof CreateAccountBody.parse>> = {
    id: 'iam.projects.serviceAccounts.create',
    method: 'POST',
    path: ACCOUNTS,
    permission: 'iam.serviceAccounts.create',
    body: CreateAccountBody,
    handler: ({ params, body }) => toAccount(accounts.create(params['project'] ?? '', body.accountId, body.serviceAccount ?? {})),
  }
  const patch: Route<ReturnType<typeof PatchAccountBody.parse>> = {
    id: 'iam.projects.serviceAccounts.patch',
    method: 'PATCH',
    path: `${ACCOUNTS}/:account`,
    permission: 'iam.serviceAccounts.update',
    target,
    body: PatchAccountBody,
    handler({ params, body }) {
      const mask = body.updateMask
        .split(',')
        .map((field) => field.trim().replace('display_name', 'displayName'))
        .filter((field) => field !== '')
      const unknown = mask.find((field) => field !== 'displayName' && field !== 'description')
      if (unknown !== undefined) throw invalidArgument(`The field ${unknown} cannot be updated.`)
      const { displayName, description, etag } = body.serviceAccount
      const has = (field: string): boolean => mask.length === 0 || mask.includes(field)
      return toAccount(
        accounts.update(params['project'] ?? '', params['account'] ?? '', {
          displayName: has('displayName') ? displayName : undefined,
          description: has('description') ? description : undefined,
          etag,
        }),
      )
    },
  }
  const update: Route<ReturnType<typeof UpdateAccountBody.parse>> = {
    id: 'iam.projects.serviceAccounts.update',
    method: 'PUT',
    path: `${ACCOUNTS}/:account`,
    permission: 'iam.serviceAccounts.update',
    target,
    body: UpdateAccountBody,
    handler: ({ params, body }) => toAccount(accounts.update(params['project'] ?? '', params['account'] ?? '', body)),
  }
  return [
    create,
    patch,
    update,
    {
      id: 'iam.projects.serviceAccounts.list',
      method: 'GET',
      path: ACCOUNTS,
      permission: 'iam.serviceAccounts.list',
      handler({ params, query }) {
        const { items, nextPageToken } = accounts.list(params['project'] ?? '', query)
        return { accounts: items.map(toAccount), nextPageToken }
      },
    },
    {
      id: 'iam.projects.serviceAccounts.get',
      method: 'GET',
      path: `${ACCOUNTS}/:account`,
      permission: 'iam.serviceAccounts.get',
      target,
      handler: ({ params }) => toAccount(accounts.get(params['project'] ?? '', params['account'] ?? '')),
    },
    {
      id: 'iam.projects.serviceAccounts.delete',
      method: 'DELETE',
      path: `${ACCOUNTS}/:account`,
      permission: 'iam.serviceAccounts.delete',
      target,
      handler({ params }) {
        accounts.remove(params['project'] ?? '', params['account'] ?? '')
        return {}
      },
    },
    {
      id: 'iam.projects.serviceAccounts.undelete',
      method: 'POST',
      path: `${ACCOUNT}::undelete`,
      permission: 'iam.serviceAccounts.undelete',
      target,
      handler: ({ params }) => ({ restoredAccount: toAccount(accounts.undelete(params['project'] ?? '', params['account'] ?? '')) }),
    },
    ...(['enable', 'disable'] as const).map((verb): AnyRoute => ({
      id: `iam.projects.serviceAccounts.${verb}`,
      method: 'POST',
      path: `${ACCOUNT}::${verb}`,
      permission: `iam.serviceAccounts.${verb}`,
      target,
      handler({ params }) {
        accounts.setDisabled(params['project'] ?? '', params['account'] ?? '', verb === 'disable')
        return {}
      },
    })),
    ...policyRoutes(kernel, accounts),
  ]
}

function policyRoutes(kernel: Kernel, accounts: AccountService): readonly AnyRoute[] {
  const target = accountTarget(accounts)
  const resource = ({ params }: Pick<RouteRequest, 'params'>): string => policyResource(accounts.get(params['project'] ?? '', params['account'] ?? ''))
  const set: Route<ReturnType<typeof SetPolicyBody.parse>> = {
    id: 'iam.projects.serviceAccounts.setIamPolicy',
    method: 'POST',
    path: `${ACCOUNT}::setIamPolicy`,
    permission: 'iam.serviceAccounts.setIamPolicy',
    target,
    body: SetPolicyBody,
    handler: (request) => setPolicy(kernel, resource(request), request.body),
  }
  const test: Route<ReturnType<typeof TestPermissionsBody.parse>> = {
    id: 'iam.projects.serviceAccounts.testIamPermissions',
    method: 'POST',
    path: `${ACCOUNT}::testIamPermissions`,
    permission: 'authenticated',
    target,
    body: TestPermissionsBody,
    handler: (request) => testPermissions(kernel, request.principal, target(request), request.body.permissions),
  }
  return [
    set,
    test,
    {
      id: 'iam.projects.serviceAccounts.getIamPolicy',
      method: 'POST',
      path: `${ACCOUNT}::getIamPolicy`,
      permission: 'iam.serviceAccounts.getIamPolicy',
      target,
      handler: (request) => getPolicy(kernel, resource(request), request.query['options.requestedPolicyVersion']),
    },
  ]
}

function toAccount(account: Account): Record<string, unknown> {
  const { projectId, email, uniqueId, displayName, description, etag, disabled } = account
  return {
    name: `projects/${projectId}/serviceAccounts/${email}`,
    projectId,
    uniqueId,
    email,
    ...(displayName === '' ? {} : { displayName }),
    ...(description === '' ? {} : { description }),
    etag,
    oauth2ClientId: uniqueId,
    ...(disabled ? { disabled } : {}),
  }
}
