/** Cloud Billing v1. https://cloud.google.com/billing/docs/reference/rest */
import type { Kernel } from '../../kernel/kernel.ts'
import type { Target } from '../../kernel/policy.ts'
import { getPolicy, setPolicy, SetPolicyBody, testPermissions, TestPermissionsBody } from '../../kernel/policy-routes.ts'
import type { AnyRoute, Route, RouteRequest } from '../../kernel/room.ts'
import { BillingInfoBody } from './schema.ts'
import type { BillingLink, BillingService } from './service.ts'

const ACCOUNT = '/v1/billingAccounts/:account(^[^:/]+)'

export function createBillingRoutes(kernel: Kernel, service: BillingService): readonly AnyRoute[] {
  const update: Route<ReturnType<typeof BillingInfoBody.parse>> = {
    id: 'cloudbilling.projects.updateBillingInfo',
    method: 'PUT',
    path: '/v1/projects/:project/billingInfo',
    permission: 'resourcemanager.projects.createBillingAssignment',
    body: BillingInfoBody,
    handler: ({ params, body, principal }) => toInfo(service.link(params['project'] ?? '', body.billingAccountName, principal)),
  }
  const setIamPolicy: Route<ReturnType<typeof SetPolicyBody.parse>> = {
    id: 'cloudbilling.billingAccounts.setIamPolicy',
    method: 'POST',
    path: `${ACCOUNT}::setIamPolicy`,
    permission: 'billing.accounts.setIamPolicy',
    target: accountTarget,
    body: SetPolicyBody,
    handler: ({ params, body }) => setPolicy(kernel, `billingAccounts/${service.checkAccount(params['account'] ?? '')}`, body),
  }
  const test: Route<ReturnType<typeof TestPermissionsBody.parse>> = {
    id: 'cloudbilling.billingAccounts.testIamPermissions',
    method: 'POST',
    path: `${ACCOUNT}::testIamPermissions`,
    permission: 'authenticated',
    target: accountTarget,
    body: TestPermissionsBody,
    handler: (request) => testPermissions(kernel, request.principal, accountTarget(request), request.body.permissions),
  }
  return [
    update,
    setIamPolicy,
    test,
    {
      id: 'cloudbilling.projects.getBillingInfo',
      method: 'GET',
      path: '/v1/projects/:project/billingInfo',
      permission: 'resourcemanager.projects.get',
      handler: ({ params }) => toInfo(service.info(params['project'] ?? '')),
    },
    {
      id: 'cloudbilling.billingAccounts.list',
      method: 'GET',
      path: '/v1/billingAccounts',
      permission: 'authenticated',
      handler({ principal, query }) {
        const { items, nextPageToken } = service.listAccounts(principal, query)
        return { billingAccounts: items.map(toAccount), nextPageToken }
      },
    },
    {
      id: 'cloudbilling.billingAccounts.get',
      method: 'GET',
      path: '/v1/billingAccounts/:account',
      permission: 'billing.accounts.get',
      target: accountTarget,
      handler: ({ params }) => toAccount(service.checkAccount(params['account'] ?? '')),
    },
    {
      id: 'cloudbilling.billingAccounts.getIamPolicy',
      method: 'GET',
      path: `${ACCOUNT}::getIamPolicy`,
      permission: 'billing.accounts.getIamPolicy',
      target: accountTarget,
      handler: ({ params, query }) => getPolicy(kernel, `billingAccounts/${service.checkAccount(params['account'] ?? '')}`, query['options.requestedPolicyVersion']),
    },
    {
      id: 'cloudbilling.billingAccounts.projects.list',
      method: 'GET',
      path: '/v1/billingAccounts/:account/projects',
      permission: 'billing.resourceAssociations.list',
      target: accountTarget,
      handler({ params, query }) {
        const { items, nextPageToken } = service.projectsOf(params['account'] ?? '', query)
        return { projectBillingInfo: items.map(toInfo), nextPageToken }
      },
    },
  ]
}

function accountTarget({ params }: Pick<RouteRequest, 'params'>): Target {
  return { resource: `billingAccounts/${params['account'] ?? ''}` }
}

function toAccount(accountId: string): Record<string, unknown> {
  return { name: `billingAccounts/${accountId}`, open: true, displayName: `Pocket cloud ${accountId}`, masterBillingAccount: '', parent: '', currencyCode: 'USD' }
}

function toInfo({ project, accountId }: BillingLink): Record<string, unknown> {
  return {
    name: `projects/${project.projectId}/billingInfo`,
    projectId: project.projectId,
    billingAccountName: accountId === undefined ? '' : `billingAccounts/${accountId}`,
    billingEnabled: accountId !== undefined,
  }
}
