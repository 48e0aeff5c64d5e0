/** URL maps. https://cloud.google.com/compute/docs/reference/rest/v1/urlMaps */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { call } from '../../client/errors.ts'
import { computeKind, projectOf } from '../compute-kind.ts'
import { compare, part, resourcePath } from '../resource.ts'
import { matcherName, urlMapResource } from './resource.ts'
import { UrlMapProps } from './schema.ts'
import type { UrlMapAttributes } from './schema.ts'

export const urlMapKind = computeKind<UrlMapProps, UrlMapAttributes>({
  resource: urlMapResource,
  schema: UrlMapProps,
  noun: 'URL map',
  createBeforeDelete: true,

  async read(compute, identity, options) {
    const map = await call(compute.urlMaps.get({ ...projectOf(identity), urlMap: part(identity, 'name') }, options))
    const matchers = new Map((map.pathMatchers ?? []).map((matcher) => [matcher.name, matcher]))
    return {
      name: map.name ?? '',
      selfLink: map.selfLink ?? '',
      defaultService: resourcePath(map.defaultService ?? ''),
      hostRules: (map.hostRules ?? []).map((rule) => {
        const matcher = matchers.get(rule.pathMatcher)
        const service = resourcePath(matcher?.defaultService ?? '')
        return { hosts: rule.hosts ?? [], service, ...(isHttpsRedirect(matcher?.defaultUrlRedirect) ? { redirectToHttps: true } : {}) }
      }),
      otherRules: otherRules(map),
      description: map.description ?? '',
      fingerprint: map.fingerprint ?? '',
    }
  },

  diff: (props, observed) =>
    compare(urlMapResource, {
      defaultService: [observed.defaultService, resourcePath(props.defaultService)],
      // order has no meaning: the most specific host wins
      hostRules: [
        sorted(observed.hostRules),
        sorted(props.hostRules.map((rule) => ('service' in rule ? { ...rule, service: resourcePath(rule.service) } : { ...rule, service: '' }))),
      ],
      otherRules: [observed.otherRules, []],
      description: [observed.description, props.description],
    }),

  insert: (compute, props, options) => compute.urlMaps.insert({ project: props.projectId, requestBody: desiredMap(props) }, options),

  // the whole map: lists in a patch cannot be emptied
  async change({ compute, options, finish }, props, observed) {
    const requestBody = { ...desiredMap(props), fingerprint: observed.fingerprint }
    await finish('set the rules', compute.urlMaps.update({ project: props.projectId, urlMap: props.name, requestBody }, options))
  },

  remove: (compute, identity, options) => compute.urlMaps.delete({ ...projectOf(identity), urlMap: part(identity, 'name') }, options),
})

function sorted(rules: UrlMapAttributes['hostRules']): readonly string[] {
  return rules.flatMap((rule) => rule.hosts.map((host) => `${host} -> ${rule.redirectToHttps === true ? 'https' : rule.service}`)).toSorted()
}

/** The same URL with https, for good (301). */
const httpsRedirect = { httpsRedirect: true, redirectResponseCode: 'MOVED_PERMANENTLY_DEFAULT', stripQuery: false } as const

function isHttpsRedirect(redirect: compute_v1.Schema$HttpRedirectAction | undefined): boolean {
  if (redirect?.httpsRedirect !== true || redirect.stripQuery === true) return false
  const isElsewhere = [redirect.hostRedirect, redirect.pathRedirect, redirect.prefixRedirect].some((part) => part !== undefined && part !== null && part !== '')
  // Google leaves the default code out
  return !isElsewhere && (redirect.redirectResponseCode ?? httpsRedirect.redirectResponseCode) === httpsRedirect.redirectResponseCode
}

function desiredMap(props: UrlMapProps): compute_v1.Schema$UrlMap {
  return {
    name: props.name,
    description: props.description,
    defaultService: resourcePath(props.defaultService),
    hostRules: props.hostRules.map((rule, index) => ({ hosts: rule.hosts, pathMatcher: matcherName(index) })),
    pathMatchers: props.hostRules.map((rule, index) => ({
      name: matcherName(index),
      ...('service' in rule ? { defaultService: resourcePath(rule.service) } : { defaultUrlRedirect: httpsRedirect }),
    })),
  }
}

/** Only rules that send a request elsewhere, or change it, count; tests of the map itself do not. */
function otherRules(map: compute_v1.Schema$UrlMap): readonly string[] {
  const fields = ['defaultUrlRedirect', 'defaultRouteAction', 'headerAction', 'pathRules', 'routeRules'] as const
  const named = (place: object, prefix: string): string[] => {
    const entries = Object.entries(place).filter(([key, value]) => fields.some((field) => field === key) && isFilled(value))
    return entries.map(([key]) => `${prefix}${key}`)
  }
  const known = (matcher: compute_v1.Schema$PathMatcher): object => (isHttpsRedirect(matcher.defaultUrlRedirect) ? { ...matcher, defaultUrlRedirect: undefined } : matcher)
  return [...named(map, ''), ...(map.pathMatchers ?? []).flatMap((matcher) => named(known(matcher), `pathMatchers.${matcher.name ?? ''}.`))]
}

function isFilled(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0
}
