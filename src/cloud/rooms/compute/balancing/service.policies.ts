/** Security policies as resources. What they do to a request is in config.policy.ts. https://cloud.google.com/compute/docs/reference/rest/v1/securityPolicies */
import { isIP } from 'node:net'
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { ApiError, invalidArgument, notFound } from '../../../kernel/api-error.ts'
import { requireLabels } from '../service.ts'
import { fingerprint } from '../shapes.ts'
import { compact } from './noun.ts'
import type { Built } from './noun.ts'
import type { SecurityPolicyBody, SecurityRuleBody } from './schema.ts'

export type SecurityPolicyRecord = compute_v1.Schema$SecurityPolicy
export type SecurityRule = compute_v1.Schema$SecurityPolicyRule

/** The priority of the rule that every policy has. */
export const DEFAULT_PRIORITY = 2_147_483_647
const MAX_RULES = 200
const actions = /^(allow|deny\((403|404|502)\)|throttle|rate_based_ban)$/
export const limitKeys = ['ALL', 'IP', 'HTTP_HEADER', 'XFF_IP', 'HTTP_COOKIE', 'HTTP_PATH']

const defaultRule: SecurityRuleBody = {
  priority: DEFAULT_PRIORITY,
  action: 'allow',
  description: 'default rule',
  match: { versionedExpr: 'SRC_IPS_V1', config: { srcIpRanges: ['*'] } },
}

/** The fields of a policy, its rules by priority, with the default rule. @throws ApiError 400, 501 */
export function buildSecurityPolicy(body: SecurityPolicyBody): Built<SecurityPolicyRecord> {
  const type = body.type ?? 'CLOUD_ARMOR'
  if (type !== 'CLOUD_ARMOR') throw new ApiError('UNIMPLEMENTED', `The pocket cloud has security policies of type CLOUD_ARMOR only, not ${type}.`)
  const given = body.rules ?? []
  const rules = (given.some((rule) => rule.priority === DEFAULT_PRIORITY) ? given : [...given, defaultRule]).map((rule, index) => buildRule(rule, `resource.rules[${index}]`))
  const labels = requireLabels(body.labels)
  return { record: compact({ ...body, description: body.description ?? '', type, rules: sortRules(rules), labels, labelFingerprint: fingerprint(labels) }) as SecurityPolicyRecord }
}

/** One rule with Google's defaults. @throws ApiError 400; 501 for expressions, which nothing here evaluates */
export function buildRule(body: SecurityRuleBody, field: string): SecurityRule {
  const { priority, action = '' } = body
  if (priority === undefined || priority === null || priority < 0 || priority > DEFAULT_PRIORITY)
    throw invalidArgument(`Invalid value for field '${field}.priority': '${priority ?? ''}'. Must be between 0 and ${DEFAULT_PRIORITY}.`)
  if (!actions.test(action ?? ''))
    throw invalidArgument(`Invalid value for field '${field}.action': '${action}'. Must be allow, deny(403), deny(404), deny(502), throttle or rate_based_ban.`)
  if (body.match?.expr?.expression)
    throw new ApiError('UNIMPLEMENTED', `The pocket cloud matches rules of security policies by srcIpRanges only, not by the expression '${body.match.expr.expression}'.`)
  const ranges = body.match?.config?.srcIpRanges ?? []
  if (ranges.length === 0 || ranges.length > 10) throw invalidArgument(`Invalid value for field '${field}.match.config.srcIpRanges': a rule has 1 to 10 ranges.`)
  for (const range of ranges) requireRange(range, field)
  const limited = action === 'throttle' || action === 'rate_based_ban'
  if (limited !== Boolean(body.rateLimitOptions))
    throw invalidArgument(`Invalid value for field '${field}.rateLimitOptions': they belong to the actions throttle and rate_based_ban.`)
  return compact({
    ...body,
    kind: 'compute#securityPolicyRule',
    priority,
    description: body.description ?? '',
    preview: body.preview === true,
    match: { versionedExpr: 'SRC_IPS_V1', config: { srcIpRanges: ranges } },
    rateLimitOptions: limited ? buildLimit(body, field) : undefined,
  }) as SecurityRule
}

