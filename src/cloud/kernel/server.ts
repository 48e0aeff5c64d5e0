/**
 * The HTTP server of the pocket cloud. Direct URL: `http://127.0.0.1:PORT/<google host>/<path>`; a request whose Host header is a
 * Google host (it came through the proxy) is the same without the first segment. Each room is one Fastify plugin with its own prefix.
 */
import type { IncomingMessage } from 'node:http'
import { PassThrough, Readable } from 'node:stream'
import Fastify from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { describeError, isKilnError } from '../../base/errors.ts'
import { MIB } from '../../base/units.ts'
import { BlobTooLargeError } from '../../store/blobs.ts'
import { ApiError, invalidArgument } from './api-error.ts'
import { anonymous, authenticate } from './authenticate.ts'
import { addFaultRoutes } from './fault-routes.ts'
import type { TableRow } from './fault-routes.ts'
import { batchEndpoint, isBatchPath } from './batch.ts'
import { FilePart, sendFilePart } from './file-part.ts'
import type { Kernel } from './kernel.ts'
import { describeMissingMethod } from './missing-method.ts'
import { createOpening } from './opening.ts'
import { applyFieldMask, parseFieldMask } from './partial-response.ts'
import type { FieldMask } from './partial-response.ts'
import type { Target } from './policy.ts'
import type { AnyRoute, HostRule, Room, RouteRequest } from './room.ts'

/** JSON bodies are bounded; only `raw` routes take more, with their own limits. */
export const MAX_JSON_BYTES = 10 * MIB
const HEADERS_TIMEOUT_MS = 30_000

interface Origin {
  readonly host: string
  readonly hostUrl: string
  readonly path: string
}

declare module 'fastify' {
  interface FastifyContextConfig {
    raw?: boolean
    basicAuth?: boolean
  }
}

export interface CloudServer {
  readonly app: FastifyInstance
  /** The TCP port, 0 until it listens. */
  port(): number
  /** @throws KilnError E_PORT_TAKEN is made by the caller from EADDRINUSE. */
  listen(port: number): Promise<number>
  /** Every room has started: from now on requests are answered; those that came before have waited. */
  open(): void
  /** Resolves when it is open. @throws ApiError UNAVAILABLE */
  whenOpen(): Promise<void>
  close(): Promise<void>
  /** Every route of every room. */
  readonly table: readonly TableRow[]
}

export interface ServerOptions {
  readonly kernel: Kernel
  readonly rooms: readonly Room[]
  /** Routes of Kiln's own under /kiln/, such as the daemon's health. Added by the app. */
  readonly extra?: (app: FastifyInstance) => void
  /** Paths under /kiln/ that may be asked under any host name that is no service's: what a tunnel leads to. Everything else is for the loopback names alone. */
  readonly openPaths?: RegExp
  /** For a client that sends its headers drop by drop. */
  readonly headersTimeoutMs?: number
  /** How long a request waits for the rooms' start. */
  readonly startTimeoutMs?: number
}

