/** Request bodies of load balancing: only the fields that are read. What else a client sends is kept where Google keeps it. */
import { z } from 'zod'

const text = z.string().nullish()
const number = z.number().int().nullish()
const flag = z.boolean().nullish()
const texts = z.array(z.string()).nullish()

const probe = z.looseObject({
  port: number,
  portName: text,
  portSpecification: text,
  host: text,
  requestPath: text,
  response: text,
  request: text,
  proxyHeader: text,
})

export const HealthCheckBody = z.looseObject({
  name: text,
  description: text,
  type: text,
  checkIntervalSec: number,
  timeoutSec: number,
  healthyThreshold: number,
  unhealthyThreshold: number,
  httpHealthCheck: probe.nullish(),
  httpsHealthCheck: probe.nullish(),
  http2HealthCheck: probe.nullish(),
  tcpHealthCheck: probe.nullish(),
  sslHealthCheck: probe.nullish(),
  grpcHealthCheck: z.looseObject({}).nullish(),
})
export type HealthCheckBody = z.infer<typeof HealthCheckBody>

export const LegacyHealthCheckBody = z.looseObject({
  name: text,
  description: text,
  host: text,
  port: number,
  requestPath: text,
  checkIntervalSec: number,
  timeoutSec: number,
  healthyThreshold: number,
  unhealthyThreshold: number,
})
export type LegacyHealthCheckBody = z.infer<typeof LegacyHealthCheckBody>

const backend = z.looseObject({
  group: text,
  balancingMode: text,
  capacityScaler: z.number().nullish(),
  maxUtilization: z.number().nullish(),
  maxRate: number,
  maxRatePerInstance: z.number().nullish(),
})

export const BackendServiceBody = z.looseObject({
  name: text,
  description: text,
  fingerprint: text,
  backends: z.array(backend).nullish(),
  healthChecks: texts,
  protocol: text,
  port: number,
  portName: text,
  timeoutSec: number,
  loadBalancingScheme: text,
  sessionAffinity: text,
  affinityCookieTtlSec: number,
  connectionDraining: z.looseObject({ drainingTimeoutSec: number }).nullish(),
  securityPolicy: text,
  enableCDN: flag,
  logConfig: z.looseObject({ enable: flag, sampleRate: z.number().nullish() }).nullish(),
  customRequestHeaders: texts,
  customResponseHeaders: texts,
  localityLbPolicy: text,
})
export type BackendServiceBody = z.infer<typeof BackendServiceBody>

const redirect = z.looseObject({ hostRedirect: text, pathRedirect: text, prefixRedirect: text, redirectResponseCode: text, httpsRedirect: flag, stripQuery: flag })
const header = z.looseObject({ headerName: z.string(), headerValue: z.string(), replace: flag })
const headerAction = z.looseObject({
  requestHeadersToAdd: z.array(header).nullish(),
  requestHeadersToRemove: texts,
  responseHeadersToAdd: z.array(header).nullish(),
  responseHeadersToRemove: texts,
})
const routeAction = z.looseObject({
  weightedBackendServices: z.array(z.looseObject({ backendService: z.string(), weight: number, headerAction: headerAction.nullish() })).nullish(),
  urlRewrite: z.looseObject({ pathPrefixRewrite: text, hostRewrite: text }).nullish(),
  corsPolicy: z
    .looseObject({
      allowOrigins: texts,
      allowOriginRegexes: texts,
      allowMethods: texts,
      allowHeaders: texts,
      exposeHeaders: texts,
      maxAge: number,
      allowCredentials: flag,
      disabled: flag,
    })
    .nullish(),
})
const outcome = { service: text, urlRedirect: redirect.nullish(), routeAction: routeAction.nullish(), headerAction: headerAction.nullish() }
const matchRule = z.looseObject({
  prefixMatch: text,
  fullPathMatch: text,
  pathTemplateMatch: text,
  regexMatch: text,
  ignoreCase: flag,
  headerMatches: z
    .array(z.looseObject({ headerName: z.string(), exactMatch: text, prefixMatch: text, suffixMatch: text, presentMatch: flag, regexMatch: text, invertMatch: flag }))
    .nullish(),
  queryParameterMatches: z.array(z.looseObject({ name: z.string(), exactMatch: text, presentMatch: flag, regexMatch: text })).nullish(),
})

