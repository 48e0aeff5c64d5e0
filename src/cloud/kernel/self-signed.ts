/**
 * Access tokens that service accounts sign for themselves: a JWT by a key of the account, for one service or with scopes, good for at most an hour.
 * https://google.aip.dev/auth/4111
 */
import { verify } from 'node:crypto'
import { parseJwt } from '../../oidc/jwt.ts'
import type { ServiceAccountKeysPort } from './ports.ts'
import { serviceAccountPrincipal } from './principal.ts'
import type { Principal } from './principal.ts'

const MAX_LIFETIME_SECONDS = 3600
const SKEW_SECONDS = 300

/**
 * Who signed a bearer token. Undefined: it is not a JWT at all. A `problem` says what is wrong with one.
 * @param host the Google host that was asked, which the audience must be of
 */
export function verifySelfSigned(
  token: string,
  host: string,
  keys: ServiceAccountKeysPort,
  nowMs: number,
): { readonly principal: Principal } | { readonly problem: string } | undefined {
  const jwt = parseJwt(token)
  if (jwt === undefined) return undefined
  const { iss, sub, aud, scope, iat, exp } = jwt.claims
  if (jwt.header['alg'] !== 'RS256') return { problem: `its algorithm is ${JSON.stringify(jwt.header['alg'])}, not RS256` }
  if (typeof iss !== 'string' || (sub !== undefined && sub !== iss)) return { problem: 'its iss and sub must both be the e-mail of the service account that signed it' }
  const kid = jwt.header['kid']
  const candidates = keys.assertionKeys(iss, typeof kid === 'string' ? kid : undefined)
  if (!candidates.some((key) => verify('RSA-SHA256', jwt.signed, key.publicKeyPem, jwt.signature)))
    return { problem: 'no usable key of the account in its iss verifies its signature' }
  const now = nowMs / 1000
  if (typeof iat !== 'number' || typeof exp !== 'number') return { problem: 'it must have iat and exp' }
  if (exp <= now - SKEW_SECONDS) return { problem: 'it has expired (exp)' }
  if (iat > now + SKEW_SECONDS) return { problem: 'it was issued in the future (iat)' }
  if (exp - iat > MAX_LIFETIME_SECONDS) return { problem: 'it is good for more than an hour (exp - iat)' }
  if (typeof aud === 'string' ? !isFor(aud, host) : typeof scope !== 'string' || scope === '')
    return { problem: `its audience (aud) ${JSON.stringify(aud)} is not https://${host}/` }
  return { principal: serviceAccountPrincipal(iss) }
}

/** By host; clients that use the direct URL of this cloud sign that. */
function isFor(audience: string, host: string): boolean {
  const url = URL.canParse(audience) ? new URL(audience) : undefined
  if (url === undefined) return false
  if (url.protocol === 'https:') return url.host === host
  const isHere = url.hostname === '127.0.0.1' || url.hostname === 'localhost' || url.hostname === '[::1]'
  return url.protocol === 'http:' && isHere && (url.pathname === '/' || url.pathname.split('/')[1] === host)
}