/** Builds the server with all routes. Nothing listens yet, and nothing is answered before `open`. */
export async function createServer(options: ServerOptions): Promise<CloudServer> {
  const { kernel, rooms } = options
  const origins = new WeakMap<IncomingMessage, Origin>()
  const table: TableRow[] = []
  const hostRules = rooms.flatMap((room) => room.hosts.map((rule) => ({ room, rule })))
  const opening = createOpening(options.startTimeoutMs)
  let listening = 0

  /** Runs before routing: finds the room by host and puts its prefix in place of the host segment. */
  function rewriteUrl(raw: IncomingMessage): string {
    const url = raw.url ?? '/'
    const headerHost = (raw.headers.host ?? '').toLowerCase()
    const direct = isOwnHost(headerHost, listening)
    if (direct && url.startsWith('/kiln/')) return url
    // gcloud drops the path of an endpoint override for these, so that they arrive without a host.
    const bare = direct ? /^\/(?:batch|(?:resumable\/)?upload|download)\/([a-z]+)\//.exec(`${url}/`)?.[1] : undefined
    if (bare !== undefined) return rewrite(raw, `${bare}.googleapis.com`, url, true, headerHost)
    const slash = url.indexOf('/', 1)
    const query = url.indexOf('?')
    const end = slash === -1 ? (query === -1 ? url.length : query) : slash
    const host = direct ? decodeSafely(url.slice(1, end)).toLowerCase() : headerHost.replace(/:443$/, '')
    return rewrite(raw, host, direct ? url.slice(end) || '/' : url, direct, headerHost)
  }

  function rewrite(raw: IncomingMessage, host: string, path: string, direct: boolean, headerHost: string): string {
    const hostUrl = direct ? `http://${headerHost}/${host}` : `https://${host}`
    if (isBatchPath(path) && host.endsWith('.googleapis.com')) {
      origins.set(raw, { host, hostUrl, path })
      return '/@batch'
    }
    const found = hostRules.find(({ rule }) => matchesHost(rule, host, path))
    if (found === undefined && !direct && options.openPaths?.test(path) === true) return path
    if (found === undefined) return `/unknown-host?host=${encodeURIComponent(host)}`
    origins.set(raw, { host, hostUrl, path })
    return `/@${found.room.id}.${found.rule.name}${path.startsWith('/') ? path : `/${path}`}`
  }

  const app = Fastify({
    rewriteUrl,
    routerOptions: { maxParamLength: 4096, ignoreTrailingSlash: false },
    bodyLimit: Number.MAX_SAFE_INTEGER,
    // An upload may take as long as it likes; the headers of a request may not (with no limit for the whole, Node has none for them either).
    requestTimeout: 0,
    http: { headersTimeout: options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS, connectionsCheckingInterval: Math.min(options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS, 10_000) },
    keepAliveTimeout: 75_000,
    forceCloseConnections: true,
    logger: false,
    exposeHeadRoutes: false,
  })

  app.setErrorHandler((error, request, reply) => sendError(kernel, error, request, reply))
  app.setNotFoundHandler((request, reply) => {
    const origin = origins.get(request.raw)
    if (origin === undefined) {
      throw new ApiError(
        'NOT_FOUND',
        `The pocket cloud serves no host ${JSON.stringify(new URL(request.url, 'http://x').searchParams.get('host') ?? '')}. Use ${kernel.rootUrl()}/<google host>/<path>.`,
      )
    }
    const method = describeMissingMethod(origin.host, request.method, origin.path)
    void reply.code(501)
    throw new ApiError('UNIMPLEMENTED', `${method} is not implemented by the pocket cloud (${request.method} ${origin.path.split('?')[0]}).`, {
      details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'METHOD_NOT_IMPLEMENTED', domain: 'kiln', metadata: { method } }],
    })
  })
  addFaultRoutes(app, kernel, table)
  options.extra?.(app)
  // after the hooks of the app, whose requests for others than the rooms need none of them
  app.addHook('onRequest', (_request, _reply, done) => {
    if (opening.isOpen()) done()
    else opening.wait().then(() => done(), done)
  })
  await app.register(async (scope) =>
    batchEndpoint(scope, {
      originOf: (raw) => origins.get(raw),
      isOwnHost: (header) => isOwnHost(header, listening),
      serves: (host, path) => hostRules.some(({ rule }) => matchesHost(rule, host, path)),
    }),
  )
  for (const room of rooms) kernel.database.migrate(room.migrations)
  for (const room of rooms) {
    const routes = room.routes(kernel)
    table.push(...routes.map((route) => ({ room, route })))
    for (const rule of room.hosts) {
      const own = routes.filter((route) => (route.host ?? room.hosts[0]?.name) === rule.name)
      await app.register(
        async (scope) => {
          parseBodies(scope)
          for (const route of own) addRoute(scope, kernel, room, route, origins)
        },
        { prefix: `/@${room.id}.${rule.name}` },
      )
    }
  }
  await app.ready()

  return {
    app,
    port: () => listening,
    async listen(port) {
      await app.listen({ port, host: '127.0.0.1' })
      const address = app.server.address()
      if (address !== null && typeof address === 'object') listening = address.port
      return listening
    },
    open: () => opening.open(),
    whenOpen: () => opening.wait(),
    async close() {
      opening.close()
      await app.close()
    },
    table,
  }
}

/** Before routing nothing may throw: an error there would end the daemon. */
function decodeSafely(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function isOwnHost(header: string, port: number): boolean {
  return header === `127.0.0.1:${port}` || header === `localhost:${port}` || header === `[::1]:${port}` || (port === 0 && /^(localhost|127\.0\.0\.1)(:\d+)?$/.test(header))
}

function matchesHost(rule: HostRule, host: string, path: string): boolean {
  if (rule.paths?.test(path) === false) return false
  return typeof rule.match === 'string' ? rule.match === host : rule.match.test(host)
}

/** Raw routes get the stream; all others a bounded JSON or form body, whatever content type the client claims (gcloud sends none with empty bodies). */
function parseBodies(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', (request, payload, done) => {
    if (request.routeOptions.config.raw === true) {
      done(null, payload)
      return
    }
    readBounded(payload, MAX_JSON_BYTES).then(
      (bytes) => {
        try {
          done(null, parseBody(bytes, request.headers['content-type'] ?? ''))
        } catch (error) {
          done(error as Error)
        }
      },
      (error: unknown) => done(error as Error),
    )
  })
}

