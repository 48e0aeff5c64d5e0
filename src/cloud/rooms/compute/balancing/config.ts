/**
 * HAProxy's configuration for what the resources of load balancing say. Pure. Written for HAProxy 2.6 and later.
 * Servers of a backend come and go over the runtime socket; all else is structure, and a change of it is a reload.
 */
import { sha256Hex } from '../../../../base/ids.ts'
import { headerLines } from './config.headers.ts'
import { policyLines, policyTables } from './config.policy.ts'
import { fmt, word } from './config.quote.ts'
import { urlMapLines } from './config.url-map.ts'
import type { UrlMapRecord } from './service.url-maps.ts'
import type { ProbePlan } from './service.checks.ts'
import type { SecurityPolicyRecord } from './service.policies.ts'

export interface FrontendModel {
  /** Id of the forwarding rule. */
  readonly id: string
  readonly address: string
  readonly port: number
  /** PEM files (chain and key), for HTTPS. */
  readonly certificateFiles?: readonly string[]
  /** Where https is on this machine, when that is not its own port: redirects to https name it. */
  readonly httpsPort?: number
  readonly urlMap: UrlMapRecord
}

export interface ServerModel {
  /** Unique in its backend and stable for its life: `i<instance id>-<port>`. */
  readonly name: string
  readonly host: string
  readonly port: number
  /** Where its health check goes. */
  readonly checkPort: number
  /** 0 to 256. */
  readonly weight: number
  /** False: it gets no new request. */
  readonly isReady: boolean
}

export interface BackendModel {
  /** Id of the backend service. */
  readonly id: string
  /** Its link in Google's form, by which URL maps name it. */
  readonly link: string
  readonly scheme: 'EXTERNAL' | 'EXTERNAL_MANAGED'
  readonly protocol: string
  readonly timeoutSec: number
  readonly affinity: string
  readonly affinityCookieTtlSec: number
  /** `NAME:VALUE` */
  readonly requestHeaders: readonly string[]
  readonly responseHeaders: readonly string[]
  readonly policy?: SecurityPolicyRecord
  readonly check?: ProbePlan
  readonly servers: readonly ServerModel[]
}

export interface BalancerModel {
  readonly frontends: readonly FrontendModel[]
  readonly backends: readonly BackendModel[]
}

export interface ConfigPaths {
  readonly statsSocket: string
  /** Folder with the pages of errorPages. */
  readonly errorFolder: string
}

export interface BalancerConfig {
  readonly text: string
  /** Changes with everything that the runtime socket cannot change; HAProxy shows it in `show info` as its description. */
  readonly structure: string
}

/** Requests under way when the structure changes may end within this time in the worker that began them. */
const HARD_STOP_SEC = 3600

/** Name of a backend section. */
export function backendName(backend: Pick<BackendModel, 'id'>): string {
  return `b${backend.id}`
}

/** True when its servers may change over the runtime socket: HAProxy refuses cookies on such servers. */
export function isDynamic(backend: Pick<BackendModel, 'affinity'>): boolean {
  return backend.affinity !== 'GENERATED_COOKIE'
}

export function makeConfig(model: BalancerModel, paths: ConfigPaths): BalancerConfig {
  const sections = [
    ...model.frontends.flatMap((frontend) => frontendLines(frontend, model.backends)),
    ...model.backends.flatMap((backend) => [...backendLines(backend, paths), ...(isDynamic(backend) ? [`  ${SERVERS}${backend.id}`] : serverLines(backend))]),
    ...model.backends.flatMap((backend) => (backend.policy === undefined ? [] : policyTables(backendName(backend), backend.policy))),
  ]
  const skeleton = [...globalLines(paths, ''), ...sections].join('\n')
  const structure = `kiln-${sha256Hex(skeleton).slice(0, 24)}`
  const servers = new Map(model.backends.map((backend) => [`  ${SERVERS}${backend.id}`, serverLines(backend)]))
  const lines = [...globalLines(paths, structure), ...sections.flatMap((line) => servers.get(line) ?? [line])]
  return { text: `${lines.join('\n')}\n`, structure }
}

