/**
 * A URL map as rules of a HAProxy frontend. Pure. First the host chooses a path matcher, then the path (or the first route rule that fits) chooses
 * an outcome, and the outcome is carried out: redirect, rewrite, headers, backend. https://cloud.google.com/load-balancing/docs/url-map-concepts
 */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { headerLines } from './config.headers.ts'
import { join, word } from './config.quote.ts'
import { redirectCodes } from './service.url-maps.ts'
import type { UrlMapRecord } from './service.url-maps.ts'

type HeaderAction = compute_v1.Schema$HttpHeaderAction

interface Outcome {
  readonly id: string
  /** What of the path was matched by a prefix: replaced by prefix redirects and rewrites. */
  readonly prefix: string
  readonly service?: string
  readonly redirect?: compute_v1.Schema$HttpRedirectAction
  readonly action?: compute_v1.Schema$HttpRouteAction
  /** From the outermost to the innermost. */
  readonly headerActions: readonly HeaderAction[]
}

interface Branch {
  /** Conditions of HAProxy that all must hold. */
  readonly when: readonly string[]
  readonly outcome: Outcome
}

/** `nameOf` gives the section of a backend service's link; undefined when it is gone. `httpsPort`: where redirects to https lead, when that is not its own port. */
export function urlMapLines(map: UrlMapRecord, nameOf: (link: string) => string | undefined, httpsPort?: number): readonly string[] {
  const matchers = map.pathMatchers ?? []
  const branches = matchers.flatMap((matcher, index) => matcherBranches(map, matcher, index))
  const fallback: Outcome = outcome('d', '/', map.defaultService, map.defaultUrlRedirect, map.defaultRouteAction, [map.headerAction])
  return [
    '  http-request set-var(txn.host) req.hdr(host),field(1,:),lower',
    '  http-request set-var(txn.origin) req.hdr(origin)',
    '  http-request set-var-fmt(txn.query) "?%[query]" if { query -m found }',
    ...hostLines(map),
    ...branches.map(({ when, outcome: { id } }) => `  http-request set-var(txn.route) str(${id}) if !{ var(txn.route) -m found } ${when.join(' ')}`),
    '  http-request set-var(txn.route) str(d) if !{ var(txn.route) -m found }',
    ...[...branches.map((branch) => branch.outcome), fallback].flatMap((each) => outcomeLines(each, nameOf, httpsPort)),
    '  use_backend %[var(txn.backend)] if { var(txn.backend) -m found }',
  ]
}

function hostLines(map: UrlMapRecord): readonly string[] {
  const matchers = map.pathMatchers ?? []
  const hosts = (map.hostRules ?? []).flatMap((rule) =>
    (rule.hosts ?? []).map((host) => ({ host: host.toLowerCase().replace(/:\d+$/, ''), index: matchers.findIndex((matcher) => matcher.name === rule.pathMatcher) })),
  )
  const exact = hosts.filter(({ host }) => !host.startsWith('*'))
  const wild = hosts.filter(({ host }) => host.startsWith('*')).toSorted((left, right) => right.host.length - left.host.length)
  return [...exact, ...wild].map(({ host, index }) => {
    const condition = host === '*' ? '' : host.startsWith('*') ? ` { var(txn.host) -m end ${word(host.slice(1))} }` : ` { var(txn.host) -m str ${word(host)} }`
    return `  http-request set-var(txn.matcher) int(${index}) if !{ var(txn.matcher) -m found }${condition}`
  })
}

