/** Turns signed assertions of service accounts, and the owner's refresh token, into tokens. */
import { createHash, createPublicKey, timingSafeEqual, verify } from 'node:crypto'
import { ID_TOKEN_ISSUER, mintIdToken } from '../../kernel/id-token.ts'
import { parseJwt } from '../../../oidc/jwt.ts'
import type { Jwt } from '../../../oidc/jwt.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { PublicKeyInfo } from '../../kernel/ports.ts'
import { ownerPrincipal, serviceAccountPrincipal } from '../../kernel/principal.ts'
import type { Principal } from '../../kernel/principal.ts'
import { OauthError } from './errors.ts'
import { AssertionClaims, JwtHeader } from './schema.ts'

export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform'
/** Google's own names of this endpoint, and the direct URL, whose port may be another one since the key file was written. */
const AUDIENCES =
  /^(https:\/\/oauth2\.googleapis\.com\/token|https:\/\/www\.googleapis\.com\/oauth2\/v4\/token|https:\/\/accounts\.google\.com\/o\/oauth2\/token|http:\/\/(127\.0\.0\.1|localhost|\[::1\]):\d+\/oauth2\.googleapis\.com\/token)$/
const MAX_LIFETIME_SECONDS = 3600
const SKEW_SECONDS = 300
const TIMES = 'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.'

export type OauthService = ReturnType<typeof createOauthService>

