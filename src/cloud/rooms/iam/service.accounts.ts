/** Service accounts: life cycle, and what follows from it for tokens and policies. */
import { randomInt } from 'node:crypto'
import { newEtag } from '../../../base/ids.ts'
import { alreadyExists, ApiError, failedPrecondition, invalidArgument, notFound } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { page } from '../../kernel/paging.ts'
import type { Page, PageRequest } from '../../kernel/paging.ts'
import type { Project } from '../../kernel/projects.ts'
import type { Account, IamStore } from './store.ts'

const SERVICE = 'iam.googleapis.com'
const ACCOUNT_ID = /^[a-z][a-z0-9-]{4,28}[a-z0-9]$/
const MAX_DISPLAY_NAME_BYTES = 100
const MAX_DESCRIPTION_BYTES = 256
/** How long a deleted account can come back. */
const UNDELETE_DAYS = 30

export interface AccountChange {
  readonly displayName?: string | undefined
  readonly description?: string | undefined
  readonly etag?: string | undefined
}

export type AccountService = ReturnType<typeof createAccountService>

/** The name under which its own IAM policy is kept; other rooms ask iam.serviceAccounts.actAs on it. */
export function policyResource(account: Account): string {
  return `projects/${account.projectId}/serviceAccounts/${account.email}`
}

