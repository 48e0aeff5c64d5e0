/**
 * The gRPC front: HTTP/2 connections in, REST calls out. Rooms know nothing of it.
 * Transport: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. The protocol files and their library are loaded with the
 * first gRPC request, since most clouds never see one.
 */
import { createServer, constants } from 'node:http2'
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Session } from 'node:http2'
import type { Duplex } from 'node:stream'
import { once } from 'node:events'
import { MIB } from '../../../base/units.ts'
import { ACCEPTED_ENCODINGS, encodeFrame, readMessage } from './framing.ts'
import type { Gateway } from './gateway.ts'
import { hostOf, parseTimeoutMs, toRestHeaders } from './metadata.ts'
import { grpcHosts } from './services.ts'
import { encodeGrpcMessage, grpcCodes, GrpcError } from './status.ts'
import type { GrpcFront, GrpcServerOptions } from './types.ts'

const READ_TIMEOUT_MS = 60_000
/** Connections without any traffic; clients connect again by themselves. */
const IDLE_CONNECTION_MS = 30 * 60_000
/** How long clients get to take the last answers when the front closes. */
const CLOSE_GRACE_MS = 500
/** How long a client may go on sending after it has its status. */
const DROP_MS = 5000
/** Clients accept headers of 8 KiB; beyond, the details are left out and the message is cut. */
const MAX_DETAILS_BYTES = 4096
const MAX_STATUS_TEXT_BYTES = 2048

/** True for requests of the gRPC protocol. */
export function isGrpcRequest(contentType: string | undefined): boolean {
  return /^application\/grpc(\+proto)?(;|$)/.test(contentType ?? '')
}

/** Makes a front. Nothing listens: connections are handed to it. */
export function createGrpcServer(options: GrpcServerOptions): GrpcFront {
  const sessions = new Set<ServerHttp2Session>()
  const closing = new AbortController()
  let gateway: Promise<Gateway> | undefined

  function openGateway(): Promise<Gateway> {
    const hosts = options.hosts ?? grpcHosts.map((each) => each.host)
    gateway ??= import('./gateway.ts').then((module) => module.createGateway(options.call, hosts))
    return gateway
  }

  function handleRequest(request: Http2ServerRequest, response: Http2ServerResponse): void {
    // A client that goes away while it is answered is no event of ours.
    response.stream.on('error', () => {})
    if (isGrpcRequest(request.headers['content-type'])) {
      void handleGrpc(request, response)
      return
    }
    if (options.handleRequest !== undefined) {
      options.handleRequest(request, response)
      return
    }
    response.writeHead(415, { 'content-type': 'text/plain' }).end('Only gRPC is served here.\n')
  }

  async function handleGrpc(request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
    const aborter = new AbortController()
    const timeoutMs = parseTimeoutMs(headerText(request.headers['grpc-timeout']))
    const deadline = timeoutMs === undefined ? undefined : setTimeout(() => aborter.abort(new GrpcError('DEADLINE_EXCEEDED', 'Deadline exceeded.')), timeoutMs)
    const cancel = (): void => aborter.abort(new GrpcError('CANCELLED', 'The client cancelled the call.'))
    const close = (): void => aborter.abort(new GrpcError('UNAVAILABLE', 'The pocket cloud is stopping.'))
    response.stream.once('close', cancel)
    closing.signal.addEventListener('abort', close)
    if (closing.signal.aborted) close()
    try {
      await answer(request, response, aborter.signal)
      finish(response, { 'grpc-status': '0' })
    } catch (error) {
      const reason: unknown = aborter.signal.aborted ? aborter.signal.reason : error
      finish(response, await toTrailers(reason, request.url))
    } finally {
      clearTimeout(deadline)
      closing.signal.removeEventListener('abort', close)
      response.stream.off('close', cancel)
      dropRest(request)
    }
  }

  async function answer(request: Http2ServerRequest, response: Http2ServerResponse, signal: AbortSignal): Promise<void> {
    if (request.method !== 'POST') throw new GrpcError('UNIMPLEMENTED', `gRPC calls are POST requests, not ${request.method}.`)
    const { methods, run } = await openGateway()
    const rpc = methods.find(request.url, hostOf(request.authority))
    const encoding = headerText(request.headers['grpc-encoding']) ?? 'identity'
    const message = rpc.isClientStreaming
      ? new Uint8Array()
      : await within(options.readTimeoutMs ?? READ_TIMEOUT_MS, signal, readMessage(request.iterator({ destroyOnReturn: false }), encoding))
    const results = run({ rpc, message, headers: toRestHeaders(request.headers), signal })
    for (let next = await orAbort(signal, results.next()); next.done !== true; next = await orAbort(signal, results.next())) {
      if (!response.headersSent) response.writeHead(200, responseHeaders())
      if (!response.write(encodeFrame(next.value))) await once(response.stream, 'drain', { signal })
    }
  }

  async function toTrailers(error: unknown, path: string): Promise<Record<string, string>> {
    const known = error instanceof GrpcError ? error : new GrpcError('INTERNAL', 'Internal error encountered.', { cause: error })
    if (known !== error) options.onUnexpected?.(error, path)
    const trailers = { 'grpc-status': String(grpcCodes[known.code]), 'grpc-message': truncateEncoded(encodeGrpcMessage(known.message)) }
    if (known.details.length === 0) return trailers
    try {
      const details = (await openGateway()).encodeStatus(known)
      return details.length > MAX_DETAILS_BYTES ? trailers : { ...trailers, 'grpc-status-details-bin': Buffer.from(details).toString('base64') }
    } catch (problem) {
      options.onUnexpected?.(problem, path)
      return trailers
    }
  }

  const server = createServer({ settings: { maxConcurrentStreams: 128, initialWindowSize: MIB, maxHeaderListSize: 65_536 } }, handleRequest)
  server.on('session', (session) => {
    sessions.add(session)
    session.once('close', () => sessions.delete(session))
    session.on('error', () => session.destroy())
    session.setTimeout(IDLE_CONNECTION_MS, () => session.close())
    // The default of 64 KiB for a whole connection makes uploads wait for round trips.
    session.setLocalWindowSize(4 * MIB)
  })
  server.on('sessionError', () => {})

  return {
    handleConnection(socket, { secure }) {
      socket.on('error', () => socket.destroy())
      if (closing.signal.aborted || (secure && !choseHttp2(socket))) socket.destroy()
      else server.emit('connection', socket)
    },
    handleRequest,
    services: async () => (await openGateway()).methods.services(),
    async close() {
      closing.abort()
      const open = [...sessions]
      const gone = Promise.all(
        open.map((session) => new Promise<void>((resolve) => void (session.closed && session.destroyed ? resolve() : session.once('close', () => resolve())))),
      )
      for (const session of open) session.close()
      const grace = setTimeout(() => open.forEach((session) => session.destroy()), CLOSE_GRACE_MS)
      await gone
      clearTimeout(grace)
    },
  }
}

