/**
 * The HTTP server of the pocket cloud. Direct URL: `http://127.0.0.1:PORT/<google host>/<path>`; a request whose Host header is a
 * Google host (it came through the proxy) is the same without the first segment. Each room is one Fastify plugin with its own prefix.
 */
import type { IncomingMessage } from 'node:http'
import Fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import { addRoute } from './add-route.ts'
import type { Origin } from './add-route.ts'
import { ApiError } from './api-error.ts'
import { addFaultRoutes } from './fault-routes.ts'
import type { TableRow } from './fault-routes.ts'
import { batchEndpoint, isBatchPath } from './batch.ts'
import type { Kernel } from './kernel.ts'
import { describeMissingMethod } from './missing-method.ts'
import { createOpening } from './opening.ts'
import { parseBodies } from './request-body.ts'
import type { HostRule, Room } from './room.ts'
import { sendError } from './send-error.ts'

const HEADERS_TIMEOUT_MS = 30_000

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
