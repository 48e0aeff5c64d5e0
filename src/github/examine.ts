/**
 * Whether a GitHub OIDC token would be admitted, and which claim is in the way. The steps are those of the exchange itself, and of acting as the stack's account
 * afterwards; here each failure also gets the next action in GitHub's terms. https://docs.github.com/en/actions/reference/security/oidc
 */
import type { JsonWebKey } from 'node:crypto'
import { KilnError } from '../base/errors.ts'
import { evaluateToken } from '../oidc/evaluate.ts'
import type { Step } from '../oidc/evaluate.ts'
import { parseJwt } from '../oidc/jwt.ts'
import { audiencesOf, federatedPrincipal } from '../oidc/provider.ts'
import { examineAccount } from './account.ts'
import type { LiveAccount } from './account.ts'
import type { LiveProvider } from './provider.ts'

export interface ExamineRequest {
  readonly token: string
  readonly provider: LiveProvider
  /** The account that the workflow acts as; undefined: the exchange alone is examined. */
  readonly account?: LiveAccount
  /** The issuer's keys, or why they could not be had: then nobody is admitted, but everything else is examined. */
  readonly keys: readonly JsonWebKey[] | { readonly unavailable: string }
  readonly nowMs: number
}

/** A step of the exchange, and what to do when it failed. */
export interface ExaminedStep extends Omit<Step, 'error' | 'name'> {
  readonly name: Step['name'] | 'provider' | 'account'
  readonly next?: string
}

export interface TokenReport {
  readonly admitted: boolean
  /** The first failure: what the exchange would answer with. */
  readonly failure?: ExaminedStep
  readonly steps: readonly ExaminedStep[]
  readonly claims: Readonly<Record<string, unknown>>
  /** As policies name the caller, when the mapping gave one. */
  readonly principal?: string
  readonly principalSets?: readonly string[]
}

/**
 * The token in a file's text: alone, or in the JSON that GitHub's token endpoint answers with.
 * @throws KilnError E_USAGE for an empty text
 */
export function tokenFromText(text: string): string {
  const trimmed = text.trim()
  if (trimmed === '')
    throw new KilnError('E_USAGE', 'there is no token in this file', {
      hint: 'put the JWT of the workflow in it: curl -H "Authorization: bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=…"',
    })
  if (!trimmed.startsWith('{')) return trimmed
  try {
    const { value } = JSON.parse(trimmed) as { readonly value?: unknown }
    if (typeof value === 'string') return value
  } catch {
    // Examined as it is: the first step says what is wrong with it.
  }
  return trimmed
}

/** Who issued a token, by its own word; undefined when it cannot be read. */
export function issuerOf(token: string): unknown {
  return parseJwt(token)?.claims['iss']
}

/** Examines every step, also those after a failure where they can be. Never throws for what is in a token. */
export function examineToken({ token, provider, account, keys, nowMs }: ExamineRequest): TokenReport {
  const known = 'unavailable' in keys ? undefined : keys
  const evaluation = evaluateToken({ token, provider: provider.oidc, nowMs, ...(known === undefined ? {} : { keys: known }) })
  const use: ExaminedStep =
    provider.outOfUse === undefined
      ? { name: 'provider', status: 'ok', message: provider.name }
      : {
          name: 'provider',
          status: 'failed',
          message: `${provider.outOfUse}: ${provider.name}`,
          next: 'enable or restore it: gcloud iam workload-identity-pools … update-oidc --no-disabled, or undelete',
        }
  const principal = evaluation.identity === undefined ? undefined : federatedPrincipal(provider.oidc, evaluation.identity)
  const acting: ExaminedStep | undefined =
    account === undefined
      ? undefined
      : { name: 'account', ...(principal === undefined ? { status: 'skipped', message: `not looked at: nobody to act as ${account.email}` } : examineAccount(account, principal)) }
  const steps = [use, ...evaluation.steps.map((step) => explain(step, provider, keys)), ...(acting === undefined ? [] : [acting])]
  const failure = steps.find((step) => step.status === 'failed')
  return {
    // Without keys the signature was not looked at, and that admits nobody.
    admitted: failure === undefined && known !== undefined,
    steps,
    claims: evaluation.claims ?? {},
    ...(failure === undefined ? {} : { failure }),
    ...(principal === undefined ? {} : { principal: principal.member, principalSets: principal.sets }),
  }
}

function explain({ error: _error, ...step }: Step, provider: LiveProvider, keys: ExamineRequest['keys']): ExaminedStep {
  if (step.name === 'key' && step.status === 'skipped' && 'unavailable' in keys)
    return {
      ...step,
      status: 'failed',
      message: `the signature cannot be checked: ${keys.unavailable}`,
      next: 'give the keys of the issuer with --keys FILE (a JWKS), or try again with the network',
    }
  const next = step.status === 'failed' ? nextAction(step, provider) : undefined
  return next === undefined ? step : { ...step, next }
}

function nextAction({ name, claim }: Step, { oidc }: LiveProvider): string | undefined {
  switch (name) {
    case 'shape':
      return 'it must be the JWT itself, three parts with dots between, without quotes or "Bearer"'
    case 'algorithm':
      return 'GitHub signs with RS256: this token was not made by GitHub, or was changed on its way'
    case 'issuer':
      return `ask ${oidc.issuerUri} for the token (GitHub Enterprise has an issuer of its own), or change the provider's issuer URI`
    case 'audience':
      return `ask for the token with audience=${audiencesOf(oidc)[0] ?? ''} (google-github-actions/auth does by itself), or add this audience to the provider's allowed ones`
    case 'times':
      return claim === 'exp' ? 'tokens live for minutes: get a new one in the job that uses it' : 'compare the clocks of this machine and of the issuer'
    case 'key':
      return `the issuer has rotated its keys, or the token is of another one: get a new token${oidc.jwksJson === undefined ? '' : ', and upload the new keys to the provider'}`
    case 'signature':
      return 'the token was changed on its way or was not made by this issuer: get a new one'
    case 'mapping':
      return `the provider's mapping reads a claim that this token does not have: map it only where it is there, or set it in the workflow`
    case 'condition':
      return conditionAction(claim)
  }
}

/** By the claim that the failing part of the condition reads. */
function conditionAction(claim: string | undefined): string {
  const field = claim?.replace(/^(?:assertion|attribute|google)\./, '') ?? ''
  if (/^repository(_owner)?(_id)?$/.test(field))
    return `the condition admits another ${field.replaceAll('_', ' ')}; ids stay when a repository is renamed or made anew: gh api repos/OWNER/REPO --jq .id shows it`
  if (field === 'ref' || field === 'ref_type' || field === 'base_ref' || field === 'head_ref')
    return 'the condition admits another branch or tag: run the workflow from that one, or change the condition'
  if (field === 'environment') return 'the job must name the environment that the condition asks for: `environment: NAME` in the workflow'
  if (field === 'event_name') return 'the condition admits another event: see `on:` of the workflow'
  return 'change the workflow so that the claim fits, or change the provider’s attribute condition'
}
