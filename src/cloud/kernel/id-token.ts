/** OpenID Connect tokens of service accounts, as the token endpoint, the credentials API and the metadata server hand them out. https://cloud.google.com/docs/authentication/token-types#id */
import { notFound } from './api-error.ts'
import type { Kernel } from './kernel.ts'

export const ID_TOKEN_ISSUER = 'https://accounts.google.com'
const LIFETIME_SECONDS = 3600

/**
 * A signed token (RS256, an hour) for `audience`; its public keys are served at www.googleapis.com/oauth2/v3/certs.
 * @throws ApiError 404 for an unknown account, 403 for a disabled one
 */
export async function mintIdToken(kernel: Kernel, email: string, audience: string, options: { readonly includeEmail: boolean }): Promise<string> {
  const accounts = kernel.ports.use('serviceAccounts')
  const account = accounts.find(email)
  if (account === undefined) throw notFound(`Unknown service account: ${email}`)
  const issuedAt = Math.floor(Date.now() / 1000)
  return accounts.signJwt(account.email, {
    aud: audience,
    azp: account.uniqueId,
    ...(options.includeEmail ? { email: account.email, email_verified: true } : {}),
    exp: issuedAt + LIFETIME_SECONDS,
    iat: issuedAt,
    iss: ID_TOKEN_ISSUER,
    sub: account.uniqueId,
  })
}