function matcherBranches(map: UrlMapRecord, matcher: compute_v1.Schema$PathMatcher, index: number): readonly Branch[] {
  const inMatcher = `{ var(txn.matcher) -m int ${index} }`
  const headers = [map.headerAction, matcher.headerAction]
  const paths = (matcher.pathRules ?? [])
    .flatMap((rule) => (rule.paths ?? []).map((path) => ({ rule, path })))
    // The longest path wins, an exact one before a pattern.
    .toSorted((left, right) => right.path.replace(/\*$/, '').length - left.path.replace(/\*$/, '').length || Number(left.path.endsWith('*')) - Number(right.path.endsWith('*')))
    .map(({ rule, path }, order): Branch => {
      const prefix = path.replace(/\*$/, '')
      const when = [inMatcher, path.endsWith('*') ? `{ path -m beg ${word(prefix)} }` : `{ path -m str ${word(path)} }`]
      return { when, outcome: outcome(`m${index}p${order}`, prefix, rule.service, rule.urlRedirect, rule.routeAction, headers) }
    })
  const routes = (matcher.routeRules ?? [])
    .toSorted((left, right) => (left.priority ?? 0) - (right.priority ?? 0))
    .flatMap((rule, order) =>
      (rule.matchRules?.length ? rule.matchRules : [{}]).map((match, part): Branch => {
        const prefix = match.prefixMatch ?? '/'
        return {
          when: [inMatcher, ...matchConditions(match)],
          outcome: outcome(`m${index}r${order}x${part}`, prefix, rule.service, rule.urlRedirect, rule.routeAction, [...headers, rule.headerAction]),
        }
      }),
    )
  const rest: Branch = { when: [inMatcher], outcome: outcome(`m${index}d`, '/', matcher.defaultService, matcher.defaultUrlRedirect, matcher.defaultRouteAction, headers) }
  return [...paths, ...routes, rest]
}

function matchConditions(match: compute_v1.Schema$HttpRouteRuleMatch): readonly string[] {
  const fold = match.ignoreCase === true ? ' -i' : ''
  const headers = (match.headerMatches ?? []).map((each) => {
    const test = each.exactMatch
      ? `str ${word(each.exactMatch)}`
      : each.prefixMatch
        ? `beg ${word(each.prefixMatch)}`
        : each.suffixMatch
          ? `end ${word(each.suffixMatch)}`
          : 'found'
    return `${each.invertMatch === true ? '!' : ''}{ req.fhdr(${token(each.headerName)}) -m ${test} }`
  })
  const parameters = (match.queryParameterMatches ?? []).map((each) => `{ url_param(${token(each.name)}) -m ${each.exactMatch ? `str ${word(each.exactMatch)}` : 'found'} }`)
  return [
    ...(match.fullPathMatch ? [`{ path -m str${fold} ${word(match.fullPathMatch)} }`] : []),
    ...(match.prefixMatch ? [`{ path -m beg${fold} ${word(match.prefixMatch)} }`] : []),
    ...headers,
    ...parameters,
  ]
}

/** Names go into the brackets of an expression, where quotes do not help. */
function token(name: string | null | undefined): string {
  return (name ?? '').replaceAll(/[^\w.-]/g, '')
}

function outcome(
  id: string,
  prefix: string,
  service: string | null | undefined,
  redirect: compute_v1.Schema$HttpRedirectAction | null | undefined,
  action: compute_v1.Schema$HttpRouteAction | null | undefined,
  headerActions: readonly (HeaderAction | null | undefined)[],
): Outcome {
  return {
    id,
    prefix,
    ...(service ? { service } : {}),
    ...(redirect ? { redirect } : {}),
    ...(action ? { action } : {}),
    headerActions: headerActions.filter((each) => each !== undefined && each !== null),
  }
}

function outcomeLines(each: Outcome, nameOf: (link: string) => string | undefined, httpsPort: number | undefined): readonly string[] {
  const here = `{ var(txn.route) -m str ${each.id} }`
  if (each.redirect !== undefined) return [redirectLine(each, each.redirect, here, httpsPort)]
  const rewrite = each.action?.urlRewrite
  return [
    ...corsLines(each.action?.corsPolicy ?? undefined, here),
    ...each.headerActions.flatMap((action) => [
      ...headerLines('http-request', headersOf(action.requestHeadersToAdd), action.requestHeadersToRemove ?? [], `if ${here}`),
      ...headerLines('http-response', headersOf(action.responseHeadersToAdd), action.responseHeadersToRemove ?? [], `if ${here}`),
    ]),
    ...(rewrite?.pathPrefixRewrite ? [`  http-request set-path ${join(rewrite.pathPrefixRewrite, restOfPath(each.prefix))} if ${here}`] : []),
    ...(rewrite?.hostRewrite ? [`  http-request set-header Host ${join(rewrite.hostRewrite)} if ${here}`] : []),
    ...backendLines(each, here, nameOf),
  ]
}

