/**
 * Whether a token of an outside issuer is admitted by a workload identity provider, step by step. Pure: keys and clock are given, nothing is fetched or kept,
 * so that the exchange (the sts room, below the wall) and `kiln doctor github` (above it) come to the same answer. https://cloud.google.com/iam/docs/workload-identity-federation
 */
import { createPublicKey, verify } from 'node:crypto'
import type { JsonWebKey, KeyObject } from 'node:crypto'
import { parseJwt } from './jwt.ts'
import type { Jwt } from './jwt.ts'
import { checkCondition, mapClaims } from './attributes.ts'
import type { MappedIdentity, OidcProvider } from './provider.ts'
import { audiencesOf } from './provider.ts'

export type StepName = 'shape' | 'algorithm' | 'issuer' | 'audience' | 'times' | 'key' | 'signature' | 'mapping' | 'condition'

export interface Step {
  readonly name: StepName
  /** `skipped`: an earlier step left nothing to look at, or no keys were given. */
  readonly status: 'ok' | 'failed' | 'skipped'
  /** For people: what was found, and for a failure what was expected. */
  readonly message: string
  /** The claim (`aud`), or the field of the expression (`assertion.repository_id`), that a failure is about. */
  readonly claim?: string
  /** OAuth error code of a failure. */
  readonly error?: 'invalid_grant' | 'unauthorized_client' | 'invalid_request'
}

export interface Evaluation {
  /** In the order of the exchange; those after a failure are evaluated too where they can be. */
  readonly steps: readonly Step[]
  /** The failure that the exchange answers with; none: the token is admitted (or keys were not given). */
  readonly failure?: Step
  readonly claims?: Readonly<Record<string, unknown>>
  readonly identity?: MappedIdentity
}

export interface EvaluateRequest {
  readonly token: string
  readonly provider: OidcProvider
  /** The issuer's public keys; undefined leaves out the steps `key` and `signature`, which admits nobody. */
  readonly keys?: readonly JsonWebKey[]
  readonly nowMs: number
}

