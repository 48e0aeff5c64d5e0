/** What the rows ask of the data path: endpoints, probes, and HAProxy's model. Reads rows; changes nothing. */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { join } from 'node:path'
import { sha256Hex } from '../../../../base/ids.ts'
import { parseLink, selfLink } from '../links.ts'
import type { GroupMember, Members } from '../groups/members.ts'
import type { Compute } from '../service.ts'
import type { Instance } from '../service.instances.ts'
import type { Resource } from '../store.ts'
import type { BackendModel, BalancerModel, FrontendModel } from './config.ts'
import type { BackendServiceRecord } from './service.backends.ts'
import { planOf } from './service.checks.ts'
import type { HealthCheckRecord, ProbePlan } from './service.checks.ts'
import type { SecurityPolicyRecord } from './service.policies.ts'
import type { SslCertificate, TargetHttpsProxyRecord } from './service.proxies.ts'
import type { ForwardingRuleRecord } from './service.rules.ts'
import type { UrlMapRecord } from './service.url-maps.ts'

export type BackendService = Resource<BackendServiceRecord>

/** One instance behind a backend service. */
export interface BackendMember {
  readonly service: BackendService
  readonly group: string
  readonly instance: Instance
  /** The guest's port that gets the requests. */
  readonly port: number
  readonly check?: { readonly link: string; readonly plan: ProbePlan; readonly port: number }
  readonly isStaying: boolean
  /** 0 to 256. */
  readonly weight: number
}

/** A probe that auto-healing alone asks for. */
export interface HealingProbe {
  readonly instance: Instance
  readonly link: string
  readonly plan: ProbePlan
  readonly port: number
}

export interface Desired {
  readonly members: readonly BackendMember[]
  readonly healing: readonly HealingProbe[]
  /** Guest ports by instance id. */
  readonly ports: ReadonlyMap<string, ReadonlySet<number>>
}

const FULL_WEIGHT = 100