export const UrlMapBody = z.looseObject({
  name: text,
  description: text,
  fingerprint: text,
  defaultService: text,
  defaultUrlRedirect: redirect.nullish(),
  defaultRouteAction: routeAction.nullish(),
  headerAction: headerAction.nullish(),
  hostRules: z.array(z.looseObject({ hosts: z.array(z.string()), pathMatcher: z.string(), description: text })).nullish(),
  pathMatchers: z
    .array(
      z.looseObject({
        name: z.string(),
        description: text,
        defaultService: text,
        defaultUrlRedirect: redirect.nullish(),
        defaultRouteAction: routeAction.nullish(),
        headerAction: headerAction.nullish(),
        pathRules: z.array(z.looseObject({ paths: z.array(z.string()), ...outcome })).nullish(),
        routeRules: z.array(z.looseObject({ priority: number, matchRules: z.array(matchRule).nullish(), ...outcome })).nullish(),
      }),
    )
    .nullish(),
  tests: z.array(z.looseObject({ host: text, path: text, service: text, expectedRedirectResponseCode: number, expectedOutputUrl: text })).nullish(),
})
export type UrlMapBody = z.infer<typeof UrlMapBody>

export const ValidateBody = z.looseObject({ resource: UrlMapBody })

export const TargetProxyBody = z.looseObject({
  name: text,
  description: text,
  urlMap: text,
  fingerprint: text,
  proxyBind: flag,
  httpKeepAliveTimeoutSec: number,
  sslCertificates: texts,
  quicOverride: text,
  sslPolicy: text,
})
export type TargetProxyBody = z.infer<typeof TargetProxyBody>

export const SetUrlMapBody = z.looseObject({ urlMap: text })
export const SetSslCertificatesBody = z.looseObject({ sslCertificates: texts })

export const SslCertificateBody = z.looseObject({
  name: text,
  description: text,
  type: text,
  certificate: text,
  privateKey: text,
  selfManaged: z.looseObject({ certificate: text, privateKey: text }).nullish(),
  managed: z.looseObject({ domains: texts }).nullish(),
})
export type SslCertificateBody = z.infer<typeof SslCertificateBody>

export const ForwardingRuleBody = z.looseObject({
  name: text,
  description: text,
  fingerprint: text,
  IPAddress: text,
  IPProtocol: text,
  ipVersion: text,
  portRange: text,
  ports: texts,
  target: text,
  loadBalancingScheme: text,
  networkTier: text,
  labels: z.record(z.string(), z.string()).nullish(),
  labelFingerprint: text,
})
export type ForwardingRuleBody = z.infer<typeof ForwardingRuleBody>

export const SetTargetBody = z.looseObject({ target: text })

const threshold = z.looseObject({ count: z.number().int(), intervalSec: z.number().int() })

export const SecurityRuleBody = z.looseObject({
  description: text,
  priority: number,
  action: text,
  preview: flag,
  match: z.looseObject({ versionedExpr: text, config: z.looseObject({ srcIpRanges: texts }).nullish(), expr: z.looseObject({ expression: text }).nullish() }).nullish(),
  rateLimitOptions: z
    .looseObject({
      rateLimitThreshold: threshold.nullish(),
      banThreshold: threshold.nullish(),
      banDurationSec: number,
      conformAction: text,
      exceedAction: text,
      enforceOnKey: text,
      enforceOnKeyName: text,
    })
    .nullish(),
})
export type SecurityRuleBody = z.infer<typeof SecurityRuleBody>

export const SecurityPolicyBody = z.looseObject({
  name: text,
  description: text,
  type: text,
  fingerprint: text,
  rules: z.array(SecurityRuleBody).nullish(),
  labels: z.record(z.string(), z.string()).nullish(),
})
export type SecurityPolicyBody = z.infer<typeof SecurityPolicyBody>

export const SetSecurityPolicyBody = z.looseObject({ securityPolicy: text })
export const GetHealthBody = z.looseObject({ group: text })