/** Never `none`, never a shared secret. */
const ALGORITHMS: Readonly<Record<string, { readonly keyType: string; readonly matches: (key: KeyObject) => boolean }>> = {
  RS256: { keyType: 'RSA', matches: (key) => key.asymmetricKeyType === 'rsa' && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= 2048 },
  ES256: { keyType: 'EC', matches: (key) => key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1' },
}
const SKEW_SECONDS = 60
const MAX_LIFETIME_SECONDS = 24 * 3600

/** Evaluates a token against a provider. Never throws for what a token or a provider's expressions contain. */
export function evaluateToken(request: EvaluateRequest): Evaluation {
  const { provider, nowMs, keys } = request
  const jwt = parseJwt(request.token)
  if (jwt === undefined) {
    const shape = failed('shape', undefined, 'Unable to parse the ID Token: it is not a JWT of three base64url parts with a JSON header and JSON claims.')
    return { steps: [shape, ...(['algorithm', 'issuer', 'audience', 'times', 'key', 'signature', 'mapping', 'condition'] as const).map(skipped)], failure: shape }
  }
  const mapped = mapClaims(provider.attributeMapping, jwt.claims)
  const identity = 'identity' in mapped ? mapped.identity : undefined
  const steps: Step[] = [
    ok('shape', 'a JWT'),
    checkAlgorithm(jwt),
    checkIssuer(jwt, provider),
    checkAudience(jwt, provider),
    checkTimes(jwt, nowMs / 1000),
    ...checkSignature(jwt, keys),
    'problem' in mapped ? failed('mapping', mapped.claim, mapped.problem) : ok('mapping', `google.subject is ${JSON.stringify(mapped.identity.subject)}`),
    identity === undefined ? skipped('condition') : conditionStep(provider, jwt, identity),
  ]
  const failure = steps.find((step) => step.status === 'failed')
  return { steps, claims: jwt.claims, ...(identity === undefined ? {} : { identity }), ...(failure === undefined ? {} : { failure }) }
}

/** True when a failure may only mean that the issuer has newer keys. */
export function isUnknownKey(evaluation: Evaluation): boolean {
  return evaluation.failure?.name === 'key'
}

function checkAlgorithm({ header }: Jwt): Step {
  const algorithm = header['alg']
  if (header['crit'] !== undefined) return failed('algorithm', 'crit', 'The ID Token has critical header parameters (crit), which are not understood.')
  if (typeof algorithm === 'string' && Object.hasOwn(ALGORITHMS, algorithm)) return ok('algorithm', algorithm)
  return failed('algorithm', 'alg', `The signing algorithm ${show(algorithm)} of the ID Token is not supported: use RS256 or ES256.`)
}

function checkIssuer({ claims }: Jwt, { issuerUri }: OidcProvider): Step {
  if (claims['iss'] === issuerUri) return ok('issuer', issuerUri)
  return failed('issuer', 'iss', `The issuer in ID Token ${show(claims['iss'])} does not match the expected ones: ${issuerUri}`)
}

function checkAudience({ claims }: Jwt, provider: OidcProvider): Step {
  const expected = audiencesOf(provider)
  const given = (Array.isArray(claims['aud']) ? claims['aud'] : [claims['aud']]) as readonly unknown[]
  const found = given.find((audience) => typeof audience === 'string' && expected.includes(audience))
  if (found !== undefined) return ok('audience', String(found))
  return failed(
    'audience',
    'aud',
    `The audience in ID Token [${given.map((each) => (typeof each === 'string' ? each : show(each))).join(', ')}] does not match the expected audience ${expected.join(' or ')}.`,
  )
}

function checkTimes({ claims }: Jwt, now: number): Step {
  const { iat, exp, nbf } = claims
  for (const [name, value] of Object.entries({ iat, exp, ...(nbf === undefined ? {} : { nbf }) })) {
    if (typeof value !== 'number' || !Number.isFinite(value))
      return failed('times', name, `The ID Token must have the claim ${name} as a number of seconds since 1970; it is ${show(value)}.`)
  }
  const [issuedAt, expiresAt, notBefore] = [Number(iat), Number(exp), Number(nbf ?? iat)]
  if (expiresAt <= now - SKEW_SECONDS)
    return failed('times', 'exp', `ID Token issued at ${issuedAt} is stale to sign-in: it expired at ${expiresAt} (exp), ${ago(now - expiresAt)}.`)
  if (notBefore > now + SKEW_SECONDS)
    return failed(
      'times',
      nbf === undefined ? 'iat' : 'nbf',
      `The ID Token is not valid before ${notBefore} (${nbf === undefined ? 'iat' : 'nbf'}), which is ${Math.round(notBefore - now)} s ahead.`,
    )
  if (issuedAt > now + SKEW_SECONDS)
    return failed('times', 'iat', `The ID Token was issued at ${issuedAt} (iat), which is ${Math.round(issuedAt - now)} s ahead: check the issuer's clock.`)
  if (expiresAt - issuedAt > MAX_LIFETIME_SECONDS)
    return failed('times', 'exp', `The ID Token lives ${expiresAt - issuedAt} s from iat to exp; more than 24 hours is not accepted.`)
  return ok('times', `expires in ${Math.round(expiresAt - now)} s`)
}

function checkSignature(jwt: Jwt, keys: readonly JsonWebKey[] | undefined): readonly [Step, Step] {
  const algorithm = ALGORITHMS[String(jwt.header['alg'])]
  if (keys === undefined || algorithm === undefined) return [skipped('key'), skipped('signature')]
  const kid = jwt.header['kid']
  const candidates = keys.filter((key) => key['kty'] === algorithm.keyType && key['use'] !== 'enc' && (kid === undefined || key['kid'] === kid))
  if (candidates.length === 0) {
    const known = keys.map((key) => show(key['kid'])).join(', ')
    return [
      failed('key', 'kid', `The key ${show(kid)} that signed the ID Token is not in the issuer's key set (${known === '' ? 'which is empty' : known}).`),
      skipped('signature'),
    ]
  }
  const good = candidates.some((key) => {
    try {
      const publicKey = createPublicKey({ key, format: 'jwk' })
      return algorithm.matches(publicKey) && verify('sha256', jwt.signed, { key: publicKey, dsaEncoding: 'ieee-p1363' }, jwt.signature)
    } catch {
      // A key that cannot be read verifies nothing.
      return false
    }
  })
  const found = ok('key', kid === undefined ? 'no kid: every fitting key is tried' : String(kid))
  return [found, good ? ok('signature', 'valid') : failed('signature', undefined, 'Invalid ID Token signature: none of the issuer keys of this kid verifies it.')]
}

function conditionStep(provider: OidcProvider, jwt: Jwt, identity: MappedIdentity): Step {
  const problem = checkCondition(provider.attributeCondition, jwt.claims, identity)
  if (problem === undefined) return ok('condition', provider.attributeCondition === '' ? 'none is set' : provider.attributeCondition)
  return { ...failed('condition', problem.claim, `The given credential is rejected by the attribute condition. ${problem.message}`), error: 'unauthorized_client' }
}

function ok(name: StepName, message: string): Step {
  return { name, status: 'ok', message }
}

function skipped(name: StepName): Step {
  return { name, status: 'skipped', message: 'not looked at' }
}

function failed(name: StepName, claim: string | undefined, message: string): Step {
  return { name, status: 'failed', message, error: 'invalid_grant', ...(claim === undefined ? {} : { claim }) }
}

function show(value: unknown): string {
  return value === undefined ? '(missing)' : JSON.stringify(value).slice(0, 200)
}

function ago(seconds: number): string {
  return seconds < 120 ? `${Math.round(seconds)} s ago` : `${Math.round(seconds / 60)} minutes ago`
}
