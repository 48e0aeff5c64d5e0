/**
 * Routes of accounts: those that apps call with the project's API key, and those that servers call for a whole project with Google Cloud credentials.
 * https://cloud.google.com/identity-platform/docs/reference/rest/v1/accounts
 */
import type { Kernel } from '../../kernel/kernel.ts'
import { page } from '../../kernel/paging.ts'
import type { AnyRoute, Route, RouteRequest } from '../../kernel/room.ts'
import { authError } from './errors.ts'
import { apiKeyOf, param } from './routes.config.ts'
import { AccountBody, single } from './schema.ts'
import type { AccountService } from './service.accounts.ts'
import type { ConfigService } from './service.config.ts'
import { IDENTITY_SERVICE } from './service.config.ts'
import type { UserTokenService } from './service.tokens.ts'
import type { Account, StoredConfig } from './store.ts'

type Call = RouteRequest<AccountBody>

export function accountRoutes(kernel: Kernel, configs: ConfigService, accounts: AccountService, tokens: UserTokenService): readonly AnyRoute[] {
  /** The caller's project by the API key. */
  const byKey = (verb: string, handler: (config: StoredConfig, call: Call) => unknown): Route<AccountBody> => ({
    id: `identitytoolkit.accounts.${verb}`,
    method: 'POST',
    path: `/v1/accounts::${verb}`,
    permission: 'public',
    body: AccountBody,
    handler: (call) => handler(configs.ofKey(apiKeyOf(call)), call),
  })
  /** The project by the path, for callers with a permission. */
  const admin = (id: string, verb: string, permission: string, handler: (config: StoredConfig, call: Call) => unknown): Route<AccountBody> => ({
    id: `identitytoolkit.projects.accounts.${id}`,
    method: 'POST',
    path: `/v1/projects/:project/accounts${verb}`,
    permission: `firebaseauth.users.${permission}`,
    body: AccountBody,
    handler: (call) => handler(configs.get(param(call, 'project')), call),
  })
  const own = async (config: StoredConfig, call: Call): Promise<Account> => (await tokens.verify(config.projectId, call.body.idToken ?? '')).account

  return [
    byKey('signUp', async (config, call) => {
      const { account, session } = await accounts.signUp(config, call.body)
      return { kind: 'identitytoolkit#SignupNewUserResponse', localId: account.localId, email: account.email, displayName: account.displayName, ...session }
    }),
    byKey('signInWithPassword', async (config, call) => {
      const { account, session } = await accounts.signIn(config, call.body)
      return {
        kind: 'identitytoolkit#VerifyPasswordResponse',
        localId: account.localId,
        email: account.email,
        displayName: account.displayName ?? '',
        profilePicture: account.photoUrl,
        registered: true,
        ...session,
      }
    }),
    byKey('signInWithCustomToken', async (config, call) => {
      const { session, isNew } = await accounts.signInCustom(config, call.body.token ?? '')
      return { kind: 'identitytoolkit#VerifyCustomTokenResponse', isNewUser: isNew, ...session }
    }),
    byKey('lookup', async (config, call) => ({ kind: 'identitytoolkit#GetAccountInfoResponse', users: [presentUser(await own(config, call))] })),
    byKey('update', async (config, call) => {
      const account = await accounts.update(await own(config, call), config, call.body, false)
      const session = call.body.returnSecureToken === true ? await tokens.signIn(account, account.email === undefined ? 'anonymous' : 'password') : {}
      return { ...presentChange(account), ...session }
    }),
    byKey('delete', async (config, call) => {
      const account = await own(config, call)
      const client = config.config['client'] as { permissions?: { disabledUserDeletion?: boolean } } | undefined
      if (client?.permissions?.disabledUserDeletion === true) throw authError('ADMIN_ONLY_OPERATION')
      accounts.remove(account)
      return { kind: 'identitytoolkit#DeleteAccountResponse' }
    }),
    admin('create', '', 'create', async (config, call) => {
      const account = await accounts.create(config.projectId, call.body)
      return { kind: 'identitytoolkit#SignupNewUserResponse', localId: account.localId, email: account.email, displayName: account.displayName }
    }),
    admin('lookup', '::lookup', 'get', async (config, call) => {
      const found = typeof call.body.idToken === 'string' ? [await own(config, call)] : accounts.find(config.projectId, call.body)
      return { kind: 'identitytoolkit#GetAccountInfoResponse', users: found.length === 0 ? undefined : found.map(presentUser) }
    }),
    admin('update', '::update', 'update', async (config, call) =>
      presentChange(await accounts.update(accounts.get(config.projectId, single(call.body.localId)), config, call.body, true)),
    ),
    admin('delete', '::delete', 'delete', (config, call) => {
      accounts.remove(accounts.get(config.projectId, single(call.body.localId)))
      return { kind: 'identitytoolkit#DeleteAccountResponse' }
    }),
    admin('batchDelete', '::batchDelete', 'delete', (config, call) => {
      const errors = (call.body.localIds ?? []).flatMap((localId, index) => {
        const account = accounts.find(config.projectId, { localId })[0]
        if (account === undefined) return []
        if (!account.disabled && call.body.force !== true) return [{ index, localId, message: 'NOT_DISABLED : Disable the account before batch deletion.' }]
        accounts.remove(account)
        return []
      })
      return errors.length === 0 ? {} : { errors }
    }),
    {
      id: 'identitytoolkit.projects.accounts.batchGet',
      method: 'GET',
      path: '/v1/projects/:project/accounts::batchGet',
      permission: 'firebaseauth.users.get',
      handler(request) {
        const { projectId } = kernel.projects.requireActive(param(request, 'project'), IDENTITY_SERVICE)
        const { items, nextPageToken } = page(
          accounts.list(projectId),
          { pageSize: request.query['maxResults'], pageToken: request.query['nextPageToken'] },
          (account) => account.localId,
          { size: 20, max: 1000 },
        )
        return { kind: 'identitytoolkit#DownloadAccountResponse', users: items.length === 0 ? undefined : items.map(presentUser), nextPageToken }
      },
    },
  ]
}

/** Without the password's hash, which nobody needs here. */
function presentUser(account: Account): Record<string, unknown> {
  const profile = { displayName: account.displayName, photoUrl: account.photoUrl }
  const providers = [
    ...(account.passwordHash === undefined ? [] : [{ providerId: 'password', rawId: account.email, federatedId: account.email, email: account.email, ...profile }]),
    ...(account.phoneNumber === undefined ? [] : [{ providerId: 'phone', rawId: account.phoneNumber, phoneNumber: account.phoneNumber }]),
  ]
  return {
    localId: account.localId,
    email: account.email,
    emailVerified: account.email === undefined ? undefined : account.emailVerified,
    phoneNumber: account.phoneNumber,
    ...profile,
    providerUserInfo: providers.length === 0 ? undefined : providers,
    validSince: String(account.validSince),
    disabled: account.disabled,
    customAttributes: account.customAttributes,
    passwordUpdatedAt: account.passwordUpdatedMs,
    createdAt: String(account.createdMs),
    lastLoginAt: account.lastLoginMs === undefined ? undefined : String(account.lastLoginMs),
    lastRefreshAt: account.lastLoginMs === undefined ? undefined : new Date(account.lastLoginMs).toISOString(),
  }
}

function presentChange(account: Account): Record<string, unknown> {
  const { localId, email, displayName, photoUrl, emailVerified, providerUserInfo } = presentUser(account)
  return { kind: 'identitytoolkit#SetAccountInfoResponse', localId, email, displayName, photoUrl, emailVerified, providerUserInfo }
}
