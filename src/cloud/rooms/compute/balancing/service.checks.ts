/** Health checks as resources. Probing is in probe.ts and health.ts. https://cloud.google.com/compute/docs/reference/rest/v1/healthChecks */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { ApiError, invalidArgument } from '../../../kernel/api-error.ts'
import { compact } from './noun.ts'
import type { Built } from './noun.ts'
import type { HealthCheckBody, LegacyHealthCheckBody } from './schema.ts'

export type HealthCheckRecord = compute_v1.Schema$HealthCheck
export type LegacyHealthCheckRecord = compute_v1.Schema$HttpHealthCheck

const members = { HTTP: 'httpHealthCheck', HTTPS: 'httpsHealthCheck', HTTP2: 'http2HealthCheck', TCP: 'tcpHealthCheck', SSL: 'sslHealthCheck' } as const
const ports = { HTTP: 80, HTTPS: 443, HTTP2: 443, TCP: 80, SSL: 443 } as const

export type CheckType = keyof typeof members

/** The fields of a check with Google's defaults. @throws ApiError 400; 501 for gRPC checks */
export function buildHealthCheck(body: HealthCheckBody): Built<HealthCheckRecord> {
  const type = requireType(body)
  const member = members[type]
  const given = body[member] ?? {}
  const specification = given.portSpecification ?? (given.portName ? 'USE_NAMED_PORT' : 'USE_FIXED_PORT')
  if (!['USE_FIXED_PORT', 'USE_NAMED_PORT', 'USE_SERVING_PORT'].includes(specification))
    throw invalidArgument(`Invalid value for field 'resource.${member}.portSpecification': '${specification}'.`)
  if (specification === 'USE_SERVING_PORT' && (given.port || given.portName))
    throw invalidArgument(`Invalid value for field 'resource.${member}.port': '${given.port ?? given.portName}'. Port and port name exclude USE_SERVING_PORT.`)
  const isHttp = type === 'HTTP' || type === 'HTTPS' || type === 'HTTP2'
  if (isHttp && given.requestPath && !given.requestPath.startsWith('/'))
    throw invalidArgument(`Invalid value for field 'resource.${member}.requestPath': '${given.requestPath}'. Must start with '/'.`)
  return {
    record: compact({
      description: body.description || undefined,
      type,
      ...cadence(body),
      [member]: compact({
        ...given,
        ...(specification === 'USE_FIXED_PORT' ? { port: requirePort(given.port ?? ports[type], `resource.${member}.port`) } : {}),
        ...(given.portSpecification ? { portSpecification: specification } : {}),
        ...(isHttp ? { requestPath: given.requestPath || '/' } : {}),
        proxyHeader: given.proxyHeader ?? 'NONE',
      }),
      logConfig: { enable: false, ...(body['logConfig'] as object | undefined) },
    }),
  }
}

export function buildLegacyHealthCheck(body: LegacyHealthCheckBody): Built<LegacyHealthCheckRecord> {
  return {
    record: compact({
      description: body.description ?? '',
      host: body.host ?? '',
      port: requirePort(body.port ?? 80, 'resource.port'),
      requestPath: body.requestPath || '/',
      ...cadence(body),
    }),
  }
}

function requireType(body: HealthCheckBody): CheckType {
  const type = body.type ?? Object.entries(members).find(([, member]) => body[member])?.[0]
  if (type === 'GRPC' || body.grpcHealthCheck) throw new ApiError('UNIMPLEMENTED', 'The pocket cloud does not probe over gRPC. Use HTTP, HTTPS, HTTP2, TCP or SSL.')
  if (type !== undefined && type !== null && Object.hasOwn(members, type)) return type as CheckType
  throw invalidArgument(`Invalid value for field 'resource.type': '${type ?? ''}'. Must be one of ${Object.keys(members).join(', ')}.`)
}

export function requirePort(port: number, field: string): number {
  if (port >= 1 && port <= 65_535) return port
  throw invalidArgument(`Invalid value for field '${field}': '${port}'. Must be between 1 and 65535.`)
}

interface Cadence {
  readonly checkIntervalSec: number
  readonly timeoutSec: number
  readonly healthyThreshold: number
  readonly unhealthyThreshold: number
}

function cadence(body: { [Key in keyof Cadence]?: number | null | undefined }): Cadence {
  const values = {
    checkIntervalSec: body.checkIntervalSec ?? 5,
    timeoutSec: body.timeoutSec ?? 5,
    healthyThreshold: body.healthyThreshold ?? 2,
    unhealthyThreshold: body.unhealthyThreshold ?? 2,
  }
  const limits = { checkIntervalSec: 300, timeoutSec: 300, healthyThreshold: 10, unhealthyThreshold: 10 }
  for (const field of ['checkIntervalSec', 'timeoutSec', 'healthyThreshold', 'unhealthyThreshold'] as const) {
    if (values[field] < 1 || values[field] > limits[field])
      throw invalidArgument(`Invalid value for field 'resource.${field}': '${values[field]}'. Must be between 1 and ${limits[field]}.`)
  }
  if (values.timeoutSec > values.checkIntervalSec)
    throw invalidArgument(`Invalid value for field 'resource.timeoutSec': '${values.timeoutSec}'. TimeoutSec should be less than checkIntervalSec.`)
  return values
}

/** What is sent and what is expected, whichever kind of check it is. */
export interface ProbePlan extends Cadence {
  readonly type: CheckType
  readonly host?: string
  readonly path: string
  readonly request?: string
  readonly response?: string
  readonly port?: number
  readonly portName?: string
  readonly proxyHeader: boolean
}

/** A check, of either collection, as what the prober does. */
export function planOf(record: HealthCheckRecord | LegacyHealthCheckRecord): ProbePlan {
  const type = ('type' in record ? record.type : 'HTTP') as CheckType
  const detail = ('type' in record ? record[members[type]] : record) as compute_v1.Schema$HTTPHealthCheck & { request?: string | null; response?: string | null }
  return {
    type,
    ...cadence(record),
    path: detail.requestPath ?? '/',
    proxyHeader: detail.proxyHeader === 'PROXY_V1',
    ...(detail.host ? { host: detail.host } : {}),
    ...(detail.port ? { port: detail.port } : {}),
    ...(detail.portName ? { portName: detail.portName } : {}),
    ...(detail.request ? { request: detail.request } : {}),
    ...(detail.response ? { response: detail.response } : {}),
  }
}
