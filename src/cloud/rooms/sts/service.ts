/** Exchanges tokens of outside issuers. Who is admitted is decided in the kernel (federation/evaluate.ts); here issuers are asked for their keys, and tokens are made. */
import type { JsonWebKey } from 'node:crypto'
import { evaluateToken, isUnknownKey } from '../../../oidc/evaluate.ts'
import type { Evaluation } from '../../../oidc/evaluate.ts'
import { IssuerError, parseKeySetText } from '../../../oidc/issuer-keys.ts'
import type { IssuerKeys } from '../../../oidc/issuer-keys.ts'
import { federatedPrincipal, parseProviderAudience } from '../../../oidc/provider.ts'
import type { OidcProvider, ProviderName } from '../../../oidc/provider.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { ExchangeError } from './errors.ts'

const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const TYPE = 'urn:ietf:params:oauth:token-type:'
const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform'
const NO_TARGET =
  'The target service indicated by the "audience" parameters is invalid. This might either be because the pool or provider is disabled or deleted or because it doesn\'t exist.'

export interface ExchangeRequest {
  readonly grantType: string
  readonly audience: string
  /** Space-separated; empty: cloud-platform. */
  readonly scope: string
  readonly requestedTokenType: string
  readonly subjectToken: string
  readonly subjectTokenType: string
}

export type StsService = ReturnType<typeof createStsService>

export function createStsService(kernel: Kernel, issuerKeys: IssuerKeys) {
  /** @throws ExchangeError when it, or its pool, is disabled, deleted or was never made */
  function providerOf(name: ProviderName): OidcProvider {
    const provider = kernel.ports.use('workloadIdentity').provider(name)
    if (provider === undefined) throw new ExchangeError('invalid_target', NO_TARGET)
    return provider
  }

  async function keysOf(provider: OidcProvider, refresh: boolean): Promise<readonly JsonWebKey[]> {
    try {
      return provider.jwksJson === undefined ? await issuerKeys.keysOf(provider.issuerUri, { refresh }) : parseKeySetText(provider.jwksJson)
    } catch (error) {
      if (error instanceof IssuerError) throw new ExchangeError('invalid_grant', `Error connecting to the given credential's issuer. ${error.message}`)
      throw error
    }
  }

  /** Asks the issuer only about a token that could be admitted, and again when it was signed with a key that is not known yet. */
  async function evaluate(provider: OidcProvider, token: string): Promise<Evaluation> {
    const nowMs = Date.now()
    const withoutKeys = evaluateToken({ token, provider, nowMs })
    if (withoutKeys.failure !== undefined) return withoutKeys
    const evaluation = evaluateToken({ token, provider, nowMs, keys: await keysOf(provider, false) })
    if (!isUnknownKey(evaluation) || provider.jwksJson !== undefined) return evaluation
    return evaluateToken({ token, provider, nowMs, keys: await keysOf(provider, true) })
  }

  return {
    /** @throws ExchangeError */
    async exchange(request: ExchangeRequest): Promise<Record<string, unknown>> {
      checkRequest(request)
      const name = parseProviderAudience(request.audience)
      if (name === undefined) {
        throw new ExchangeError(
          'invalid_request',
          'Invalid value for "audience". This value should be the full resource name of the Identity Provider. See https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token for the list of possible formats.',
        )
      }
      const { failure, identity } = await evaluate(providerOf(name), request.subjectToken)
      // While the issuer was asked, the provider may have been disabled.
      providerOf(name)
      if (failure !== undefined) throw new ExchangeError(failure.error ?? 'invalid_grant', failure.message)
      if (identity === undefined) throw new ExchangeError('invalid_grant', 'The token was not admitted.')
      const scopes = request.scope.split(/\s+/).filter((scope) => scope !== '')
      const { accessToken, expiresInSeconds } = kernel.tokens.mint(federatedPrincipal(name, identity), { scopes: scopes.length === 0 ? [CLOUD_PLATFORM] : scopes })
      return { access_token: accessToken, issued_token_type: `${TYPE}access_token`, token_type: 'Bearer', expires_in: expiresInSeconds - 1 }
    },

    /** Whose token it is (RFC 7662); gcloud asks this to name the account of a credential file. */
    introspect(token: string): Record<string, unknown> {
      const info = kernel.tokens.verify(token)
      if (info === undefined) return { active: false }
      const { principal, scopes, expiresAtMs } = info
      return {
        active: true,
        scope: scopes.join(' '),
        username: principal.email,
        sub: principal.member,
        iss: 'https://sts.googleapis.com/',
        token_type: 'Bearer',
        exp: Math.floor(expiresAtMs / 1000),
      }
    },
  }
}

/** @throws ExchangeError */
function checkRequest(request: ExchangeRequest): void {
  const { grantType, requestedTokenType, subjectToken, subjectTokenType, audience } = request
  for (const [name, value] of Object.entries({
    grant_type: grantType,
    audience,
    requested_token_type: requestedTokenType,
    subject_token: subjectToken,
    subject_token_type: subjectTokenType,
  })) {
    if (value === '') throw new ExchangeError('invalid_request', `Missing required field: ${name}`)
  }
  if (grantType !== TOKEN_EXCHANGE) throw new ExchangeError('unsupported_grant_type', `Invalid grant_type ${JSON.stringify(grantType)}: only ${TOKEN_EXCHANGE} is supported.`)
  if (requestedTokenType !== `${TYPE}access_token`)
    throw new ExchangeError('invalid_request', `Invalid requested_token_type ${JSON.stringify(requestedTokenType)}: only ${TYPE}access_token is supported.`)
  if (subjectTokenType !== `${TYPE}jwt` && subjectTokenType !== `${TYPE}id_token`)
    throw new ExchangeError(
      'invalid_request',
      `The subject_token_type ${JSON.stringify(subjectTokenType)} is not supported by the pocket cloud: use ${TYPE}jwt or ${TYPE}id_token.`,
    )
}