function headersOf(options: readonly compute_v1.Schema$HttpHeaderOption[] | null | undefined): { headerName: string; headerValue: string; replace: boolean }[] {
  return (options ?? []).map((option) => ({ headerName: option.headerName ?? '', headerValue: option.headerValue ?? '', replace: option.replace === true }))
}

function restOfPath(prefix: string): { readonly raw: string } {
  return { raw: `%[path,bytes(${Buffer.byteLength(prefix)})]` }
}

function redirectLine(each: Outcome, redirect: compute_v1.Schema$HttpRedirectAction, here: string, httpsPort: number | undefined): string {
  const scheme = redirect.httpsRedirect === true ? 'https://' : { raw: '%[ssl_fc,iif(https,http)]://' }
  // The port of this side is not the port of the other scheme.
  const https = `%[var(txn.host)]${httpsPort === undefined ? '' : `:${httpsPort}`}`
  const host = redirect.hostRedirect || { raw: redirect.httpsRedirect === true ? https : '%[req.hdr(host)]' }
  const path = redirect.pathRedirect ? [redirect.pathRedirect] : redirect.prefixRedirect ? [redirect.prefixRedirect, restOfPath(each.prefix)] : [{ raw: '%[path]' }]
  const query = redirect.stripQuery === true ? '' : { raw: '%[var(txn.query)]' }
  return `  http-request redirect location ${join(scheme, host, ...path, query)} code ${redirectCodes[redirect.redirectResponseCode ?? ''] ?? 301} if ${here}`
}

function corsLines(policy: compute_v1.Schema$CorsPolicy | undefined, here: string): readonly string[] {
  if (policy === undefined || policy.disabled === true) return []
  const origins = policy.allowOrigins ?? []
  const allowed = origins.includes('*') ? '{ var(txn.origin) -m found }' : `{ var(txn.origin) -m str ${origins.map(word).join(' ')} }`
  if (origins.length === 0) return []
  const credentials = policy.allowCredentials === true ? [['Access-Control-Allow-Credentials', 'true']] : []
  const preflight = [
    ['Access-Control-Allow-Methods', (policy.allowMethods ?? []).join(', ')],
    ['Access-Control-Allow-Headers', (policy.allowHeaders ?? []).join(', ')],
    ...(policy.maxAge ? [['Access-Control-Max-Age', String(policy.maxAge)]] : []),
    ...credentials,
  ].filter(([, value]) => value !== '')
  const shown = [...(policy.exposeHeaders?.length ? [['Access-Control-Expose-Headers', policy.exposeHeaders.join(', ')]] : []), ...credentials]
  const headers = preflight.map(([name = '', value = '']) => `hdr ${name} ${join(value)}`).join(' ')
  return [
    `  http-request return status 200 hdr Access-Control-Allow-Origin "%[var(txn.origin)]" ${headers} if ${here} METH_OPTIONS ${allowed} { req.hdr(access-control-request-method) -m found }`,
    `  http-response set-header Access-Control-Allow-Origin "%[var(txn.origin)]" if ${here} ${allowed}`,
    ...shown.map(([name = '', value = '']) => `  http-response set-header ${name} ${join(value)} if ${here} ${allowed}`),
  ]
}

function backendLines(each: Outcome, here: string, nameOf: (link: string) => string | undefined): readonly string[] {
  const weighted = (each.action?.weightedBackendServices ?? []).filter((part) => (part.weight ?? 0) > 0)
  if (weighted.length === 0) {
    const name = each.service === undefined ? undefined : nameOf(each.service)
    return name === undefined ? [] : [`  http-request set-var(txn.backend) str(${name}) if ${here}`]
  }
  const total = weighted.reduce((sum, part) => sum + (part.weight ?? 0), 0)
  let below = 0
  return [
    `  http-request set-var(txn.dice) rand(${total}) if ${here}`,
    ...weighted.map((part) => {
      below += part.weight ?? 0
      return `  http-request set-var(txn.backend) str(${nameOf(part.backendService ?? '') ?? 'none'}) if ${here} !{ var(txn.backend) -m found } { var(txn.dice) -m int lt ${below} }`
    }),
  ]
}
