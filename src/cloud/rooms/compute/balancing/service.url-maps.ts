/** URL maps as resources. What they mean for a request is in config.url-map.ts. https://cloud.google.com/compute/docs/reference/rest/v1/urlMaps */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { ApiError, invalidArgument } from '../../../kernel/api-error.ts'
import type { Compute } from '../service.ts'
import { compact } from './noun.ts'
import type { BuildContext, Built } from './noun.ts'
import type { UrlMapBody } from './schema.ts'
import { requireService } from './service.backends.ts'

export type UrlMapRecord = compute_v1.Schema$UrlMap

/** Parts of a URL map that nothing here acts on: refused, since a map that is accepted must do what it says. */
const unsupported = [
  'requestMirrorPolicy',
  'faultInjectionPolicy',
  'pathTemplateMatch',
  'regexMatch',
  'allowOriginRegexes',
  'pathTemplateRewrite',
  'metadataFilters',
  'cachePolicy',
] as const

const HOST = /^(\*|(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:\d+)?$|^\*-[a-z0-9.-]+$/i
const NAME = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/
export const redirectCodes: Readonly<Record<string, number>> = { MOVED_PERMANENTLY_DEFAULT: 301, FOUND: 302, SEE_OTHER: 303, TEMPORARY_REDIRECT: 307, PERMANENT_REDIRECT: 308 }

/** The fields of a URL map, its links in Google's form. @throws ApiError 400, 404, 501 */
export function buildUrlMap(compute: Compute, body: UrlMapBody, context: Pick<BuildContext<UrlMapRecord>, 'projectId'>): Built<UrlMapRecord> {
  for (const path of findUnsupported(body)) throw new ApiError('UNIMPLEMENTED', `The pocket cloud does not act on '${path}' of URL maps.`)
  const link = (service: string | null | undefined): string | undefined => (service ? requireService(compute, context.projectId, service) : undefined)
  requireOutcome('resource', body.defaultService, body.defaultUrlRedirect, body.defaultRouteAction)
  const names = (body.pathMatchers ?? []).map((matcher) => matcher.name)
  const duplicate = names.find((name, index) => names.indexOf(name) !== index)
  if (duplicate !== undefined) throw invalidArgument(`Invalid value for field 'resource.pathMatchers': '${duplicate}'. Duplicate path matcher name.`)
  checkHosts(body, names)
  return {
    record: compact({
      ...body,
      description: body.description || undefined,
      defaultService: link(body.defaultService),
      defaultRouteAction: linked(body.defaultRouteAction, link),
      defaultUrlRedirect: body.defaultUrlRedirect ? filled(body.defaultUrlRedirect) : undefined,
      pathMatchers: body.pathMatchers?.map((matcher, index) => {
        const field = `resource.pathMatchers[${index}]`
        if (!NAME.test(matcher.name)) throw invalidArgument(`Invalid value for field '${field}.name': '${matcher.name}'.`)
        requireOutcome(field, matcher.defaultService, matcher.defaultUrlRedirect, matcher.defaultRouteAction)
        if (matcher.pathRules?.length && matcher.routeRules?.length) throw invalidArgument(`Invalid value for field '${field}': pathRules and routeRules exclude each other.`)
        checkPaths(matcher, field)
        const each = <Rule extends { service?: string | null | undefined; urlRedirect?: object | null | undefined; routeAction?: UrlMapBody['defaultRouteAction'] }>(
          rule: Rule,
        ): Rule =>
          compact({ ...rule, service: link(rule.service), routeAction: linked(rule.routeAction, link), urlRedirect: rule.urlRedirect ? filled(rule.urlRedirect) : undefined })
        return compact({
          ...matcher,
          defaultService: link(matcher.defaultService),
          defaultRouteAction: linked(matcher.defaultRouteAction, link),
          defaultUrlRedirect: matcher.defaultUrlRedirect ? filled(matcher.defaultUrlRedirect) : undefined,
          pathRules: matcher.pathRules?.map(each),
          routeRules: matcher.routeRules?.map(each),
        })
      }),
      tests: body.tests?.map((test) => compact({ ...test, service: link(test.service) })),
    }) as UrlMapRecord,
  }
}

function filled(redirect: object): object {
  return { httpsRedirect: false, stripQuery: false, ...compact(redirect) }
}

function linked(action: UrlMapBody['defaultRouteAction'], link: (service: string) => string | undefined): UrlMapBody['defaultRouteAction'] {
  if (!action?.weightedBackendServices) return action
  return {
    ...action,
    weightedBackendServices: action.weightedBackendServices.map((each, index) => {
      const weight = each.weight ?? 0
      if (weight < 0 || weight > 1000) throw invalidArgument(`Invalid value for field 'weightedBackendServices[${index}].weight': '${weight}'. Must be between 0 and 1000.`)
      return { ...each, backendService: link(each.backendService) ?? '', weight }
    }),
  }
}

function requireOutcome(
  field: string,
  service: unknown,
  redirect: { redirectResponseCode?: string | null | undefined } | null | undefined,
  action: { weightedBackendServices?: unknown } | null | undefined,
): void {
  const given = [service, redirect, action?.weightedBackendServices].filter(Boolean).length
  if (given !== 1)
    throw invalidArgument(`Invalid value for field '${field}': exactly one of defaultService, defaultUrlRedirect and defaultRouteAction.weightedBackendServices must be given.`)
  const code = redirect?.redirectResponseCode
  if (code && !Object.hasOwn(redirectCodes, code)) throw invalidArgument(`Invalid value for field '${field}.defaultUrlRedirect.redirectResponseCode': '${code}'.`)
}

function checkHosts(body: UrlMapBody, matchers: readonly string[]): void {
  const seen = new Set<string>()
  for (const [index, rule] of (body.hostRules ?? []).entries()) {
    if (!matchers.includes(rule.pathMatcher))
      throw invalidArgument(`Invalid value for field 'resource.hostRules[${index}].pathMatcher': '${rule.pathMatcher}'. Path matcher does not exist in the URL map.`)
    for (const host of rule.hosts) {
      if (!HOST.test(host)) throw invalidArgument(`Invalid value for field 'resource.hostRules[${index}].hosts': '${host}'. Must be a host name, '*' or start with '*.'.`)
      if (seen.has(host.toLowerCase())) throw invalidArgument(`Invalid value for field 'resource.hostRules[${index}].hosts': '${host}'. Host is duplicated.`)
      seen.add(host.toLowerCase())
    }
  }
}

function checkPaths(matcher: NonNullable<UrlMapBody['pathMatchers']>[number], field: string): void {
  const seen = new Set<string>()
  for (const [index, rule] of (matcher.pathRules ?? []).entries()) {
    requireRuleOutcome(rule, `${field}.pathRules[${index}]`)
    for (const path of rule.paths) {
      if (!/^\/([^*?#\s"']*)(\*)?$/.test(path) || (path.endsWith('*') && !path.endsWith('/*')))
        throw invalidArgument(`Invalid value for field '${field}.pathRules[${index}].paths': '${path}'. Must start with '/'; '*' is allowed only at the end, after '/'.`)
      if (seen.has(path)) throw invalidArgument(`Invalid value for field '${field}.pathRules[${index}].paths': '${path}'. Path is duplicated.`)
      seen.add(path)
    }
  }
  const priorities = (matcher.routeRules ?? []).map((rule) => rule.priority ?? -1)
  if (priorities.some((priority, index) => priority < 0 || priorities.indexOf(priority) !== index))
    throw invalidArgument(`Invalid value for field '${field}.routeRules': every rule needs a priority of its own.`)
  for (const [index, rule] of (matcher.routeRules ?? []).entries()) requireRuleOutcome(rule, `${field}.routeRules[${index}]`)
}

function requireRuleOutcome(
  rule: {
    service?: string | null | undefined
    urlRedirect?: { redirectResponseCode?: string | null | undefined } | null | undefined
    routeAction?: { weightedBackendServices?: unknown } | null | undefined
  },
  field: string,
): void {
  if ([rule.service, rule.urlRedirect, rule.routeAction?.weightedBackendServices].filter(Boolean).length !== 1)
    throw invalidArgument(`Invalid value for field '${field}': exactly one of service, urlRedirect and routeAction.weightedBackendServices must be given.`)
  const code = rule.urlRedirect?.redirectResponseCode
  if (code && !Object.hasOwn(redirectCodes, code)) throw invalidArgument(`Invalid value for field '${field}.urlRedirect.redirectResponseCode': '${code}'.`)
}

function findUnsupported(value: unknown, path = ''): readonly string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, member]) => {
    const here = path === '' ? key : `${path}.${key}`
    const isUsed = member !== null && member !== '' && !(Array.isArray(member) && member.length === 0)
    return (unsupported as readonly string[]).includes(key) && isUsed ? [here] : findUnsupported(member, here)
  })
}