async function readBounded(payload: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of payload) {
    sizeBytes += chunk.length
    if (sizeBytes > maxBytes) throw new ApiError('PAYLOAD_TOO_LARGE', `Request payload size exceeds the limit: ${maxBytes} bytes.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function parseBody(bytes: Buffer, contentType: string): unknown {
  if (bytes.length === 0) return {}
  if (contentType.startsWith('application/x-www-form-urlencoded')) return Object.fromEntries(new URLSearchParams(bytes.toString()))
  try {
    return JSON.parse(bytes.toString()) as unknown
  } catch (error) {
    throw invalidArgument(`Invalid JSON payload received. ${error instanceof Error ? error.message : ''}`, { reason: 'parseError' })
  }
}

function addRoute(scope: FastifyInstance, kernel: Kernel, room: Room, route: AnyRoute, origins: WeakMap<IncomingMessage, Origin>): void {
  scope.route({
    method: route.method,
    url: route.path,
    config: { raw: route.raw === true, basicAuth: route.basicAuth === true },
    handler: async (request, reply) => {
      const origin = origins.get(request.raw)
      if (origin === undefined) throw new ApiError('NOT_FOUND', 'Not found.')
      const principal = route.permission === 'public' ? anonymous : await authenticate(kernel, request.headers, route.basicAuth === true, origin.host)
      const call = toRouteRequest(kernel, request, reply, origin, principal)
      if (route.permission !== 'public') authorize(kernel, room, route, call)
      if (route.raw !== true) call.body = checkBody(route, request.body)
      // Before the work: a call with a bad mask must change nothing.
      const mask = fieldMaskOf(call)
      const answered = (): unknown => route.handler(call as RouteRequest<never>)
      const result: unknown = await (kernel.faults.active && request.headers['x-kiln-faults'] !== 'off' ? underFaults(kernel, room, route, call, answered) : answered())
      if (reply.sent) return reply
      if (result instanceof FilePart) {
        await sendFilePart(reply, result, (error) => kernel.log.error({ err: error, method: route.id }, 'an answer was cut short'))
        return reply
      }
      if (result === undefined) return reply.code(reply.statusCode === 200 ? 204 : reply.statusCode).send()
      if (result instanceof Readable || Buffer.isBuffer(result)) return reply.send(result)
      if (typeof result === 'string') return reply.send(result)
      return reply.type('application/json; charset=UTF-8').send(JSON.stringify(mask === undefined ? result : applyFieldMask(result, mask), null, isCompact(call) ? 0 : 2))
    },
  })
}

/** The body is filled in once it is checked. Stream and signal are made when a handler asks for them: most never do. */
function toRouteRequest(
  kernel: Kernel,
  request: FastifyRequest,
  reply: FastifyReply,
  origin: Origin,
  principal: RouteRequest['principal'],
): Omit<RouteRequest, 'body'> & { body: unknown } {
  let aborter: AbortController | undefined
  let empty: Readable | undefined
  const query = request.query as Record<string, string | string[] | undefined>
  return {
    params: request.params as Record<string, string>,
    query: Object.fromEntries(Object.entries(query).map(([key, value]) => [key, Array.isArray(value) ? value.at(-1) : value])),
    queryAll: (name) => [query[name] ?? []].flat(),
    body: undefined,
    get stream() {
      return request.body instanceof Readable ? request.body : (empty ??= new PassThrough().end())
    },
    headers: request.headers,
    principal,
    host: origin.host,
    hostUrl: origin.hostUrl,
    path: origin.path,
    get signal() {
      return (aborter ??= abortedByCaller(reply)).signal
    },
    reply,
    require: (permission, target) => kernel.policies.require(principal, permission, target),
  }
}

/** 'close' on the response before it finished means that the caller went away. */
function abortedByCaller(reply: FastifyReply): AbortController {
  const aborter = new AbortController()
  const onClose = (): void => {
    if (!reply.raw.writableFinished) aborter.abort(new Error('the client closed the connection'))
  }
  if (reply.raw.destroyed) onClose()
  else reply.raw.once('close', onClose)
  return aborter
}

function authorize(kernel: Kernel, room: Room, route: AnyRoute, call: RouteRequest): void {
  if (route.isOpen?.(call) === true) return
  const asked = route.target?.(call) ?? (call.params['project'] === undefined ? {} : { projectId: call.params['project'] })
  const target: Target = asked.projectId === undefined ? asked : { ...asked, projectId: kernel.projects.find(asked.projectId)?.projectId ?? asked.projectId }
  if (route.permission !== 'authenticated') kernel.policies.require(call.principal, route.permission, target)
  if (target.projectId === undefined || room.alwaysEnabled === true || route.anyProject === true) return
  const project = kernel.projects.requireActive(target.projectId, room.service)
  kernel.projects.requireService(project.projectId, room.service)
}

/** As Google's clients send it: a query parameter with or without `$`, or a header. */
function fieldMaskOf({ query, headers }: RouteRequest): FieldMask | undefined {
  const text = query['fields'] ?? query['$fields'] ?? headers['x-goog-fieldmask']
  return text === undefined || text === '' ? undefined : parseFieldMask(String(text))
}

/** Google's answers are for people unless a client says otherwise. https://cloud.google.com/apis/docs/system-parameters */
function isCompact({ query }: Pick<RouteRequest, 'query'>): boolean {
  return (query['prettyPrint'] ?? query['$prettyPrint']) === 'false'
}

/** A call while faults are set: they strike after authorisation, as Google's quotas do. Callers that say `x-kiln-faults: off` are spared, so that the owner can always take a fault back. */
async function underFaults(kernel: Kernel, room: Room, route: AnyRoute, call: RouteRequest, work: () => unknown): Promise<unknown> {
  const asked = call.params['project'] ?? route.target?.(call).projectId
  const projectId = asked === undefined ? undefined : (kernel.projects.find(asked)?.projectId ?? asked)
  const struck = { host: call.host, service: room.service, room: room.id, method: route.id, projectId, principal: call.principal }
  await kernel.faults.strike(struck, call.signal)
  return kernel.faults.during(struck, work)
}

function checkBody(route: AnyRoute, body: unknown): unknown {
  if (route.body === undefined) return body ?? {}
  const result = route.body.safeParse(body ?? {})
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const path = issue?.path.join('.') ?? ''
  throw invalidArgument(`Invalid value at '${path}': ${issue?.message ?? 'invalid'}`, {
    details: [
      {
        '@type': 'type.googleapis.com/google.rpc.BadRequest',
        fieldViolations: result.error.issues.map((each) => ({ field: each.path.join('.'), description: each.message })),
      },
    ],
  })
}

function sendError(kernel: Kernel, error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const apiError = toApiError(error)
  if (apiError.httpStatus === 500) kernel.log.error({ err: error, method: request.method, url: request.url.split('?')[0] }, 'a request failed unexpectedly')
  // The rest of an unread body is not worth reading: the connection ends after the answer.
  if (!request.raw.complete) void reply.header('connection', 'close')
  // pip and twine show the reason phrase and not the body.
  if (request.routeOptions.config.basicAuth === true) reply.raw.statusMessage = toReasonPhrase(apiError.message)
  void reply.removeHeader('content-length').removeHeader('content-encoding').removeHeader('etag')
  return reply
    .code(apiError.httpStatus)
    .headers(apiError.headers)
    .type('application/json; charset=UTF-8')
    .send(JSON.stringify(apiError.toBody(), null, 2))
}

/** A status line holds printable ASCII only, and clients bound its length. */
function toReasonPhrase(message: string): string {
  return message.replace(/[^ -~]+/g, ' ').slice(0, 500)
}

function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof BlobTooLargeError) return new ApiError('PAYLOAD_TOO_LARGE', `Request payload size exceeds the limit: ${error.maxBytes} bytes.`)
  if (isKilnError(error) && error.code === 'E_DISK_FULL') return new ApiError('RESOURCE_EXHAUSTED', error.message, { reason: 'quotaExceeded' })
  if (typeof error === 'object' && error !== null && 'statusCode' in error && typeof error.statusCode === 'number' && error.statusCode < 500) {
    return error.statusCode === 413 ? new ApiError('PAYLOAD_TOO_LARGE', describeError(error)) : invalidArgument(describeError(error))
  }
  return new ApiError('INTERNAL', 'Internal error encountered.', { cause: error })
}
