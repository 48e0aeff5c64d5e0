/** Load balancing of the compute room, put together. */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { invalidArgument } from '../../../kernel/api-error.ts'
import type { RequestCountsPort } from '../../../kernel/ports.ts'
import type { Balancing, Health as MemberHealth, Members } from '../groups/members.ts'
import { linkTail, selfLink } from '../links.ts'
import { requireLabels } from '../service.ts'
import type { Compute } from '../service.ts'
import type { Addresses } from '../service.addresses.ts'
import type { Instance } from '../service.instances.ts'
import type { Machines } from '../service.machines.ts'
import { fingerprint } from '../shapes.ts'
import { backendName } from './config.ts'
import { createDataPath } from './data-path.ts'
import type { DataPath } from './data-path.ts'
import { createDesired } from './desired.ts'
import type { BackendMember } from './desired.ts'
import { createHaproxy } from './haproxy.ts'
import { createHealth } from './health.ts'
import type { HealthReport } from './health.ts'
import { createNoun, requireLink } from './noun.ts'
import type { Noun } from './noun.ts'
import { createReach } from './reach.ts'
import type {
  BackendServiceBody,
  ForwardingRuleBody,
  HealthCheckBody,
  LegacyHealthCheckBody,
  SecurityPolicyBody,
  SslCertificateBody,
  TargetProxyBody,
  UrlMapBody,
} from './schema.ts'
import { buildBackendService, requireGroup } from './service.backends.ts'
import type { BackendServiceRecord } from './service.backends.ts'
import { buildHealthCheck, buildLegacyHealthCheck } from './service.checks.ts'
import type { HealthCheckRecord, LegacyHealthCheckRecord } from './service.checks.ts'
import { buildSecurityPolicy } from './service.policies.ts'
import type { SecurityPolicyRecord } from './service.policies.ts'
import { buildCertificate, buildHttpProxy, buildHttpsProxy, renewCertificates, settleCertificate } from './service.proxies.ts'
import type { CertificateSigner, SslCertificateHidden, SslCertificateRecord, TargetHttpProxyRecord, TargetHttpsProxyRecord } from './service.proxies.ts'
import { buildForwardingRule, noteAddressUse } from './service.rules.ts'
import type { ForwardingRuleRecord } from './service.rules.ts'
import { buildUrlMap } from './service.url-maps.ts'
import type { UrlMapRecord } from './service.url-maps.ts'
import { createBalancingStore } from './store.ts'
import { createTraffic } from './traffic.ts'

export interface LoadBalancing {
  readonly healthChecks: Noun<HealthCheckBody, HealthCheckRecord>
  readonly legacyHealthChecks: Noun<LegacyHealthCheckBody, LegacyHealthCheckRecord>
  readonly backendServices: Noun<BackendServiceBody, BackendServiceRecord>
  readonly urlMaps: Noun<UrlMapBody, UrlMapRecord>
  readonly httpProxies: Noun<TargetProxyBody, TargetHttpProxyRecord>
  readonly httpsProxies: Noun<TargetProxyBody, TargetHttpsProxyRecord>
  readonly certificates: Noun<SslCertificateBody, SslCertificateRecord, SslCertificateHidden>
  readonly rules: Noun<ForwardingRuleBody, ForwardingRuleRecord>
  readonly policies: Noun<SecurityPolicyBody, SecurityPolicyRecord>
  /** State of the members of one group as backends of a service. @throws ApiError 400, 404 */
  groupHealth(projectId: string, serviceName: string, groupLink: string | null | undefined): compute_v1.Schema$BackendServiceGroupHealth
  /** Health by a check, with the last answer as evidence. Links of any form. */
  healthOf(instanceLink: string, healthCheckLink: string): HealthReport
  /** What groups ask of load balancing. */
  readonly balancing: Balancing
  readonly dataPath: DataPath
  /** What Cloud Monitoring tells of it. */
  readonly requestCounts: RequestCountsPort
}

export interface LoadBalancingParts {
  readonly addresses: Addresses
  readonly machines: Machines
  readonly members: Members
  readonly signCertificate?: CertificateSigner | undefined
}