const SERVERS = '# servers of '

function globalLines(paths: ConfigPaths, structure: string): readonly string[] {
  return [
    'global',
    `  description ${structure}`,
    `  stats socket ${word(paths.statsSocket)} mode 600 level admin expose-fd listeners`,
    '  stats timeout 10s',
    `  hard-stop-after ${HARD_STOP_SEC}s`,
    '  tune.ssl.default-dh-param 2048',
    '  ssl-default-bind-options ssl-min-ver TLSv1.2',
    '  spread-checks 5',
    'defaults',
    '  mode http',
    '  timeout connect 5s',
    '  timeout http-request 60s',
    // What Google's front ends keep idle clients for.
    '  timeout client 610s',
    '  timeout http-keep-alive 610s',
    '  timeout client-fin 30s',
    '  timeout server-fin 30s',
    '  timeout queue 5s',
    '  timeout server 30s',
    '  option dontlognull',
  ]
}

function frontendLines(frontend: FrontendModel, backends: readonly BackendModel[]): readonly string[] {
  const byLink = new Map(backends.map((backend) => [backend.link, backendName(backend)]))
  const tls = frontend.certificateFiles === undefined ? '' : ` ssl ${frontend.certificateFiles.map((file) => `crt ${word(file)}`).join(' ')} alpn h2,http/1.1`
  return [
    `frontend f${frontend.id}`,
    `  bind ${frontend.address}:${frontend.port}${tls}`,
    // https://cloud.google.com/load-balancing/docs/https#target-proxies: client address, then the balancer's own, after what the client sent.
    '  http-request set-var-fmt(txn.forwarded) "%[req.fhdr(x-forwarded-for)]," if { req.fhdr(x-forwarded-for) -m found }',
    '  http-request set-header X-Forwarded-For "%[var(txn.forwarded)]%[src],%[dst]"',
    `  http-request set-header X-Forwarded-Proto ${frontend.certificateFiles === undefined ? 'http' : 'https'}`,
    '  http-request set-header Via "1.1 google"',
    '  http-request set-header X-Cloud-Trace-Context "%[uuid(),regsub(-,,g),lower]/%[rand(4294967295)];o=0" unless { req.fhdr(x-cloud-trace-context) -m found }',
    '  http-response set-header Via "1.1 google"',
    ...urlMapLines(frontend.urlMap, (link) => byLink.get(link), frontend.httpsPort),
  ]
}

function backendLines(backend: BackendModel, paths: ConfigPaths): readonly string[] {
  const errors = backend.scheme === 'EXTERNAL' ? { 502: 502, 503: 502, 504: 502 } : { 502: 502, 503: 503, 504: 504 }
  return [
    `backend ${backendName(backend)}`,
    // Servers that are there keep the check that they were added with, so that another check must be another structure.
    `  # check ${JSON.stringify(backend.check ?? null)} protocol ${backend.protocol}`,
    // Without affinity the one that has waited longest; these forms let servers come and go at run time.
    ...(backend.affinity === 'CLIENT_IP' ? ['  balance source', '  hash-type consistent'] : ['  balance roundrobin']),
    ...(backend.affinity === 'GENERATED_COOKIE'
      ? [
          `  cookie GCLB insert indirect nocache httponly${backend.affinityCookieTtlSec > 0 ? ` maxlife ${backend.affinityCookieTtlSec}s attr "Max-Age=${backend.affinityCookieTtlSec}"` : ''}`,
        ]
      : []),
    `  timeout server ${backend.timeoutSec}s`,
    `  timeout tunnel ${backend.timeoutSec}s`,
    // A connection that was never made is always safe to repeat, elsewhere. An answer that never began is safe to repeat for reading methods only.
    '  option redispatch 1',
    '  retries 2',
    '  retry-on conn-failure empty-response',
    '  http-request disable-l7-retry unless { method GET HEAD OPTIONS }',
    ...Object.entries(errors).map(([status, shown]) => `  errorfile ${status} ${word(`${paths.errorFolder}/${shown}.http`)}`),
    ...(backend.policy === undefined ? [] : policyLines(backendName(backend), backend.policy)),
    ...headerLines('http-request', backend.requestHeaders.map(splitHeader), [], ''),
    ...headerLines('http-response', backend.responseHeaders.map(splitHeader), [], ''),
    ...checkLines(backend.check),
  ]
}