export function createOauthService(kernel: Kernel, ownerRefreshToken: () => string | undefined) {
  const { ports, tokens } = kernel

  /** Synchronous from the look at the account to the token, so that an account that is disabled or deleted meanwhile keeps none. */
  function fromAssertion(assertion: string): Record<string, unknown> | { readonly email: string; readonly audience: string } {
    const jwt = parseJwt(assertion)
    const header = JwtHeader.safeParse(jwt?.header)
    const parsed = AssertionClaims.safeParse(jwt?.claims)
    if (jwt === undefined || !header.success || !parsed.success) throw new OauthError('invalid_grant', 'Bad Request: the assertion is not a JWT with iss, aud, iat and exp.')
    const claims = parsed.data
    const account = ports.use('serviceAccounts').find(claims.iss)
    if (account === undefined) throw new OauthError('invalid_grant', 'Invalid grant: account not found')
    if (account.disabled) throw new OauthError('invalid_grant', `Account disabled: ${account.email}`)
    const keys = ports.use('serviceAccountKeys').assertionKeys(account.email, header.data.kid)
    if (header.data.alg !== 'RS256' || !keys.some((key) => isSignedBy(jwt, key))) throw new OauthError('invalid_grant', 'Invalid JWT Signature.')
    checkTimes(claims.iat, claims.exp)
    if (!AUDIENCES.test(claims.aud))
      throw new OauthError('invalid_grant', `Invalid JWT: Failed audience check. The right audience is https://oauth2.googleapis.com/token, not ${claims.aud}`)
    if (claims.sub !== undefined && claims.sub !== claims.iss) {
      throw new OauthError(
        'unauthorized_client',
        'Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.',
        401,
      )
    }
    if (claims.target_audience !== undefined && claims.target_audience !== '') return { email: account.email, audience: claims.target_audience }
    const scopes = (claims.scope ?? '').split(/\s+/).filter((scope) => scope !== '')
    if (scopes.length === 0) throw new OauthError('invalid_scope', 'Invalid OAuth scope or ID token audience provided.')
    return mint(serviceAccountPrincipal(account.email), scopes)
  }

  function mint(principal: Principal, scopes: readonly string[]): Record<string, unknown> {
    const { accessToken, expiresInSeconds } = tokens.mint(principal, { scopes })
    return { access_token: accessToken, expires_in: expiresInSeconds - 1, token_type: 'Bearer' }
  }

  return {
    /** The grant of a key file. @throws OauthError */
    async jwtBearer(assertion: string): Promise<Record<string, unknown>> {
      const result = fromAssertion(assertion)
      if (!('audience' in result && 'email' in result)) return result
      return { id_token: await mintIdToken(kernel, String(result.email), String(result.audience), { includeEmail: true }) }
    },

    /** The grant of the owner's own credentials. @throws OauthError */
    refresh(refreshToken: string): Record<string, unknown> {
      const expected = ownerRefreshToken()
      if (expected === undefined || expected === '' || !isEqual(refreshToken, expected)) throw new OauthError('invalid_grant', 'Token has been expired or revoked.')
      return { ...mint(ownerPrincipal, [CLOUD_PLATFORM]), scope: CLOUD_PLATFORM }
    },

    /** Ends an access token; the owner's refresh token stays, since it is a file of this cloud. @throws OauthError */
    revoke(token: string): Record<string, unknown> {
      if (!tokens.end(token)) throw new OauthError('invalid_token', 'Token expired or revoked')
      return {}
    },

    /** @throws OauthError when it is not a valid token of this cloud */
    accessTokenInfo(accessToken: string): Record<string, unknown> {
      const info = tokens.verify(accessToken)
      // Google's endpoint does not know the tokens of federated identities either: those are asked about at the token exchange.
      if (info === undefined || !hasEmail(info.principal)) throw new OauthError('invalid_token', 'Invalid Value')
      const subject = subjectOf(info.principal)
      const expiresAt = Math.floor(info.expiresAtMs / 1000)
      return {
        azp: subject,
        aud: subject,
        sub: subject,
        scope: info.scopes.join(' '),
        exp: String(expiresAt),
        expires_in: String(Math.max(0, expiresAt - Math.floor(Date.now() / 1000))),
        email: info.principal.email,
        email_verified: 'true',
        access_type: 'online',
      }
    },

    /** The same in the words of the second version, which Google describes. @throws OauthError when it is not a valid token of this cloud */
    oldAccessTokenInfo(accessToken: string): Record<string, unknown> {
      const { aud, sub, scope, expires_in: expiresIn, email } = this.accessTokenInfo(accessToken)
      return { issued_to: aud, audience: aud, user_id: sub, scope, expires_in: Number(expiresIn), email, verified_email: true }
    },

    /** The same about an identity token. @throws OauthError when this cloud did not sign it, or it has expired */
    oldIdTokenInfo(idToken: string): Record<string, unknown> {
      const { azp, aud, sub, exp, email, email_verified: isVerified } = this.idTokenInfo(idToken)
      return {
        issued_to: azp ?? aud,
        audience: aud,
        user_id: sub,
        expires_in: Math.max(0, Number(exp) - Math.floor(Date.now() / 1000)),
        ...(email === undefined ? {} : { email, verified_email: isVerified === 'true' }),
      }
    },

    /** @throws OauthError when this cloud did not sign it, or it has expired */
    idTokenInfo(idToken: string): Record<string, unknown> {
      const jwt = parseJwt(idToken)
      const header = JwtHeader.safeParse(jwt?.header)
      const key = header.success
        ? ports
            .use('serviceAccountKeys')
            .issuerKeys()
            .find((each) => each.keyId === header.data.kid)
        : undefined
      const claims = AssertionClaims.safeParse(jwt?.claims)
      const isValid =
        jwt !== undefined &&
        key !== undefined &&
        claims.success &&
        header.data?.alg === 'RS256' &&
        isSignedBy(jwt, key) &&
        claims.data.iss === ID_TOKEN_ISSUER &&
        claims.data.exp > Date.now() / 1000
      if (!isValid) throw new OauthError('invalid_token', 'Invalid Value')
      return { ...Object.fromEntries(Object.entries(claims.data).map(([name, value]) => [name, String(value)])), alg: 'RS256', kid: key.keyId, typ: 'JWT' }
    },

    userInfo: (principal: Principal): Record<string, unknown> => ({ sub: subjectOf(principal), ...(hasEmail(principal) ? { email: principal.email, email_verified: true } : {}) }),

    /** The same in the words of the first versions. */
    oldUserInfo: (principal: Principal): Record<string, unknown> => ({
      id: subjectOf(principal),
      ...(hasEmail(principal) ? { email: principal.email, verified_email: true } : {}),
    }),

    /** What clients of OpenID Connect look up about the issuer of identity tokens. */
    discovery: (): Record<string, unknown> => ({
      issuer: ID_TOKEN_ISSUER,
      authorization_endpoint: 'https://accounts.google.com/o/oauth2/v2/auth',
      token_endpoint: 'https://oauth2.googleapis.com/token',
      userinfo_endpoint: 'https://openidconnect.googleapis.com/v1/userinfo',
      revocation_endpoint: 'https://oauth2.googleapis.com/revoke',
      jwks_uri: 'https://www.googleapis.com/oauth2/v3/certs',
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      scopes_supported: ['openid', 'email'],
      claims_supported: ['aud', 'email', 'email_verified', 'exp', 'iat', 'iss', 'sub'],
      grant_types_supported: ['refresh_token', JWT_BEARER],
    }),

    /** Public keys: those that identity tokens are checked with, or all of one account. */
    keySet(email?: string): { keys: readonly Record<string, unknown>[] } {
      return { keys: publicKeys(email).map((key) => ({ ...createPublicKey(key.publicKeyPem).export({ format: 'jwk' }), kid: key.keyId, alg: 'RS256', use: 'sig' })) }
    },

    /** The same as certificates by key id. */
    certificates: (email?: string): Record<string, string> => Object.fromEntries(publicKeys(email).map((key) => [key.keyId, key.certificatePem])),
  }

  function publicKeys(email: string | undefined): readonly PublicKeyInfo[] {
    const port = ports.use('serviceAccountKeys')
    if (email === undefined) return port.issuerKeys()
    return [...new Map([...port.managedKeys(email), ...port.assertionKeys(email)].map((key) => [key.keyId, key])).values()]
  }

  function subjectOf(principal: Principal): string {
    const account = principal.member.startsWith('serviceAccount:') ? ports.use('serviceAccounts').find(principal.email) : undefined
    return account?.uniqueId ?? String(createHash('sha256').update(principal.member).digest().readBigUInt64BE())
  }
}

/** Federated identities have none. */
function hasEmail(principal: Principal): boolean {
  return /^(user|serviceAccount):/.test(principal.member)
}

function isSignedBy(jwt: Jwt, key: PublicKeyInfo): boolean {
  return verify('RSA-SHA256', jwt.signed, key.publicKeyPem, jwt.signature)
}

function checkTimes(issuedAt: number, expiresAt: number): void {
  const now = Date.now() / 1000
  const isReasonable =
    expiresAt > now - SKEW_SECONDS &&
    issuedAt < now + SKEW_SECONDS &&
    expiresAt > issuedAt &&
    expiresAt - issuedAt <= MAX_LIFETIME_SECONDS &&
    issuedAt > now - MAX_LIFETIME_SECONDS - SKEW_SECONDS
  if (!isReasonable) throw new OauthError('invalid_grant', TIMES)
}

/** In constant time, whatever the lengths. */
function isEqual(one: string, other: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(one), digest(other))
}