export function createLoadBalancing(compute: Compute, parts: LoadBalancingParts): LoadBalancing {
  const { addresses, machines, members } = parts
  const desired = createDesired(compute, members)
  const reach = createReach(compute, createBalancingStore(compute.kernel.database))
  const health = createHealth(
    () => void apply().catch((error: unknown) => compute.kernel.log.error({ err: error }, 'a change of health did not reach the load balancer')),
    undefined,
    (instanceId) => {
      const instance = compute.kernel.faults.active ? compute.store.byId(instanceId) : undefined
      return instance !== undefined && compute.kernel.faults.isUnhealthy(instance.name, instance.projectId)
    },
  )
  const traffic = createTraffic()
  const dataPath = createDataPath(compute, {
    desired,
    reach,
    traffic,
    haproxy: createHaproxy(compute.kernel.home),
    health,
    refreshForwards: machines.refreshForwards,
    renewCertificates: () => renewCertificates(compute, parts.signCertificate),
  })

  function apply(): Promise<void> {
    return dataPath.apply()
  }

  function reportOf(member: BackendMember): HealthReport {
    return member.check === undefined ? { state: 'HEALTHY' } : health.report(member.instance.id, member.check.link, member.check.port)
  }

  const rules = createNoun<ForwardingRuleBody, ForwardingRuleRecord>(
    compute,
    {
      collection: 'forwardingRules',
      kind: 'forwardingRule',
      fingerprinted: true,
      build: (body, context) => buildForwardingRule(compute, body, context),
      onInserted(rule) {
        const placed = rule.record.IPAddress === '' ? { ...rule, record: { ...rule.record, IPAddress: addresses.chooseExternal() } } : rule
        compute.store.update(placed)
        noteAddressUse(compute, addresses, placed, false)
      },
      onRemoved: (rule) => noteAddressUse(compute, addresses, rule, true),
      // A rule that does not listen is no rule: its insert fails and leaves nothing behind.
      settle: async () => {},
    },
    apply,
    ['setTarget', 'setLabels'],
  )

  const backendServices = createNoun<BackendServiceBody, BackendServiceRecord>(
    compute,
    { collection: 'backendServices', kind: 'backendService', fingerprinted: true, build: (body, context) => buildBackendService(compute, body, context) },
    apply,
    ['setSecurityPolicy'],
  )

  return {
    healthChecks: createNoun<HealthCheckBody, HealthCheckRecord>(
      compute,
      { collection: 'healthChecks', kind: 'healthCheck', fingerprinted: false, build: buildHealthCheck },
      apply,
    ),
    legacyHealthChecks: createNoun<LegacyHealthCheckBody, LegacyHealthCheckRecord>(
      compute,
      { collection: 'httpHealthChecks', kind: 'httpHealthCheck', fingerprinted: false, build: buildLegacyHealthCheck },
      apply,
    ),
    backendServices,
    urlMaps: createNoun<UrlMapBody, UrlMapRecord>(
      compute,
      { collection: 'urlMaps', kind: 'urlMap', fingerprinted: true, build: (body, context) => buildUrlMap(compute, body, context) },
      apply,
    ),
    httpProxies: createNoun<TargetProxyBody, TargetHttpProxyRecord>(
      compute,
      { collection: 'targetHttpProxies', kind: 'targetHttpProxy', fingerprinted: true, build: (body, context) => buildHttpProxy(compute, body, context) },
      apply,
      ['setUrlMap'],
    ),
    httpsProxies: createNoun<TargetProxyBody, TargetHttpsProxyRecord>(
      compute,
      { collection: 'targetHttpsProxies', kind: 'targetHttpsProxy', fingerprinted: true, build: (body, context) => buildHttpsProxy(compute, body, context) },
      apply,
      ['setUrlMap', 'setSslCertificates'],
    ),
    certificates: createNoun<SslCertificateBody, SslCertificateRecord, SslCertificateHidden>(
      compute,
      {
        collection: 'sslCertificates',
        kind: 'sslCertificate',
        fingerprinted: false,
        build: buildCertificate,
        settle: (certificate) => settleCertificate(compute, certificate, parts.signCertificate),
      },
      apply,
    ),
    rules,
    policies: createNoun<SecurityPolicyBody, SecurityPolicyRecord>(
      compute,
      { collection: 'securityPolicies', kind: 'securityPolicy', fingerprinted: true, build: buildSecurityPolicy },
      apply,
      ['addRule', 'patchRule', 'removeRule', 'setLabels'],
    ),
    groupHealth(projectId, serviceName, groupLink) {
      const service = backendServices.get(projectId, serviceName)
      const group = linkTail(requireGroup(compute, projectId, groupLink ?? ''))
      if (!(service.record.backends ?? []).some((backend) => linkTail(backend.group ?? '') === group))
        throw invalidArgument(`Invalid value for field 'resource.group': '${groupLink ?? ''}'. The group is no backend of '${serviceName}'.`)
      const healthStatus = desired
        .membersOf(service)
        .filter((member) => linkTail(member.group) === group)
        .map((member): compute_v1.Schema$HealthStatus => {
          const { state, last } = reportOf(member)
          return {
            instance: selfLink(member.instance),
            ipAddress: member.instance.record.networkInterfaces?.[0]?.networkIP ?? '',
            port: member.port,
            healthState: state === 'HEALTHY' ? 'HEALTHY' : 'UNHEALTHY',
            ...(state === 'HEALTHY' || last === undefined ? {} : { annotations: evidence(last) }),
          }
        })
      return { kind: 'compute#backendServiceGroupHealth', ...(healthStatus.length === 0 ? {} : { healthStatus }) }
    },
    healthOf(instanceLink, healthCheckLink) {
      const instance = (compute.store.list('instances') as readonly Instance[]).find((each) => linkTail(selfLink(each)) === linkTail(instanceLink))
      const check = desired.checkOf(healthCheckLink)
      if (instance === undefined || check === undefined) return { state: 'UNKNOWN' }
      return worst(health.reports(instance.id, check.link))
    },
    balancing: {
      healthByCheck(instance, healthCheck): MemberHealth {
        const check = desired.checkOf(healthCheck)
        return check === undefined ? 'UNKNOWN' : worst(health.reports(instance.id, check.link)).state
      },
      healthAsBackend(instance, groupLink) {
        const group = linkTail(groupLink)
        const mine = desired
          .services()
          .flatMap((service) =>
            (service.record.backends ?? []).some((backend) => linkTail(backend.group ?? '') === group)
              ? desired.membersOf(service).filter((member) => member.instance.id === instance.id && linkTail(member.group) === group)
              : [],
          )
        return mine.length === 0 ? undefined : worst(mine.map(reportOf)).state
      },
      drain: (instance) => dataPath.drain(instance),
    },
    dataPath,
    requestCounts: {
      list: (projectId) =>
        desired
          .services()
          .filter((service) => service.projectId === projectId)
          .flatMap((service) => traffic.of(backendName(service)).map((each) => ({ backendService: service.name, ...each }))),
    },
  }
}

