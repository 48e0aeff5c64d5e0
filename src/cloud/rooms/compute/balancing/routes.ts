/** The route table of load balancing: what every collection has, and the methods that only one has. */
import { invalidArgument } from '../../../kernel/api-error.ts'
import type { AnyRoute, RouteRequest } from '../../../kernel/room.ts'
import { fingerprintMismatch } from '../errors.ts'
import { GLOBAL, PROJECT } from '../routes.kit.ts'
import type { RouteKit } from '../routes.kit.ts'
import { LabelsBody } from '../schema.ts'
import { sameFingerprint } from '../shapes.ts'
import { mergePatch } from './noun.ts'
import { collectionRoutes } from './routes.kit.ts'
import {
  BackendServiceBody,
  ForwardingRuleBody,
  GetHealthBody,
  HealthCheckBody,
  LegacyHealthCheckBody,
  SecurityPolicyBody,
  SecurityRuleBody,
  SetSecurityPolicyBody,
  SetSslCertificatesBody,
  SetTargetBody,
  SetUrlMapBody,
  SslCertificateBody,
  TargetProxyBody,
  UrlMapBody,
  ValidateBody,
} from './schema.ts'
import { labelled, policyLink } from './service.ts'
import { buildRule, findRule, withoutRule, withRule } from './service.policies.ts'
import { requireCertificates, requireUrlMap } from './service.proxies.ts'
import { requireTarget } from './service.rules.ts'
import { buildUrlMap } from './service.url-maps.ts'

export function balancingRoutes(kit: RouteKit): readonly AnyRoute[] {
  const { balancing } = kit
  return [
    ...collectionRoutes(kit, balancing.healthChecks, HealthCheckBody, {
      collection: 'healthChecks',
      parameter: 'healthCheck',
      listKind: 'healthCheckList',
      aggregatedKind: 'healthChecksAggregatedList',
      changes: ['update', 'patch'],
    }),
    ...collectionRoutes(kit, balancing.legacyHealthChecks, LegacyHealthCheckBody, {
      collection: 'httpHealthChecks',
      parameter: 'httpHealthCheck',
      listKind: 'httpHealthCheckList',
      changes: ['update', 'patch'],
    }),
    ...backendRoutes(kit),
    ...urlMapRoutes(kit),
    ...proxyRoutes(kit),
    ...collectionRoutes(kit, balancing.certificates, SslCertificateBody, {
      collection: 'sslCertificates',
      parameter: 'sslCertificate',
      listKind: 'sslCertificateList',
      aggregatedKind: 'sslCertificateAggregatedList',
      changes: [],
    }),
    ...ruleRoutes(kit),
    ...policyRoutes(kit),
  ]
}

function backendRoutes(kit: RouteKit): readonly AnyRoute[] {
  const { balancing, caller, projectId, answer } = kit
  const { backendServices } = balancing
  const target = kit.on('backendServices', 'backendService')
  const name = (request: RouteRequest): string => request.params['backendService'] ?? ''
  const one = `${GLOBAL}/backendServices/:backendService`
  return [
    ...collectionRoutes(kit, backendServices, BackendServiceBody, {
      collection: 'backendServices',
      parameter: 'backendService',
      listKind: 'backendServiceList',
      aggregatedKind: 'backendServiceAggregatedList',
      changes: ['update', 'patch'],
    }),
    {
      id: 'compute.backendServices.getHealth',
      method: 'POST',
      path: `${one}/getHealth`,
      permission: 'compute.backendServices.get',
      target,
      body: GetHealthBody,
      handler: (request) => balancing.groupHealth(projectId(request), name(request), request.body.group),
    },
    {
      id: 'compute.backendServices.setSecurityPolicy',
      method: 'POST',
      path: `${one}/setSecurityPolicy`,
      permission: 'compute.backendServices.setSecurityPolicy',
      target,
      body: SetSecurityPolicyBody,
      handler(request) {
        const service = backendServices.get(projectId(request), name(request))
        const securityPolicy = policyLink(kit.compute, service.projectId, request.body.securityPolicy)
        const { securityPolicy: _before, ...rest } = service.record
        return answer(backendServices.change(caller(request), service, 'setSecurityPolicy', securityPolicy === undefined ? rest : { ...rest, securityPolicy }))
      },
    },
  ]
}

