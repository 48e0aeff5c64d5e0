/**
 * A security policy as HAProxy's rules. Pure. The first rule, by priority, whose ranges take in the client decides; rules in preview decide nothing.
 * https://cloud.google.com/armor/docs/security-policy-overview, https://cloud.google.com/armor/docs/rate-limiting-overview
 */
import { fmt } from './config.quote.ts'
import type { SecurityPolicyRecord, SecurityRule } from './service.policies.ts'

/** Clients that a rate limit remembers. */
const TABLE_SIZE = '100k'

function active(policy: SecurityPolicyRecord): readonly SecurityRule[] {
  return (policy.rules ?? []).filter((rule) => rule.preview !== true)
}

function isLimited(rule: SecurityRule): boolean {
  return rule.action === 'throttle' || rule.action === 'rate_based_ban'
}

/** Rules for the backend section. */
export function policyLines(backend: string, policy: SecurityPolicyRecord): readonly string[] {
  const rules = active(policy)
  const chosen = rules.map((rule) => {
    const ranges = rule.match?.config?.srcIpRanges ?? []
    const condition = ranges.includes('*') ? '' : ` { src ${ranges.join(' ')} }`
    return `  http-request set-var(txn.policy) str(${nameOf(rule)}) if !{ var(txn.policy) -m found }${condition}`
  })
  return [...chosen, ...rules.flatMap((rule) => (isLimited(rule) ? limitLines(backend, rule) : denyLines(rule)))]
}

/** Sections with the tables of the policy's rate limits. */
export function policyTables(backend: string, policy: SecurityPolicyRecord): readonly string[] {
  return active(policy)
    .filter(isLimited)
    .flatMap((rule) => {
      const options = rule.rateLimitOptions ?? {}
      const intervalSec = options.rateLimitThreshold?.intervalSec ?? 60
      const rate = [`backend ${rateTable(backend, rule)}`, `  stick-table type string len 128 size ${TABLE_SIZE} expire ${intervalSec}s store http_req_rate(${intervalSec}s)`]
      // A ban ends when its time is over, however often the client asks meanwhile: the entry is written once and then only read.
      const ban = [`backend ${banTable(backend, rule)}`, `  stick-table type string len 128 size ${TABLE_SIZE} expire ${options.banDurationSec ?? 60}s store gpt0`]
      return rule.action === 'rate_based_ban' ? [...rate, ...ban] : rate
    })
}

function nameOf(rule: SecurityRule): string {
  return `p${rule.priority ?? 0}`
}

function rateTable(backend: string, rule: SecurityRule): string {
  return `${backend}-rate-${nameOf(rule)}`
}

function banTable(backend: string, rule: SecurityRule): string {
  return `${backend}-ban-${nameOf(rule)}`
}

function denyLines(rule: SecurityRule): readonly string[] {
  const status = /^deny\((\d+)\)$/.exec(rule.action ?? '')?.[1]
  return status === undefined ? [] : [`  http-request deny deny_status ${status} if { var(txn.policy) -m str ${nameOf(rule)} }`]
}

function limitLines(backend: string, rule: SecurityRule): readonly string[] {
  const options = rule.rateLimitOptions ?? {}
  const mine = `{ var(txn.policy) -m str ${nameOf(rule)} }`
  const status = /(\d+)/.exec(options.exceedAction ?? '')?.[1] ?? '429'
  const deny = `http-request deny deny_status ${status} content-type text/plain lf-string ${fmt('Rate limit exceeded.')}`
  const rate = rateTable(backend, rule)
  const ban = banTable(backend, rule)
  const exceeded = `{ sc0_http_req_rate(${rate}) gt ${options.rateLimitThreshold?.count ?? 0} }`
  // A client without the header or cookie shares one allowance with its like.
  const key = [
    `  http-request set-var(txn.key) ${keyOf(options.enforceOnKey ?? 'ALL', options.enforceOnKeyName ?? '')} if ${mine}`,
    `  http-request set-var(txn.key) str(none) if ${mine} !{ var(txn.key) -m found }`,
  ]
  if (rule.action === 'throttle') return [...key, `  http-request track-sc0 var(txn.key) table ${rate} if ${mine}`, `  ${deny} if ${mine} ${exceeded}`]
  return [
    ...key,
    `  ${deny} if ${mine} { var(txn.key),in_table(${ban}) }`,
    `  http-request track-sc0 var(txn.key) table ${rate} if ${mine}`,
    `  http-request track-sc1 var(txn.key) table ${ban} if ${mine} ${exceeded}`,
    `  http-request sc-set-gpt0(1) 1 if ${mine} ${exceeded}`,
    `  ${deny} if ${mine} ${exceeded}`,
  ]
}

function keyOf(key: string, name: string): string {
  if (key === 'IP') return 'src'
  if (key === 'XFF_IP') return 'req.fhdr(x-forwarded-for),field(1,\\,)'
  if (key === 'HTTP_HEADER') return `req.fhdr(${name})`
  if (key === 'HTTP_COOKIE') return `req.cook(${name})`
  if (key === 'HTTP_PATH') return 'path'
  return 'str(all)'
}
