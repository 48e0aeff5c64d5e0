/** ID tokens of users, signed with a key of its own, and the refresh tokens that give new ones. https://firebase.google.com/docs/auth/admin/verify-id-tokens */
import { createPublicKey, generateKeyPair, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { importPKCS8, jwtVerify, SignJWT } from 'jose'
import { newSecret, sha256Hex } from '../../../base/ids.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { selfSignedCertificate } from '../../kernel/x509.ts'
import { authError } from './errors.ts'
import type { Account, IdentityStore, SigningKey } from './store.ts'

export const TOKEN_SIGNER = 'securetoken@system.gserviceaccount.com'
const LIFETIME_SECONDS = 3600
const makeKeyPair = promisify(generateKeyPair)

export interface SignedIn {
  readonly idToken: string
  readonly refreshToken: string
  /** Seconds, as text. */
  readonly expiresIn: string
}

export interface UserTokenService {
  /** A session that begins now, signed in by `provider` (`password`, `anonymous`, `custom`). `claims`: JSON text of what all its ID tokens carry. */
  signIn(account: Account, provider: string, claims?: string): Promise<SignedIn>
  /** @throws ApiError 400 TOKEN_EXPIRED, INVALID_REFRESH_TOKEN, USER_DISABLED, USER_NOT_FOUND */
  refresh(projectId: string, refreshToken: string): Promise<SignedIn & { readonly account: Account }>
  /** Whose token it is. @throws ApiError 400 INVALID_ID_TOKEN, TOKEN_EXPIRED, USER_DISABLED, USER_NOT_FOUND */
  verify(projectId: string, idToken: string): Promise<{ readonly account: Account; readonly provider: string }>
  /** Certificates by key id. */
  certificates(): Promise<Record<string, string>>
  /** The same as a JSON Web Key Set. */
  keySet(): Promise<Record<string, unknown>>
}

export function createUserTokenService(kernel: Kernel, store: IdentityStore): UserTokenService {
  let making: Promise<SigningKey> | undefined

  /** Made at first use; one for all projects, as on Google. */
  async function key(): Promise<SigningKey> {
    const existing = store.key()
    if (existing !== undefined) return existing
    making ??= makeKey()
    return making
  }

  async function makeKey(): Promise<SigningKey> {
    const { publicKey, privateKey } = await makeKeyPair('rsa', { modulusLength: 2048 })
    const made: SigningKey = {
      keyId: randomBytes(20).toString('hex'),
      privatePem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      certificatePem: selfSignedCertificate({ commonName: TOKEN_SIGNER.replace('@', '.'), privateKey, validFrom: new Date(), validTo: new Date('9999-12-31T23:59:59Z') }),
    }
    store.insertKey(made)
    return made
  }

  async function mint(account: Account, provider: string, authTime: number, claims: string): Promise<string> {
    const { keyId, privatePem } = await key()
    const now = Math.floor(Date.now() / 1000)
    const identities: Record<string, readonly string[]> = {
      ...(account.phoneNumber === undefined ? {} : { phone: [account.phoneNumber] }),
      ...(account.email === undefined ? {} : { email: [account.email] }),
    }
    return new SignJWT({
      ...(JSON.parse(claims) as Record<string, unknown>),
      ...(JSON.parse(account.customAttributes ?? '{}') as Record<string, unknown>),
      name: account.displayName,
      picture: account.photoUrl,
      iss: issuerOf(account.projectId),
      aud: account.projectId,
      auth_time: authTime,
      user_id: account.localId,
      sub: account.localId,
      iat: now,
      exp: now + LIFETIME_SECONDS,
      ...(account.email === undefined ? {} : { email: account.email, email_verified: account.emailVerified }),
      ...(account.phoneNumber === undefined ? {} : { phone_number: account.phoneNumber }),
      ...(provider === 'anonymous' ? { provider_id: 'anonymous' } : {}),
      firebase: { identities, sign_in_provider: provider },
    })
      .setProtectedHeader({ alg: 'RS256', kid: keyId, typ: 'JWT' })
      .sign(await importPKCS8(privatePem, 'RS256'))
  }

  /** @throws ApiError 400 */
  function usable(projectId: string, localId: string, issuedAt: number): Account {
    const account = store.findAccount(projectId, localId)
    if (account === undefined) throw authError('USER_NOT_FOUND')
    if (account.disabled) throw authError('USER_DISABLED')
    if (issuedAt < account.validSince) throw authError('TOKEN_EXPIRED')
    return account
  }

  return {
    async signIn(account, provider, claims = '{}') {
      const authTime = Math.floor(Date.now() / 1000)
      const refreshToken = `AMf-${newSecret()}`
      const idToken = await mint(account, provider, authTime, claims)
      // Signing took a moment: the account may be gone, and with it the right to a token.
      kernel.database.transaction(() => {
        usable(account.projectId, account.localId, authTime)
        store.insertRefreshToken({ hash: sha256Hex(refreshToken), projectId: account.projectId, localId: account.localId, provider, authTime, claims })
      })
      return { idToken, refreshToken, expiresIn: String(LIFETIME_SECONDS) }
    },
    async refresh(projectId, refreshToken) {
      const token = store.findRefreshToken(sha256Hex(refreshToken))
      if (token === undefined || token.projectId !== projectId) throw authError('INVALID_REFRESH_TOKEN')
      const account = usable(projectId, token.localId, token.authTime)
      return { account, idToken: await mint(account, token.provider, token.authTime, token.claims), refreshToken, expiresIn: String(LIFETIME_SECONDS) }
    },
    async verify(projectId, idToken) {
      const { publicPem } = await key()
      let payload: Record<string, unknown>
      try {
        const verified = await jwtVerify(idToken, createPublicKey(publicPem), { algorithms: ['RS256'], issuer: issuerOf(projectId), audience: projectId })
        payload = verified.payload
      } catch (error) {
        throw authError(error instanceof Error && 'code' in error && error.code === 'ERR_JWT_EXPIRED' ? 'TOKEN_EXPIRED' : 'INVALID_ID_TOKEN')
      }
      const { sub, auth_time: authTime, firebase } = payload
      const provider = typeof firebase === 'object' && firebase !== null && 'sign_in_provider' in firebase ? String(firebase.sign_in_provider) : 'password'
      return { account: usable(projectId, String(sub), Number(authTime)), provider }
    },
    async certificates() {
      const { keyId, certificatePem } = await key()
      return { [keyId]: certificatePem }
    },
    async keySet() {
      const { keyId, publicPem } = await key()
      return { keys: [{ ...createPublicKey(publicPem).export({ format: 'jwk' }), kid: keyId, alg: 'RS256', use: 'sig' }] }
    },
  }
}

function issuerOf(projectId: string): string {
  return `https://securetoken.google.com/${projectId}`
}