function urlMapRoutes(kit: RouteKit): readonly AnyRoute[] {
  const target = kit.on('urlMaps', 'urlMap')
  return [
    ...collectionRoutes(kit, kit.balancing.urlMaps, UrlMapBody, {
      collection: 'urlMaps',
      parameter: 'urlMap',
      listKind: 'urlMapList',
      aggregatedKind: 'urlMapsAggregatedList',
      changes: ['update', 'patch'],
    }),
    {
      id: 'compute.urlMaps.validate',
      method: 'POST',
      path: `${GLOBAL}/urlMaps/:urlMap/validate`,
      permission: 'compute.urlMaps.validate',
      target,
      body: ValidateBody,
      handler(request) {
        try {
          buildUrlMap(kit.compute, request.body.resource, { projectId: kit.projectId(request) })
          return { result: { loadSucceeded: true, testPassed: true } }
        } catch (error) {
          return { result: { loadSucceeded: false, loadErrors: [error instanceof Error ? error.message : String(error)] } }
        }
      },
    },
  ]
}

function proxyRoutes(kit: RouteKit): readonly AnyRoute[] {
  const { balancing, compute, caller, projectId, answer } = kit
  const http = {
    collection: 'targetHttpProxies',
    parameter: 'targetHttpProxy',
    listKind: 'targetHttpProxyList',
    aggregatedKind: 'targetHttpProxyAggregatedList',
    changes: ['patch'],
  } as const
  const https = {
    collection: 'targetHttpsProxies',
    parameter: 'targetHttpsProxy',
    listKind: 'targetHttpsProxyList',
    aggregatedKind: 'targetHttpsProxyAggregatedList',
    changes: ['patch'],
  } as const
  return [
    ...collectionRoutes(kit, balancing.httpProxies, TargetProxyBody, http),
    ...collectionRoutes(kit, balancing.httpsProxies, TargetProxyBody, https),
    // Google's own path of these has no `global/`.
    {
      id: 'compute.targetHttpProxies.setUrlMap',
      method: 'POST',
      path: `${PROJECT}/targetHttpProxies/:targetHttpProxy/setUrlMap`,
      permission: 'compute.targetHttpProxies.setUrlMap',
      target: kit.on('targetHttpProxies', 'targetHttpProxy'),
      body: SetUrlMapBody,
      handler(request) {
        const proxy = balancing.httpProxies.get(projectId(request), request.params['targetHttpProxy'] ?? '')
        return answer(balancing.httpProxies.change(caller(request), proxy, 'setUrlMap', { ...proxy.record, urlMap: requireUrlMap(compute, proxy.projectId, request.body.urlMap) }))
      },
    },
    {
      id: 'compute.targetHttpsProxies.setUrlMap',
      method: 'POST',
      path: `${PROJECT}/targetHttpsProxies/:targetHttpsProxy/setUrlMap`,
      permission: 'compute.targetHttpsProxies.setUrlMap',
      target: kit.on('targetHttpsProxies', 'targetHttpsProxy'),
      body: SetUrlMapBody,
      handler(request) {
        const proxy = balancing.httpsProxies.get(projectId(request), request.params['targetHttpsProxy'] ?? '')
        return answer(balancing.httpsProxies.change(caller(request), proxy, 'setUrlMap', { ...proxy.record, urlMap: requireUrlMap(compute, proxy.projectId, request.body.urlMap) }))
      },
    },
    {
      id: 'compute.targetHttpsProxies.setSslCertificates',
      method: 'POST',
      path: `${PROJECT}/targetHttpsProxies/:targetHttpsProxy/setSslCertificates`,
      permission: 'compute.targetHttpsProxies.setSslCertificates',
      target: kit.on('targetHttpsProxies', 'targetHttpsProxy'),
      body: SetSslCertificatesBody,
      handler(request) {
        const proxy = balancing.httpsProxies.get(projectId(request), request.params['targetHttpsProxy'] ?? '')
        const sslCertificates = requireCertificates(compute, proxy.projectId, request.body.sslCertificates)
        return answer(balancing.httpsProxies.change(caller(request), proxy, 'setSslCertificates', { ...proxy.record, sslCertificates }))
      },
    },
  ]
}

