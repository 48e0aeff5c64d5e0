/** Backend services as resources. https://cloud.google.com/compute/docs/reference/rest/v1/backendServices */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { ApiError, invalidArgument } from '../../../kernel/api-error.ts'
import { parseLink, selfLink } from '../links.ts'
import type { Compute } from '../service.ts'
import { compact, requireLink } from './noun.ts'
import type { BuildContext, Built } from './noun.ts'
import { requirePort } from './service.checks.ts'
import type { BackendServiceBody } from './schema.ts'

export type BackendServiceRecord = compute_v1.Schema$BackendService

const protocols = ['HTTP', 'HTTPS', 'HTTP2', 'H2C']
const affinities = ['NONE', 'CLIENT_IP', 'GENERATED_COOKIE']

/** The fields of a backend service with Google's defaults. @throws ApiError 400, 404 for a link that leads nowhere */
export function buildBackendService(compute: Compute, body: BackendServiceBody, context: BuildContext<BackendServiceRecord>): Built<BackendServiceRecord> {
  const { projectId } = context
  const scheme = body.loadBalancingScheme ?? context.before?.loadBalancingScheme ?? 'EXTERNAL'
  if (scheme !== 'EXTERNAL' && scheme !== 'EXTERNAL_MANAGED')
    throw new ApiError('UNIMPLEMENTED', `The pocket cloud balances with EXTERNAL and EXTERNAL_MANAGED only, not with loadBalancingScheme ${scheme}.`)
  const protocol = oneOf(body.protocol ?? 'HTTP', protocols, 'protocol')
  const affinity = oneOf(body.sessionAffinity ?? 'NONE', affinities, 'sessionAffinity')
  const healthChecks = (body.healthChecks ?? []).map((link) => requireCheck(compute, projectId, link))
  if (healthChecks.length > 1) throw invalidArgument("Invalid value for field 'resource.healthChecks': a backend service has exactly one health check.")
  const backends = (body.backends ?? []).map((each, index) => buildBackend(compute, projectId, each, index))
  if (backends.length > 0 && healthChecks.length === 0) throw invalidArgument("Invalid value for field 'resource.healthChecks': ''. Health checks must be specified.")
  const groups = backends.map((each) => each.group)
  if (new Set(groups).size < groups.length) throw invalidArgument("Invalid value for field 'resource.backends': an instance group is named twice.")
  const timeoutSec = body.timeoutSec ?? 30
  if (timeoutSec < 1 || timeoutSec > 2_147_483_647) throw invalidArgument(`Invalid value for field 'resource.timeoutSec': '${timeoutSec}'. Must be between 1 and 2147483647.`)
  const drainingTimeoutSec = body.connectionDraining?.drainingTimeoutSec ?? 0
  if (drainingTimeoutSec < 0 || drainingTimeoutSec > 3600)
    throw invalidArgument(`Invalid value for field 'resource.connectionDraining.drainingTimeoutSec': '${drainingTimeoutSec}'. Must be between 0 and 3600.`)
  for (const header of [...(body.customRequestHeaders ?? []), ...(body.customResponseHeaders ?? [])]) {
    if (!/^[\w-]+:[^\r\n]*$/.test(header)) throw invalidArgument(`Invalid value for field 'resource.customRequestHeaders': '${header}'. Must be NAME:VALUE.`)
  }
  return {
    record: compact({
      ...body,
      description: body.description ?? '',
      backends,
      healthChecks: healthChecks.length === 0 ? undefined : healthChecks,
      protocol,
      port: requirePort(body.port ?? (protocol === 'HTTP' || protocol === 'H2C' ? 80 : 443), 'resource.port'),
      portName: body.portName || (protocol === 'HTTP' ? 'http' : protocol === 'H2C' ? 'h2c' : protocol.toLowerCase()),
      timeoutSec,
      loadBalancingScheme: scheme,
      sessionAffinity: affinity,
      affinityCookieTtlSec: body.affinityCookieTtlSec ?? 0,
      connectionDraining: { drainingTimeoutSec },
      enableCDN: body.enableCDN === true,
      logConfig: compact({ enable: body.logConfig?.enable === true, sampleRate: body.logConfig?.enable === true ? (body.logConfig.sampleRate ?? 1) : undefined }),
      securityPolicy: body.securityPolicy ? requireLink(compute, projectId, body.securityPolicy, 'securityPolicies') : undefined,
    }) as BackendServiceRecord,
  }
}

function buildBackend(compute: Compute, projectId: string, body: NonNullable<BackendServiceBody['backends']>[number], index: number): compute_v1.Schema$Backend {
  const field = `resource.backends[${index}]`
  if (!body.group) throw invalidArgument(`Invalid value for field '${field}.group': ''. The group of a backend must be given.`)
  const mode = oneOf(body.balancingMode ?? 'UTILIZATION', ['UTILIZATION', 'RATE'], `backends[${index}].balancingMode`)
  const capacityScaler = body.capacityScaler ?? 1
  if (capacityScaler < 0 || capacityScaler > 1) throw invalidArgument(`Invalid value for field '${field}.capacityScaler': '${capacityScaler}'. Must be between 0.0 and 1.0.`)
  if (mode === 'RATE' && !body.maxRate && !body.maxRatePerInstance)
    throw invalidArgument(`Invalid value for field '${field}.maxRate': ''. Either maxRate or maxRatePerInstance must be set for balancing mode RATE.`)
  return compact({
    ...body,
    group: requireGroup(compute, projectId, body.group),
    balancingMode: mode,
    capacityScaler,
    // Its default, 0.8, is not shown: Terraform would see another backend than the one that it made.
    maxUtilization: mode === 'UTILIZATION' ? body.maxUtilization || undefined : undefined,
    maxRate: body.maxRate || undefined,
    maxRatePerInstance: body.maxRatePerInstance || undefined,
  })
}

/** Google's form of an instance group's link. @throws ApiError 400, 404 */
export function requireGroup(compute: Compute, projectId: string, link: string): string {
  return requireLink(compute, projectId, link, 'instanceGroups')
}

/** A health check of either collection. @throws ApiError 400, 404 */
export function requireCheck(compute: Compute, projectId: string, link: string): string {
  return requireLink(compute, projectId, link, link.includes('/httpHealthChecks/') ? 'httpHealthChecks' : 'healthChecks')
}

function oneOf(value: string, allowed: readonly string[], field: string): string {
  if (allowed.includes(value)) return value
  throw invalidArgument(`Invalid value for field 'resource.${field}': '${value}'. The pocket cloud has ${allowed.join(', ')}.`)
}

/** The link of a backend service that a URL map names. @throws ApiError 400, 404; 501 for backend buckets */
export function requireService(compute: Compute, projectId: string, link: string): string {
  if (link.includes('/backendBuckets/')) throw new ApiError('UNIMPLEMENTED', 'The pocket cloud has no backend buckets.')
  const reference = parseLink(link, { projectId, scope: 'global', collection: 'backendServices' })
  return requireLink(compute, projectId, selfLink(reference), 'backendServices')
}
