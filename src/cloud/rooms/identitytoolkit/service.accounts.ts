/** Accounts of a project's users: made and changed by themselves (API key, own ID token) or by the project's administrators. */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import type { ScryptOptions } from 'node:crypto'
import { shortId } from '../../../base/ids.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { authError } from './errors.ts'
import { checkClaims, single } from './schema.ts'
import type { AccountBody } from './schema.ts'
import { verifyCustomToken } from './service.custom.ts'
import type { SignedIn, UserTokenService } from './service.tokens.ts'
import type { Account, IdentityStore, StoredConfig } from './store.ts'

const COST: ScryptOptions = { N: 2 ** 14, r: 8, p: 1 }
const HASH_BYTES = 64
export interface AccountService {
  /** By an app: with e-mail and password, without them anonymous; with an ID token, what is missing is added to that account. @throws ApiError 400 */
  signUp(config: StoredConfig, body: AccountBody): Promise<{ readonly account: Account; readonly session: SignedIn }>
  /** @throws ApiError 400 */
  signIn(config: StoredConfig, body: AccountBody): Promise<{ readonly account: Account; readonly session: SignedIn }>
  /** With a custom token, whose user is made at its first sign-in. @throws ApiError 400 */
  signInCustom(config: StoredConfig, token: string): Promise<{ readonly account: Account; readonly session: SignedIn; readonly isNew: boolean }>
  /** By an administrator. @throws ApiError 400 */
  create(projectId: string, body: AccountBody): Promise<Account>
  /** `isAdmin`: also what users may not set themselves. @throws ApiError 400 */
  update(account: Account, config: StoredConfig, body: AccountBody, isAdmin: boolean): Promise<Account>
  /** By id. @throws ApiError 400 USER_NOT_FOUND */
  get(projectId: string, localId: string | undefined): Account
  /** All that have one of these ids, e-mails or numbers. */
  find(projectId: string, body: AccountBody): readonly Account[]
  list(projectId: string): readonly Account[]
  remove(account: Account): void
}