function worst(reports: readonly HealthReport[]): HealthReport {
  for (const state of ['UNHEALTHY', 'UNKNOWN'] as const) {
    const found = reports.find((report) => report.state === state)
    if (found !== undefined) return found
  }
  return reports[0] ?? { state: 'UNKNOWN' }
}

/** Google has room for notes on a state; these say what the last probe saw. */
function evidence(last: NonNullable<HealthReport['last']>): Record<string, string> {
  return {
    probedAt: new Date(last.atMs).toISOString(),
    ...(last.status === undefined ? {} : { status: String(last.status) }),
    ...(last.error === undefined ? {} : { error: last.error }),
    ...(last.body ? { body: last.body } : {}),
  }
}

/** A record with other labels. @throws ApiError 400 */
export function labelled<Labelled extends object>(
  record: Labelled,
  labels: Readonly<Record<string, string>> | null | undefined,
): Labelled & { labels: Record<string, string>; labelFingerprint: string } {
  const checked = requireLabels(labels)
  return { ...record, labels: checked, labelFingerprint: fingerprint(checked) }
}

/** Google's form of the link of a security policy; undefined takes the policy away. @throws ApiError 404 */
export function policyLink(compute: Compute, projectId: string, link: string | null | undefined): string | undefined {
  return link ? requireLink(compute, projectId, link, 'securityPolicies') : undefined
}