function choseHttp2(socket: Duplex): boolean {
  return 'alpnProtocol' in socket && socket.alpnProtocol === 'h2'
}

function responseHeaders(): Record<string, string> {
  return { 'content-type': 'application/grpc', 'grpc-accept-encoding': ACCEPTED_ENCODINGS }
}

/** Ends the call with its status, always in trailers: the compatibility API cannot end a stream with its headers once it is asked for trailers. */
function finish(response: Http2ServerResponse, trailers: Readonly<Record<string, string>>): void {
  if (response.stream.destroyed || response.writableEnded) return
  if (!response.headersSent) response.writeHead(200, responseHeaders())
  response.addTrailers(trailers)
  response.end()
}

/** The status is final: what the client still sends is thrown away, and cut off when it does not end. A reset at once could overtake the status. */
function dropRest(request: Http2ServerRequest): void {
  const { stream } = request
  if (stream.destroyed) return
  request.resume()
  const timer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), DROP_MS)
  stream.once('close', () => clearTimeout(timer))
}

function headerText(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value
}

/** Never in the middle of an escape. */
function truncateEncoded(text: string): string {
  return text.length <= MAX_STATUS_TEXT_BYTES ? text : text.slice(0, MAX_STATUS_TEXT_BYTES).replace(/%.?$/, '')
}

async function within<T>(timeoutMs: number, signal: AbortSignal, work: Promise<T>): Promise<T> {
  const aborter = new AbortController()
  const timer = setTimeout(() => aborter.abort(new GrpcError('CANCELLED', `The request's message did not arrive within ${timeoutMs / 1000} seconds.`)), timeoutMs)
  try {
    return await orAbort(AbortSignal.any([signal, aborter.signal]), work)
  } finally {
    clearTimeout(timer)
  }
}

/** Settles as `work` does, or rejects with the signal's reason as soon as it aborts. */
function orAbort<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