export function createAccountService(kernel: Kernel, store: IdentityStore, tokens: UserTokenService): AccountService {
  const { database } = kernel

  function requireFree(config: StoredConfig | undefined, projectId: string, email: string | undefined, phoneNumber: string | undefined, localId: string | undefined): void {
    const allowsDuplicates = signInOf(config)['allowDuplicateEmails'] === true
    if (email !== undefined && !allowsDuplicates && store.accountsByEmail(projectId, email).some((each) => each.localId !== localId)) throw authError('EMAIL_EXISTS')
    const owner = phoneNumber === undefined ? undefined : store.accountByPhone(projectId, phoneNumber)
    if (owner !== undefined && owner.localId !== localId) throw authError('PHONE_NUMBER_EXISTS')
  }

  async function insert(config: StoredConfig | undefined, projectId: string, body: AccountBody, isAdmin: boolean): Promise<Account> {
    const email = checkEmail(single(body.email))
    const phoneNumber = isAdmin ? checkPhone(single(body.phoneNumber)) : undefined
    const secret = body.password === undefined || body.password === null ? {} : await hashPassword(checkPassword(body.password))
    const wanted = isAdmin ? single(body.localId) : undefined
    if (wanted !== undefined && wanted.length > 128) throw authError('INVALID_LOCAL_ID')
    const account: Account = {
      projectId,
      localId: wanted ?? newLocalId(),
      ...(email === undefined ? {} : { email }),
      ...(phoneNumber === undefined ? {} : { phoneNumber }),
      emailVerified: isAdmin && body.emailVerified === true,
      ...textOf('displayName', body.displayName),
      ...textOf('photoUrl', body.photoUrl),
      disabled: isAdmin && body.disabled === true,
      ...(isAdmin && typeof body.customAttributes === 'string' ? { customAttributes: checkClaims(body.customAttributes) } : {}),
      ...secret,
      validSince: Math.floor(Date.now() / 1000),
      createdMs: Date.now(),
    }
    return database.transaction(() => {
      if (store.findAccount(projectId, account.localId) !== undefined) throw authError('DUPLICATE_LOCAL_ID')
      requireFree(config, projectId, email, phoneNumber, undefined)
      store.putAccount(account)
      return account
    })
  }

  function accountOf(projectId: string, localId: string | undefined): Account {
    const account = localId === undefined ? undefined : store.findAccount(projectId, localId)
    if (account === undefined) throw authError('USER_NOT_FOUND')
    return account
  }

  /** Notes the time; the account as it is now, since hashing took a moment. */
  function noteLogin(account: Account): Account {
    return database.transaction(() => {
      const current = store.findAccount(account.projectId, account.localId)
      if (current === undefined) throw authError('USER_NOT_FOUND')
      if (current.disabled) throw authError('USER_DISABLED')
      const changed: Account = { ...current, lastLoginMs: Date.now() }
      store.putAccount(changed)
      return changed
    })
  }

  async function update(account: Account, config: StoredConfig, body: AccountBody, isAdmin: boolean): Promise<Account> {
    const email = checkEmail(single(body.email))
    const phoneNumber = isAdmin ? checkPhone(single(body.phoneNumber)) : undefined
    const secret = body.password === undefined || body.password === null || body.password === '' ? undefined : await hashPassword(checkPassword(body.password))
    const customAttributes = isAdmin && typeof body.customAttributes === 'string' ? checkClaims(body.customAttributes) : undefined
    const removed = new Set(body.deleteAttribute ?? [])
    return database.transaction(() => {
      const current = store.findAccount(account.projectId, account.localId)
      if (current === undefined) throw authError('USER_NOT_FOUND')
      requireFree(config, account.projectId, email, phoneNumber, account.localId)
      const isNewEmail = email !== undefined && email !== current.email
      const since = isAdmin && body.validSince !== undefined && body.validSince !== null ? Number(body.validSince) : undefined
      const changed: Account = {
        ...without(current, [...(removed.has('DISPLAY_NAME') ? ['displayName'] : []), ...(removed.has('PHOTO_URL') ? ['photoUrl'] : [])]),
        ...textOf('displayName', body.displayName),
        ...textOf('photoUrl', body.photoUrl),
        ...(email === undefined ? {} : { email }),
        ...(phoneNumber === undefined ? {} : { phoneNumber }),
        emailVerified: isAdmin && typeof body.emailVerified === 'boolean' ? body.emailVerified : isNewEmail ? false : current.emailVerified,
        disabled: isAdmin ? (body.disableUser ?? body.disabled ?? current.disabled) : current.disabled,
        ...(customAttributes === undefined ? {} : { customAttributes }),
        ...secret,
        // Who changes the password ends all sessions.
        validSince: since ?? (secret === undefined ? current.validSince : Math.floor(Date.now() / 1000)),
      }
      store.putAccount(changed)
      return changed
    })
  }

  return {
    async signUp(config, body) {
      const permissions = config.config['client'] as { permissions?: { disabledUserSignup?: boolean } } | undefined
      const hasEmail = single(body.email) !== undefined
      if (typeof body.idToken === 'string' && body.idToken !== '') {
        requireEnabled(config, 'email')
        const { account } = await tokens.verify(config.projectId, body.idToken)
        if (single(body.email) === undefined) throw authError('MISSING_EMAIL')
        const linked = noteLogin(await update(account, config, { ...body, password: requirePassword(body.password) }, false))
        return { account: linked, session: await tokens.signIn(linked, 'password') }
      }
      if (permissions?.permissions?.disabledUserSignup === true) throw authError('ADMIN_ONLY_OPERATION')
      requireEnabled(config, hasEmail || typeof body.password === 'string' ? 'email' : 'anonymous')
      if (typeof body.password === 'string' && !hasEmail) throw authError('MISSING_EMAIL')
      const account = noteLogin(await insert(config, config.projectId, hasEmail ? { ...body, password: requirePassword(body.password) } : body, false))
      return { account, session: await tokens.signIn(account, hasEmail ? 'password' : 'anonymous') }
    },
    async signIn(config, body) {
      requireEnabled(config, 'email')
      const email = checkEmail(single(body.email))
      if (email === undefined) throw authError('INVALID_EMAIL')
      const password = requirePassword(body.password)
      const isPrivate = (config.config['emailPrivacyConfig'] as { enableImprovedEmailPrivacy?: boolean } | undefined)?.enableImprovedEmailPrivacy === true
      const candidates = store.accountsByEmail(config.projectId, email)
      // An unknown address costs the same time as a wrong password, so that nobody learns which exist.
      if (candidates.length === 0) await hashPassword(password)
      for (const account of candidates) {
        if (!(await isPassword(account, password))) continue
        const signedIn = noteLogin(account)
        return { account: signedIn, session: await tokens.signIn(signedIn, 'password') }
      }
      throw authError(isPrivate ? 'INVALID_LOGIN_CREDENTIALS' : candidates.length === 0 ? 'EMAIL_NOT_FOUND' : 'INVALID_PASSWORD')
    },
    async signInCustom(config, token) {
      const { uid, claims } = await verifyCustomToken(kernel, config.projectId, token)
      const isNew = store.findAccount(config.projectId, uid) === undefined
      const account = noteLogin(isNew ? await insert(config, config.projectId, { localId: uid }, true) : accountOf(config.projectId, uid))
      return { account, session: await tokens.signIn(account, 'custom', claims), isNew }
    },
    create: (projectId, body) => insert(store.findConfig(projectId), projectId, body, true),
    update,
    get: accountOf,
    find(projectId, body) {
      const found = [
        ...listOf(body.localId).map((localId) => store.findAccount(projectId, localId)),
        ...listOf(body.email).flatMap((email) => store.accountsByEmail(projectId, email.toLowerCase())),
        ...listOf(body.phoneNumber).map((phoneNumber) => store.accountByPhone(projectId, phoneNumber)),
      ].filter((each) => each !== undefined)
      return [...new Map(found.map((each) => [each.localId, each])).values()]
    },
    list: (projectId) => store.listAccounts(projectId),
    remove: (account) => store.removeAccount(account),
  }
}