function splitHeader(header: string): { readonly headerName: string; readonly headerValue: string; readonly replace: boolean } {
  const colon = header.indexOf(':')
  return { headerName: header.slice(0, colon), headerValue: header.slice(colon + 1).trim(), replace: true }
}

function checkLines(check: ProbePlan | undefined): readonly string[] {
  if (check === undefined || (check.type !== 'HTTP' && check.type !== 'HTTPS')) return []
  return [
    '  option httpchk',
    `  http-check send meth GET uri-lf ${fmt(check.path)} ver HTTP/1.1 hdr Host ${fmt(check.host ?? 'localhost')} hdr User-Agent "GoogleHC/1.0" hdr Connection close`,
    '  http-check expect status 200',
  ]
}

function serverLines(backend: BackendModel): readonly string[] {
  return backend.servers.map((server) => `  server ${server.name} ${serverArguments(backend, server)}${cookieOf(backend, server)}${server.isReady ? '' : ' disabled'}`)
}

function cookieOf(backend: BackendModel, server: ServerModel): string {
  return isDynamic(backend) ? '' : ` cookie ${sha256Hex(`${backend.id}/${server.name}`).slice(0, 16)}`
}

/** What follows a server's name, in the configuration and in `add server`. */
export function serverArguments(backend: BackendModel, server: ServerModel): string {
  const protocols: Readonly<Record<string, string>> = { HTTPS: ' ssl verify none', HTTP2: ' ssl verify none alpn h2', H2C: ' proto h2' }
  return `${server.host}:${server.port} weight ${server.weight}${protocols[backend.protocol] ?? ''}${checkArguments(backend, server)}`
}

function checkArguments(backend: BackendModel, server: ServerModel): string {
  const { check } = backend
  if (check === undefined) return ''
  const isTls = check.type === 'HTTPS' || check.type === 'HTTP2' || check.type === 'SSL'
  // The balancer's own checks go on when nobody else looks; who starts to get requests is decided above.
  return ` check port ${server.checkPort} inter ${check.checkIntervalSec}s fastinter ${Math.min(2, check.checkIntervalSec)}s fall ${check.unhealthyThreshold} rise ${check.healthyThreshold}${check.proxyHeader ? ' check-send-proxy' : ''}${isTls ? ' check-ssl verify none' : backend.protocol === 'HTTP' || backend.protocol === 'H2C' ? '' : ' no-check-ssl'}`
}

const reasons: Readonly<Record<number, string>> = { 502: 'Bad Gateway', 503: 'Service Unavailable', 504: 'Gateway Timeout' }

/** Pages for requests that no backend answered, by status: file name `STATUS.http`. */
export function errorPages(): readonly { readonly name: string; readonly text: string }[] {
  const bodies: Readonly<Record<number, { type: string; text: string }>> = {
    502: {
      type: 'text/html; charset=UTF-8',
      text: '<!doctype html><html><head><title>502 Server Error</title></head><body><h1>Error: Server Error</h1><p>No backend of the load balancer could answer this request.</p></body></html>\n',
    },
    503: { type: 'text/plain', text: 'no healthy upstream' },
    504: { type: 'text/plain', text: 'upstream request timeout' },
  }
  return Object.entries(bodies).map(([status, body]) => ({
    name: `${status}.http`,
    text: `HTTP/1.1 ${status} ${reasons[Number(status)]}\r\nContent-Type: ${body.type}\r\nContent-Length: ${Buffer.byteLength(body.text)}\r\nCache-Control: no-store\r\nVia: 1.1 google\r\n\r\n${body.text}`,
  }))
}