function buildLimit(body: SecurityRuleBody, field: string): object {
  const options = body.rateLimitOptions ?? {}
  const threshold = options.rateLimitThreshold
  if (!threshold || threshold.count < 1 || threshold.intervalSec < 1 || threshold.intervalSec > 3600)
    throw invalidArgument(`Invalid value for field '${field}.rateLimitOptions.rateLimitThreshold': count and intervalSec (at most 3600) must be given.`)
  const key = options.enforceOnKey ?? 'ALL'
  if (!limitKeys.includes(key)) throw invalidArgument(`Invalid value for field '${field}.rateLimitOptions.enforceOnKey': '${key}'. The pocket cloud has ${limitKeys.join(', ')}.`)
  if ((key === 'HTTP_HEADER' || key === 'HTTP_COOKIE') && !/^[\w-]+$/.test(options.enforceOnKeyName ?? ''))
    throw invalidArgument(`Invalid value for field '${field}.rateLimitOptions.enforceOnKeyName': '${options.enforceOnKeyName ?? ''}'. ${key} needs a name.`)
  const exceed = options.exceedAction ?? 'deny(429)'
  if (!/^deny\((403|404|429|502)\)$/.test(exceed)) throw invalidArgument(`Invalid value for field '${field}.rateLimitOptions.exceedAction': '${exceed}'.`)
  const isBan = body.action === 'rate_based_ban'
  if (isBan && !options.banDurationSec)
    throw invalidArgument(`Invalid value for field '${field}.rateLimitOptions.banDurationSec': '${options.banDurationSec ?? ''}'. rate_based_ban needs it.`)
  return compact({ ...options, conformAction: options.conformAction ?? 'allow', exceedAction: exceed, enforceOnKey: key })
}

function requireRange(range: string, field: string): void {
  if (range === '*') return
  const [address = '', prefix] = range.split('/')
  const version = isIP(address)
  const isValid = version !== 0 && (prefix === undefined || (/^\d+$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128)))
  if (!isValid) throw invalidArgument(`Invalid value for field '${field}.match.config.srcIpRanges': '${range}'. Must be a CIDR range.`)
}

function sortRules(rules: readonly SecurityRule[]): SecurityRule[] {
  const sorted = rules.toSorted((left, right) => (left.priority ?? 0) - (right.priority ?? 0))
  const twice = sorted.find((rule, index) => rule.priority === sorted[index + 1]?.priority)
  if (twice !== undefined)
    throw invalidArgument(`Invalid value for field 'resource.rules': '${twice.priority}'. Cannot have rules with the same priorities.`, { reason: 'invalid' })
  if (rules.length > MAX_RULES) throw invalidArgument(`Invalid value for field 'resource.rules': ${rules.length} rules, and at most ${MAX_RULES} are allowed.`)
  return sorted
}

/** @throws ApiError 404 */
export function findRule(policy: SecurityPolicyRecord, priority: number): SecurityRule {
  const rule = policy.rules?.find((each) => each.priority === priority)
  if (rule === undefined) throw notFound(`Invalid value for field 'priority': '${priority}'. The policy '${policy.name ?? ''}' has no rule with this priority.`)
  return rule
}

export function withRule(policy: SecurityPolicyRecord, rule: SecurityRule): SecurityPolicyRecord {
  return { ...policy, rules: sortRules([...(policy.rules ?? []), rule]) }
}

/** @throws ApiError 400 for the default rule, 404 */
export function withoutRule(policy: SecurityPolicyRecord, priority: number): SecurityPolicyRecord {
  findRule(policy, priority)
  if (priority === DEFAULT_PRIORITY) throw invalidArgument(`Invalid value for field 'priority': '${priority}'. The default rule cannot be removed.`)
  return { ...policy, rules: (policy.rules ?? []).filter((rule) => rule.priority !== priority) }
}