function signInOf(config: StoredConfig | undefined): Readonly<Record<string, unknown>> {
  return (config?.config['signIn'] ?? {}) as Record<string, unknown>
}

function requireEnabled(config: StoredConfig, method: 'email' | 'anonymous'): void {
  const settings = signInOf(config)[method] as { enabled?: boolean } | undefined
  if (settings?.enabled !== true) throw authError(method === 'email' ? 'OPERATION_NOT_ALLOWED' : 'ADMIN_ONLY_OPERATION')
}

function listOf(value: string | readonly string[] | null | undefined): readonly string[] {
  return typeof value === 'string' ? [value] : (value ?? [])
}

/** Firebase's ids are 28 letters and digits. */
function newLocalId(): string {
  return shortId(28)
}

function checkEmail(email: string | undefined): string | undefined {
  if (email === undefined) return undefined
  if (email.length > 256 || !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(email)) throw authError('INVALID_EMAIL')
  return email.toLowerCase()
}

function checkPhone(phoneNumber: string | undefined): string | undefined {
  if (phoneNumber === undefined) return undefined
  if (!/^\+\d{6,15}$/.test(phoneNumber)) throw authError('INVALID_PHONE_NUMBER')
  return phoneNumber
}

function requirePassword(password: string | null | undefined): string {
  if (password === undefined || password === null || password === '') throw authError('MISSING_PASSWORD')
  return password
}

function checkPassword(password: string): string {
  if (password.length < 6) throw authError('WEAK_PASSWORD', 'Password should be at least 6 characters')
  if (password.length > 4096) throw authError('PASSWORD_DOES_NOT_MEET_REQUIREMENTS', 'Password should be at most 4096 characters')
  return password
}

function textOf<Name extends string>(name: Name, value: string | null | undefined): Partial<Record<Name, string>> {
  return typeof value === 'string' && value !== '' ? ({ [name]: value } as Partial<Record<Name, string>>) : {}
}

function without(account: Account, names: readonly string[]): Account {
  return Object.fromEntries(Object.entries(account).filter(([name]) => !names.includes(name))) as unknown as Account
}

async function hashPassword(password: string): Promise<{ readonly passwordHash: string; readonly salt: string; readonly passwordUpdatedMs: number }> {
  const salt = randomBytes(16)
  return { passwordHash: (await derive(password, salt)).toString('base64'), salt: salt.toString('base64'), passwordUpdatedMs: Date.now() }
}

async function isPassword(account: Account, password: string): Promise<boolean> {
  if (account.passwordHash === undefined || account.salt === undefined) return false
  return timingSafeEqual(await derive(password, Buffer.from(account.salt, 'base64')), Buffer.from(account.passwordHash, 'base64'))
}

function derive(password: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => scrypt(password, salt, HASH_BYTES, COST, (error, key) => (error === null ? resolve(key) : reject(error))))
}
