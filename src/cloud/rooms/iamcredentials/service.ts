/** Short-lived credentials of service accounts for callers who may act as them. */
import { ApiError, invalidArgument, notFound } from '../../kernel/api-error.ts'
import { decodeBase64 } from '../../kernel/base64.ts'
import { mintIdToken } from '../../kernel/id-token.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { ServiceAccountInfo } from '../../kernel/ports.ts'
import type { Target } from '../../kernel/policy.ts'
import { serviceAccountPrincipal } from '../../kernel/principal.ts'
import type { Principal } from '../../kernel/principal.ts'

const SERVICE = 'iamcredentials.googleapis.com'
const DELEGATE = /^(?:projects\/-\/serviceAccounts\/)([^/]+)$/
const MAX_LIFETIME_SECONDS = 3600
const MAX_JWT_LIFETIME_SECONDS = 12 * 3600

export type CredentialsService = ReturnType<typeof createCredentialsService>

export function createCredentialsService(kernel: Kernel) {
  const accounts = () => kernel.ports.use('serviceAccounts')

  /** @throws ApiError 404, 403 when it is disabled */
  function usable(emailOrId: string): ServiceAccountInfo {
    const account = accounts().find(emailOrId)
    if (account === undefined) throw notFound(`Not found; Gaia id not found for email ${emailOrId}`)
    if (account.disabled) throw new ApiError('PERMISSION_DENIED', `Service account ${account.email} is disabled.`)
    return account
  }

  function targetOf(account: ServiceAccountInfo): Target {
    return { projectId: account.projectId, resource: `projects/${account.projectId}/serviceAccounts/${account.email}` }
  }

  return {
    targetOf,

    /**
     * A chain of delegates: the caller may delegate to the first, each to the next, and the last has `permission` on the account.
     * https://cloud.google.com/iam/docs/create-short-lived-credentials-delegated
     * @throws ApiError 400, 403, 404
     */
    checkChain(caller: Principal, delegates: readonly string[], emailOrId: string, permission: string): void {
      let current = caller
      for (const delegate of delegates) {
        const name = DELEGATE.exec(delegate)?.[1]
        if (name === undefined) throw invalidArgument(`Invalid delegate ${JSON.stringify(delegate)}: it must have the form projects/-/serviceAccounts/ACCOUNT_EMAIL_OR_UNIQUEID.`)
        const account = usable(name)
        kernel.policies.require(current, 'iam.serviceAccounts.implicitDelegation', targetOf(account))
        current = serviceAccountPrincipal(account.email)
      }
      const target = targetOf(usable(emailOrId))
      kernel.policies.require(current, permission, target)
      kernel.projects.requireService(kernel.projects.requireActive(target.projectId ?? '', SERVICE).projectId, SERVICE)
    },

    find: (emailOrId: string): ServiceAccountInfo | undefined => accounts().find(emailOrId),

    /** `lifetime` is a duration such as `3600s`. @throws ApiError 400, 403, 404 */
    accessToken(emailOrId: string, scopes: readonly string[], lifetime: string | undefined): { accessToken: string; expireTime: string } {
      if (scopes.length === 0) throw invalidArgument('At least one scope is required.')
      const lifetimeSeconds = parseLifetime(lifetime)
      const { accessToken, expiresAtMs } = kernel.tokens.mint(serviceAccountPrincipal(usable(emailOrId).email), { scopes, lifetimeSeconds })
      return { accessToken, expireTime: new Date(Math.floor(expiresAtMs / 1000) * 1000).toISOString().replace('.000Z', 'Z') }
    },

    /** @throws ApiError 400, 403, 404 */
    async idToken(emailOrId: string, audience: string, includeEmail: boolean): Promise<{ token: string }> {
      if (audience === '') throw invalidArgument('The audience is required.')
      return { token: await mintIdToken(kernel, usable(emailOrId).email, audience, { includeEmail }) }
    },

    /** Signs the claims as they are. @throws ApiError 400, 403, 404 */
    async signJwt(emailOrId: string, payload: string): Promise<{ keyId: string; signedJwt: string }> {
      checkClaims(payload)
      const { keyId, jwt } = await kernel.ports.use('serviceAccountKeys').signClaims(usable(emailOrId).email, payload)
      return { keyId, signedJwt: jwt }
    },

    /** Signs bytes given in base64. @throws ApiError 400, 403, 404 */
    async signBlob(emailOrId: string, payload: string): Promise<{ keyId: string; signedBlob: string }> {
      const bytes = decodeBase64(payload, 'payload')
      if (bytes.length === 0) throw invalidArgument('The payload is required, in base64.')
      const { keyId, signature } = await kernel.ports.use('serviceAccountKeys').signBytes(usable(emailOrId).email, bytes)
      return { keyId, signedBlob: Buffer.from(signature).toString('base64') }
    },
  }
}

/** Twelve hours need an organisation policy on Google, which there is not here. */
function parseLifetime(lifetime: string | undefined): number {
  if (lifetime === undefined || lifetime === '') return MAX_LIFETIME_SECONDS
  const seconds = Number(/^(\d+(?:\.\d{1,9})?)s$/.exec(lifetime)?.[1] ?? Number.NaN)
  if (!(seconds > 0)) throw invalidArgument(`Invalid value at 'lifetime': ${JSON.stringify(lifetime)} is not a positive duration such as "3600s".`)
  if (seconds > MAX_LIFETIME_SECONDS) throw invalidArgument(`The access token lifetime cannot exceed ${MAX_LIFETIME_SECONDS} seconds, but ${lifetime} were asked for.`)
  return seconds
}

function checkClaims(payload: string): void {
  let claims: unknown
  try {
    claims = JSON.parse(payload)
  } catch {
    throw invalidArgument('The payload must be a JSON object with the claims of the JWT.')
  }
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) throw invalidArgument('The payload must be a JSON object with the claims of the JWT.')
  const expiresAt: unknown = (claims as Record<string, unknown>)['exp']
  if (expiresAt === undefined) return
  if (typeof expiresAt !== 'number' || !Number.isInteger(expiresAt)) throw invalidArgument('The exp claim must be an integer of seconds since the epoch.')
  if (expiresAt > Date.now() / 1000 + MAX_JWT_LIFETIME_SECONDS) throw invalidArgument('The exp claim must not be more than 12 hours ahead.')
}