export function createAccountService(kernel: Kernel, store: IamStore) {
  const { database, policies, projects, tokens } = kernel

  /** `project` is an id, a number or `-`. @throws ApiError 404 */
  function get(project: string, emailOrId: string): Account {
    const account = store.live(emailOrId)
    if (account === undefined || !isIn(account, project)) throw notFound(`Unknown service account: ${emailOrId}`)
    return account
  }

  /** `project` is an id, a number or `-`. */
  function isIn(account: Account, project: string): boolean {
    return project === '-' || projects.find(project)?.projectId === account.projectId
  }

  function add(project: Project, email: string, displayName: string, description: string): Account {
    const account: Account = { uniqueId: newUniqueId(store), email, projectId: project.projectId, displayName, description, disabled: false, etag: newEtag() }
    store.insert(account)
    return account
  }

  function change(project: string, emailOrId: string, edit: (account: Account) => Account): Account {
    return database.transaction(() => {
      const changed = { ...edit(get(project, emailOrId)), etag: newEtag() }
      store.update(changed)
      return changed
    })
  }

  function checkEtag(account: Account, etag: string | undefined): void {
    if (etag !== undefined && etag !== '' && etag !== account.etag) throw new ApiError('ABORTED', 'There were concurrent changes to the service account: its etag is another one.')
  }

  // Compute Engine's default account appears with its API; projects without an organisation have no policy against its editor role
  // (https://cloud.google.com/iam/docs/service-account-types#default).
  projects.onServiceEnabled((project, service) => {
    if (service !== 'compute.googleapis.com') return
    const email = `${project.projectNumber}-compute@developer.gserviceaccount.com`
    if (store.live(email) !== undefined) return
    add(project, email, 'Compute Engine default service account', '')
    policies.grant(`projects/${project.projectId}`, 'roles/editor', `serviceAccount:${email}`)
  })

  policies.checkMembers((member) => {
    const email = /^serviceAccount:(.+)$/.exec(member)?.[1]
    if (email === undefined || !isOurs(email) || store.live(email) !== undefined) return undefined
    return `Service account ${email} does not exist.`
  })

  return {
    get,
    isIn,

    /** Any account, also a deleted one by its unique id, for permission checks. */
    lookup: (emailOrId: string): Account | undefined => store.live(emailOrId) ?? store.any(emailOrId),

    /** @throws ApiError 400, 403, 409 */
    create(projectIdOrNumber: string, accountId: string, request: AccountChange): Account {
      if (!ACCOUNT_ID.test(accountId))
        throw invalidArgument(`Invalid account id ${JSON.stringify(accountId)}: 6 to 30 lowercase letters, digits and dashes, a letter first, no dash at the end.`)
      checkTexts(request)
      return database.transaction(() => {
        const project = projects.requireActive(projectIdOrNumber, SERVICE)
        const email = `${accountId}@${project.projectId}.iam.gserviceaccount.com`
        if (store.live(email) !== undefined) throw alreadyExists(`Service account ${accountId} already exists within project projects/${project.projectId}.`)
        return add(project, email, request.displayName ?? '', request.description ?? '')
      })
    },

    /** By e-mail. @throws ApiError 403 */
    list: (projectIdOrNumber: string, request: PageRequest): Page<Account> =>
      page(store.ofProject(projects.requireActive(projectIdOrNumber, SERVICE).projectId), request, (account) => account.email, { size: 20, max: 100 }),

    /** Changes the given texts. @throws ApiError 400, 404, 409 for an old etag */
    update(project: string, emailOrId: string, edit: AccountChange): Account {
      checkTexts(edit)
      return change(project, emailOrId, (account) => {
        checkEtag(account, edit.etag)
        return { ...account, displayName: edit.displayName ?? account.displayName, description: edit.description ?? account.description }
      })
    },

    /** Ends the tokens of an account that becomes disabled. @throws ApiError 404 */
    setDisabled(project: string, emailOrId: string, disabled: boolean): void {
      database.transaction(() => {
        const account = change(project, emailOrId, (found) => ({ ...found, disabled }))
        if (disabled) tokens.revoke(`serviceAccount:${account.email}`)
      })
    },

    /** Ends its tokens, and marks it in all policies, so that a new account of this name inherits nothing. @throws ApiError 404 */
    remove(project: string, emailOrId: string): void {
      database.transaction(() => {
        const account = change(project, emailOrId, (found) => ({ ...found, deletedAt: new Date().toISOString() }))
        tokens.revoke(`serviceAccount:${account.email}`)
        policies.renameMember(`serviceAccount:${account.email}`, deletedMember(account))
        policies.move(policyResource(account), deletedResource(account))
      })
    },

    /** By unique id. @throws ApiError 400 when another account took the name, 404 */
    undelete(project: string, uniqueId: string): Account {
      return database.transaction(() => {
        const account = store.any(uniqueId)
        const gone = account?.deletedAt === undefined || Date.parse(account.deletedAt) < Date.now() - UNDELETE_DAYS * 86_400_000
        if (account === undefined || gone || !isIn(account, project)) throw notFound(`Unknown service account: ${uniqueId}`)
        if (store.live(account.email) !== undefined) throw failedPrecondition(`Service account ${account.email} exists again: the deleted one cannot come back.`)
        const { deletedAt: _deletedAt, ...live } = { ...account, etag: newEtag() }
        store.update(live)
        policies.move(deletedResource(account), policyResource(account))
        policies.renameMember(deletedMember(account), `serviceAccount:${account.email}`)
        return live
      })
    },
  }

  function isOurs(email: string): boolean {
    const domain = /@([^@]+)\.iam\.gserviceaccount\.com$/.exec(email)?.[1]
    if (domain !== undefined) return !/^(gcp-sa-|gs-project-accounts$)/.test(domain)
    return /^\d+-compute@developer\.gserviceaccount\.com$/.test(email)
  }
}

function deletedMember(account: Account): string {
  return `deleted:serviceAccount:${account.email}?uid=${account.uniqueId}`
}

function deletedResource(account: Account): string {
  return `projects/${account.projectId}/serviceAccounts/${account.uniqueId}`
}

function newUniqueId(store: IamStore): string {
  for (;;) {
    const candidate = `1${String(randomInt(10 ** 10)).padStart(10, '0')}${String(randomInt(10 ** 10)).padStart(10, '0')}`
    if (store.any(candidate) === undefined) return candidate
  }
}

function checkTexts({ displayName, description }: AccountChange): void {
  if (Buffer.byteLength(displayName ?? '') > MAX_DISPLAY_NAME_BYTES) throw invalidArgument(`The display name may have at most ${MAX_DISPLAY_NAME_BYTES} bytes.`)
  if (Buffer.byteLength(description ?? '') > MAX_DESCRIPTION_BYTES) throw invalidArgument(`The description may have at most ${MAX_DESCRIPTION_BYTES} bytes.`)
}