function ruleRoutes(kit: RouteKit): readonly AnyRoute[] {
  const { balancing, compute, caller, projectId, answer } = kit
  const { rules } = balancing
  const target = kit.on('forwardingRules', 'forwardingRule')
  const one = `${GLOBAL}/forwardingRules/:forwardingRule`
  const name = (request: RouteRequest): string => request.params['forwardingRule'] ?? ''
  return [
    ...collectionRoutes(kit, rules, ForwardingRuleBody, {
      collection: 'forwardingRules',
      parameter: 'forwardingRule',
      service: 'globalForwardingRules',
      listKind: 'forwardingRuleList',
      changes: ['patch'],
    }),
    {
      id: 'compute.forwardingRules.aggregatedList',
      method: 'GET',
      path: `${PROJECT}/aggregated/forwardingRules`,
      permission: 'compute.forwardingRules.list',
      handler: (request) => kit.aggregate(request, 'forwardingRuleAggregatedList', 'forwardingRules'),
    },
    {
      id: 'compute.globalForwardingRules.setTarget',
      method: 'POST',
      path: `${one}/setTarget`,
      permission: 'compute.globalForwardingRules.setTarget',
      target,
      body: SetTargetBody,
      handler(request) {
        const rule = rules.get(projectId(request), name(request))
        return answer(rules.change(caller(request), rule, 'setTarget', { ...rule.record, target: requireTarget(compute, rule.projectId, request.body.target) }))
      },
    },
    {
      id: 'compute.globalForwardingRules.setLabels',
      method: 'POST',
      path: `${one}/setLabels`,
      permission: 'compute.globalForwardingRules.setLabels',
      target,
      body: LabelsBody,
      handler(request) {
        const rule = rules.get(projectId(request), name(request))
        const record = labelled(rule.record, request.body.labels)
        if (!sameFingerprint(request.body.labelFingerprint, rule.record.labelFingerprint)) throw fingerprintMismatch('Labels')
        return answer(rules.change(caller(request), rule, 'setLabels', record))
      },
    },
  ]
}

function policyRoutes(kit: RouteKit): readonly AnyRoute[] {
  const { caller, projectId, answer } = kit
  const { policies } = kit.balancing
  const target = kit.on('securityPolicies', 'securityPolicy')
  const one = `${GLOBAL}/securityPolicies/:securityPolicy`
  const find = (request: RouteRequest): ReturnType<typeof policies.get> => policies.get(projectId(request), request.params['securityPolicy'] ?? '')

  function priority(request: RouteRequest): number {
    const asked = request.query['priority'] ?? ''
    if (/^\d+$/.test(asked)) return Number(asked)
    throw invalidArgument(`Invalid value for field 'priority': '${asked}'. The priority of a rule must be given.`)
  }

  return [
    ...collectionRoutes(kit, policies, SecurityPolicyBody, {
      collection: 'securityPolicies',
      parameter: 'securityPolicy',
      listKind: 'securityPolicyList',
      listHasLink: false,
      aggregatedKind: 'securityPoliciesAggregatedList',
      changes: ['patch'],
    }),
    {
      id: 'compute.securityPolicies.setLabels',
      method: 'POST',
      path: `${one}/setLabels`,
      permission: 'compute.securityPolicies.setLabels',
      target,
      body: LabelsBody,
      handler(request) {
        const policy = find(request)
        const record = labelled(policy.record, request.body.labels)
        if (!sameFingerprint(request.body.labelFingerprint, policy.record.labelFingerprint)) throw fingerprintMismatch('Labels')
        return answer(policies.change(caller(request), policy, 'setLabels', record))
      },
    },
    {
      id: 'compute.securityPolicies.getRule',
      method: 'GET',
      path: `${one}/getRule`,
      permission: 'compute.securityPolicies.get',
      target,
      handler: (request) => findRule(find(request).record, priority(request)),
    },
    {
      id: 'compute.securityPolicies.addRule',
      method: 'POST',
      path: `${one}/addRule`,
      permission: 'compute.securityPolicies.update',
      target,
      body: SecurityRuleBody,
      handler(request) {
        const policy = find(request)
        return answer(policies.change(caller(request), policy, 'addRule', withRule(policy.record, buildRule(request.body, 'resource'))))
      },
    },
    {
      id: 'compute.securityPolicies.patchRule',
      method: 'POST',
      path: `${one}/patchRule`,
      permission: 'compute.securityPolicies.update',
      target,
      body: SecurityRuleBody,
      handler(request) {
        const policy = find(request)
        const before = findRule(policy.record, priority(request))
        const rule = buildRule({ ...(mergePatch(before, request.body) as SecurityRuleBody), priority: before.priority ?? 0 }, 'resource')
        const rules = (policy.record.rules ?? []).map((each) => (each.priority === before.priority ? rule : each))
        return answer(policies.change(caller(request), policy, 'patchRule', { ...policy.record, rules }))
      },
    },
    {
      id: 'compute.securityPolicies.removeRule',
      method: 'POST',
      path: `${one}/removeRule`,
      permission: 'compute.securityPolicies.update',
      target,
      handler(request) {
        const policy = find(request)
        return answer(policies.change(caller(request), policy, 'removeRule', withoutRule(policy.record, priority(request))))
      },
    },
  ]
}