export function createDesired(compute: Compute, groupMembers: Members) {
  const { store } = compute

  function services(): readonly BackendService[] {
    return store.list('backendServices') as readonly BackendService[]
  }

  function byLink<Record extends object>(link: string | null | undefined, collection: string): Resource<Record> | undefined {
    return link ? (store.get(parseLink(link, { projectId: '', scope: 'global', collection })) as Resource<Record> | undefined) : undefined
  }

  function checkOf(link: string | null | undefined): { link: string; plan: ProbePlan } | undefined {
    const collection = link?.includes('/httpHealthChecks/') === true ? 'httpHealthChecks' : 'healthChecks'
    const check = byLink<HealthCheckRecord>(link, collection)
    return check === undefined ? undefined : { link: selfLink(check), plan: planOf(check.record) }
  }

  function servingPorts(service: BackendServiceRecord, group: string): readonly number[] {
    const named = groupMembers.namedPorts(group, service.portName ?? '')
    return named.length > 0 ? named : [service.port ?? 80]
  }

  function checkPort(plan: ProbePlan, group: string, serving: number): number {
    if (plan.port !== undefined) return plan.port
    return (plan.portName === undefined ? undefined : groupMembers.namedPorts(group, plan.portName)[0]) ?? serving
  }

  /** Only instances that share a group's rate are weighed against each other by it; else each counts alike, scaled as the backend says. */
  function weightOf(backend: compute_v1.Schema$Backend, members: readonly GroupMember[]): number {
    const perInstance = backend.balancingMode === 'RATE' ? (backend.maxRatePerInstance ?? (backend.maxRate ?? 0) / Math.max(1, members.length)) : FULL_WEIGHT
    const scaled = Math.round(Math.min(256, Math.max(1, perInstance)) * (backend.capacityScaler ?? 1))
    return (backend.capacityScaler ?? 1) > 0 ? Math.max(1, scaled) : 0
  }

  function membersOf(service: BackendService): readonly BackendMember[] {
    const check = checkOf(service.record.healthChecks?.[0])
    return (service.record.backends ?? []).flatMap((backend) => {
      const group = backend.group ?? ''
      const members = groupMembers.members(group)
      const weight = weightOf(backend, members)
      return members.flatMap(({ instance, isStaying }) =>
        servingPorts(service.record, group).map((port): BackendMember => ({
          service,
          group,
          instance,
          port,
          isStaying,
          weight,
          ...(check === undefined ? {} : { check: { ...check, port: checkPort(check.plan, group, port) } }),
        })),
      )
    })
  }

  function read(): Desired {
    const members = services().flatMap(membersOf)
    const healing = groupMembers.probeTargets().flatMap(({ healthCheck, group, member }): readonly HealingProbe[] => {
      const check = checkOf(healthCheck)
      return check === undefined ? [] : [{ instance: member.instance, ...check, port: checkPort(check.plan, group, 80) }]
    })
    const ports = new Map<string, Set<number>>()
    const need = (instance: Instance, port: number): void => void ports.set(instance.id, (ports.get(instance.id) ?? new Set()).add(port))
    for (const member of members) {
      need(member.instance, member.port)
      if (member.check !== undefined) need(member.instance, member.check.port)
    }
    for (const probe of healing) need(probe.instance, probe.port)
    return { members, healing, ports }
  }

  function frontends(certificateFolder: string): readonly FrontendModel[] {
    return (store.list('forwardingRules') as readonly Resource<ForwardingRuleRecord>[]).flatMap((rule): readonly FrontendModel[] => {
      const target = rule.record.target ?? ''
      const isHttps = target.includes('/targetHttpsProxies/')
      const proxy = byLink<TargetHttpsProxyRecord>(target, isHttps ? 'targetHttpsProxies' : 'targetHttpProxies')
      const urlMap = byLink<UrlMapRecord>(proxy?.record.urlMap, 'urlMaps')
      if (proxy === undefined || urlMap === undefined) return []
      const certificates = isHttps ? certificatesOf(proxy.record) : []
      // Until a certificate is there, nobody can be greeted.
      if (isHttps && certificates.length === 0) return []
      return [
        {
          id: rule.id,
          address: rule.record.IPAddress ?? '',
          port: Number((rule.record.portRange ?? '80').split('-')[0]),
          urlMap: urlMap.record,
          ...(isHttps ? { certificateFiles: certificates.map((certificate) => certificateFile(certificateFolder, certificate)) } : {}),
        },
      ]
    })
  }

  function certificatesOf(proxy: TargetHttpsProxyRecord): readonly SslCertificate[] {
    return (proxy.sslCertificates ?? []).flatMap((link) => {
      const certificate = byLink(link, 'sslCertificates') as SslCertificate | undefined
      return certificate?.hidden.privateKey === undefined ? [] : [certificate]
    })
  }

  return {
    read,
    services,
    membersOf,
    checkOf,
    /** Certificates that some frontend shows. */
    certificates(): readonly SslCertificate[] {
      return (store.list('targetHttpsProxies') as readonly Resource<TargetHttpsProxyRecord>[]).flatMap((proxy) => certificatesOf(proxy.record))
    },
    /** Without servers: those depend on health. */
    model(certificateFolder: string): BalancerModel {
      const shown = frontends(certificateFolder)
      const named = JSON.stringify(shown.map((frontend) => frontend.urlMap))
      const backends = services()
        .filter((service) => named.includes(`"${selfLink(service)}"`))
        .map((service): BackendModel => {
          const { record } = service
          const policy = byLink<SecurityPolicyRecord>(record.securityPolicy, 'securityPolicies')
          const check = checkOf(record.healthChecks?.[0])
          return {
            id: service.id,
            link: selfLink(service),
            scheme: record.loadBalancingScheme === 'EXTERNAL_MANAGED' ? 'EXTERNAL_MANAGED' : 'EXTERNAL',
            protocol: record.protocol ?? 'HTTP',
            timeoutSec: record.timeoutSec ?? 30,
            affinity: record.sessionAffinity ?? 'NONE',
            affinityCookieTtlSec: record.affinityCookieTtlSec ?? 0,
            requestHeaders: record.customRequestHeaders ?? [],
            responseHeaders: record.customResponseHeaders ?? [],
            ...(policy === undefined ? {} : { policy: policy.record }),
            ...(check === undefined ? {} : { check: check.plan }),
            servers: [],
          }
        })
      return { frontends: shown, backends }
    },
  }
}

export type DesiredState = ReturnType<typeof createDesired>

/** Another one for every content, so that a renewed certificate is another structure. */
export function certificateFile(folder: string, certificate: SslCertificate): string {
  return join(folder, `${certificate.id}-${sha256Hex(certificate.record.certificate ?? '').slice(0, 16)}.pem`)
}

export function serverName(member: Pick<BackendMember, 'instance' | 'port'>): string {
  return `i${member.instance.id}-${member.port}`
}

export function drainingTimeoutMs(service: BackendServiceRecord): number {
  return (service.connectionDraining?.drainingTimeoutSec ?? 0) * 1000
}
