/** gRPC on the daemon's port: the front's HTTP/2 connections, with calls that go to the daemon's own HTTP server. */
import { Agent, request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { pipeline } from 'node:stream'
import { describeError } from '../../base/errors.ts'
import { createGrpcServer } from '../../cloud/front/grpc/server.ts'
import type { GrpcFront, RestRequest, RestResponse } from '../../cloud/front/grpc/types.ts'
import type { Room } from '../../cloud/kernel/room.ts'

export interface GrpcOptions {
  /** The hosts of these rooms are served. */
  readonly rooms: readonly Room[]
  /** Where the cloud's HTTP server listens on 127.0.0.1; asked for with each call. */
  readonly port: () => number
  readonly onUnexpected: (error: unknown, path: string) => void
}

/** HTTP/1.1 has no place for these, and they tell nothing to a room. */
const connectionHeaders: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade', 'host'])

export function createGrpcFront(options: GrpcOptions): GrpcFront {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 16 })
  const front = createGrpcServer({
    hosts: options.rooms.flatMap((room) => room.hosts.map((rule) => rule.match)).filter((match) => typeof match === 'string'),
    call: (request) => call(agent, options.port(), request),
    handleRequest: (request, response) => forward(agent, options.port(), request, response),
    onUnexpected: options.onUnexpected,
  })
  return {
    ...front,
    async close() {
      await front.close()
      agent.destroy()
    },
  }
}

/** The Host header is what makes it a call of that Google service. */
function call(agent: Agent, port: number, request: RestRequest): Promise<RestResponse> {
  const { body, signal } = request
  return new Promise((resolve, reject) => {
    const headers = { ...request.headers, host: request.host, ...(body === undefined ? {} : { 'content-length': String(body.length) }) }
    const outgoing = httpRequest({ agent, host: '127.0.0.1', port, method: request.method, path: request.path, headers, signal })
    outgoing.once('error', reject)
    outgoing.once('response', (response: IncomingMessage) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response }))
    outgoing.end(body)
  })
}

/** A plain REST request that came over HTTP/2. */
function forward(agent: Agent, port: number, request: Http2ServerRequest, response: Http2ServerResponse): void {
  const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !name.startsWith(':') && !connectionHeaders.has(name)))
  const outgoing = httpRequest({ agent, host: '127.0.0.1', port, method: request.method, path: request.url, headers: { ...headers, host: request.authority } })
  outgoing.once('response', (answer) => {
    const kept = Object.entries(answer.headers).filter(([name, value]) => !connectionHeaders.has(name) && value !== undefined)
    response.writeHead(answer.statusCode ?? 502, Object.fromEntries(kept) as Record<string, string | string[]>)
    pipeline(answer, response, () => {})
  })
  outgoing.once('error', (error) => {
    if (response.headersSent) response.stream.close()
    else response.writeHead(502, { 'content-type': 'text/plain; charset=utf-8' }).end(`The pocket cloud did not answer: ${describeError(error)}.\n`)
  })
  response.once('close', () => outgoing.destroy())
  pipeline(request, outgoing, () => {})
}
