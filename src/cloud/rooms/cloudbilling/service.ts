/** Billing accounts and their links to projects. Nothing costs anything here, so every well-formed account exists and is open. */
import { ApiError, invalidArgument } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { page } from '../../kernel/paging.ts'
import type { Page, PageRequest } from '../../kernel/paging.ts'
import type { Principal } from '../../kernel/principal.ts'
import type { Project } from '../../kernel/projects.ts'
import type { BillingStore } from './store.ts'

/** The one that is listed before any project has another. */
const DEFAULT_ACCOUNT = '000000-AAAAAA-BBBBBB'
const ACCOUNT_ID = /^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$/
const SERVICE = 'cloudbilling.googleapis.com'

export interface BillingLink {
  readonly project: Project
  /** Undefined: billing is off. */
  readonly accountId: string | undefined
}

export type BillingService = ReturnType<typeof createBillingService>

export function createBillingService(kernel: Kernel, store: BillingStore) {
  const { projects, policies } = kernel

  /** @throws ApiError 400 for an id of another form */
  function checkAccount(accountId: string): string {
    if (!ACCOUNT_ID.test(accountId)) throw invalidArgument(`The billing account name billingAccounts/${accountId} is not valid: ids look like ${DEFAULT_ACCOUNT}.`)
    return accountId
  }

  return {
    checkAccount,

    /** The default account and those that were linked, as far as the caller may see them. */
    listAccounts(principal: Principal, request: PageRequest): Page<string> {
      const known = [...new Set([DEFAULT_ACCOUNT, ...store.accounts()])].sort()
      const visible = known.filter((accountId) => policies.can(principal, 'billing.accounts.get', { resource: `billingAccounts/${accountId}` }))
      return page(visible, request, (accountId) => accountId, { size: 100, max: 100 })
    },

    /** @throws ApiError 403 when there is no such project */
    info(idOrNumber: string): BillingLink {
      const project = projects.find(idOrNumber)
      if (project === undefined) throw new ApiError('PERMISSION_DENIED', 'The caller does not have permission')
      return { project, accountId: store.accountOf(project.projectId) }
    },

    /**
     * Links a project to an account (`billingAccounts/ID`), or with '' ends its billing.
     * @throws ApiError 400, 403 without billing.resourceAssociations.create on the account
     */
    link(idOrNumber: string, accountName: string, principal: Principal): BillingLink {
      const project = projects.requireActive(idOrNumber, SERVICE)
      if (accountName === '') {
        store.link(project.projectId, undefined)
        return { project, accountId: undefined }
      }
      const accountId = checkAccount(/^billingAccounts\/([^/]+)$/.exec(accountName)?.[1] ?? accountName)
      policies.require(principal, 'billing.resourceAssociations.create', { resource: `billingAccounts/${accountId}` })
      store.link(project.projectId, accountId)
      return { project, accountId }
    },

    /** The projects that an account pays for, by id. @throws ApiError 400 */
    projectsOf(accountId: string, request: PageRequest): Page<BillingLink> {
      const links = store.projectsOf(checkAccount(accountId)).flatMap((projectId) => projects.find(projectId) ?? [])
      return page(
        links.map((project) => ({ project, accountId })),
        request,
        ({ project }) => project.projectId,
        { size: 100, max: 100 },
      )
    },
  }
}
