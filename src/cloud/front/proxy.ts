/**
 * The HTTP proxy through which unmodified tools reach the pocket cloud: CONNECT (RFC 9110, 9.3.6) to a Google host ends here, to any
 * other host it is a tunnel, or refused when the cloud is offline; names of the cloud's own DNS zones lead to its load balancers. Plain requests in absolute form are forwarded in the same way.
 */
import { request as httpRequest } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream'
import { describeError } from '../../base/errors.ts'
import { SECOND_MS } from '../../base/units.ts'
import { parseAuthority } from './hosts.ts'

export interface Target {
  readonly host: string
  readonly port: number
}

export type Locate = (host: string, port: number) => Promise<Target | undefined>

export interface ProxyOptions {
  readonly isServed: (host: string) => boolean
  /** Takes the socket of a tunnel to a Google host, on which the client begins TLS now. */
  readonly accept: (socket: Duplex) => void
  /** Nothing but Google's hosts is reachable. */
  readonly offline: boolean
  /** Where a name leads that is one of the cloud's own; undefined for every other. Such names are reachable when it is offline too. */
  readonly locate?: Locate
  readonly maxTunnels?: number
}

export interface Proxy {
  /** Listener for the HTTP server's `connect` event. */
  onConnect(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Answers a request whose target, as sent, is an absolute URL. False for all other requests: they are for the server itself. */
  onRequest(target: string, request: IncomingMessage, response: ServerResponse): boolean
  /** Ends all tunnels. */
  close(): void
}

const CONNECT_TIMEOUT_MS = 30 * SECOND_MS
/** Headers that belong to one connection (RFC 9110, 7.6.1). */
const hopByHop = new Set(['connection', 'proxy-connection', 'keep-alive', 'proxy-authorization', 'proxy-authenticate', 'te', 'trailer', 'transfer-encoding', 'upgrade'])

export function createProxy(options: ProxyOptions): Proxy {
  const open = new Set<Duplex>()
  const maxTunnels = options.maxTunnels ?? 1024

  /** A name that could not be looked up is nobody's. */
  async function locate(host: string, port: number): Promise<Target | undefined> {
    return options.locate?.(host, port).catch(() => undefined)
  }

  function track(socket: Duplex): void {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    socket.on('error', () => socket.destroy())
  }

  return {
    onConnect(request, socket, head) {
      track(socket)
      const target = parseAuthority(request.url ?? '')
      if (target === undefined) return refuse(socket, 400, `CONNECT needs HOST:PORT, not ${JSON.stringify((request.url ?? '').slice(0, 100))}.`)
      if (open.size > maxTunnels) return refuse(socket, 503, `More than ${maxTunnels} connections are open through this proxy.`)
      if (options.isServed(target.host)) {
        if (target.port !== 443) return refuse(socket, 403, `The pocket cloud serves ${target.host} on port 443 alone, not on ${target.port}.`)
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
        if (head.length > 0) socket.unshift(head)
        options.accept(socket)
        return
      }
      void locate(target.host, target.port).then((own) => {
        if (own === undefined && options.offline) refuse(socket, 403, offlineText(target.host))
        else tunnel(socket, head, own ?? target, track)
      })
    },

    onRequest(target, request, response) {
      if (!/^https?:\/\//i.test(target)) return false
      let url: URL
      try {
        url = new URL(target)
      } catch {
        answer(response, 400, 'The URL is not valid.')
        return true
      }
      if (options.isServed(url.hostname)) {
        // A program that looks for a metadata server must see at once that there is none outside of a VM; a token must not travel in the clear.
        answer(response, 403, `The pocket cloud serves ${url.hostname} over https alone. (The metadata server is there inside of VMs only.)`)
      } else if (url.protocol !== 'http:') {
        answer(response, 400, 'An https URL is asked for with CONNECT.')
      } else {
        void locate(url.hostname, Number(url.port || 80)).then((own) => {
          if (own === undefined && options.offline) answer(response, 403, offlineText(url.hostname))
          else forward(request, response, url, own)
        })
      }
      return true
    },

    close() {
      for (const socket of open) socket.destroy()
    },
  }
}

function offlineText(host: string): string {
  return `${host} is not one of Google's hosts, and nothing else is reachable with --offline.`
}

function refuse(socket: Duplex, status: number, message: string): void {
  const text = `${message}\n`
  const reason = { 400: 'Bad Request', 403: 'Forbidden', 502: 'Bad Gateway', 503: 'Service Unavailable' }[status] ?? 'Error'
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\nVia: 1.1 kiln\r\n\r\n${text}`,
  )
}

function answer(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close', Via: '1.1 kiln' })
  response.end(`${message}\n`)
}

function tunnel(client: Duplex, head: Buffer, target: Target, track: (socket: Socket) => void): void {
  const upstream = connect({ host: target.host, port: target.port })
  track(upstream)
  let established = false
  upstream.setTimeout(CONNECT_TIMEOUT_MS, () => upstream.destroy(new Error('no connection in time')))
  upstream.once('connect', () => {
    established = true
    // An open tunnel may be silent for as long as its ends like.
    upstream.setTimeout(0)
    client.write('HTTP/1.1 200 Connection established\r\n\r\n')
    if (head.length > 0) upstream.write(head)
    pipeline(client, upstream, () => upstream.destroy())
    pipeline(upstream, client, () => client.destroy())
  })
  upstream.once('error', (error) => {
    if (established) client.destroy()
    else refuse(client, 502, `${target.host}:${target.port} could not be reached: ${describeError(error)}.`)
  })
  client.once('close', () => upstream.destroy())
}

function forward(request: IncomingMessage, response: ServerResponse, url: URL, at: Target | undefined): void {
  const listed = String(request.headers.connection ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
  const kept = Object.entries(request.headers).filter(([name]) => !hopByHop.has(name) && !listed.includes(name))
  const upstream = httpRequest(url, {
    ...(at === undefined ? {} : { hostname: at.host, port: at.port }),
    method: request.method,
    headers: { ...Object.fromEntries(kept), host: url.host, via: '1.1 kiln' },
    timeout: CONNECT_TIMEOUT_MS,
  })
  upstream.once('response', (from) => {
    const headers = Object.entries(from.headers).filter(([name, value]) => !hopByHop.has(name) && value !== undefined)
    response.writeHead(from.statusCode ?? 502, Object.fromEntries(headers) as Record<string, string | string[]>)
    pipeline(from, response, () => {})
  })
  upstream.once('timeout', () => upstream.destroy(new Error('no answer in time')))
  upstream.once('error', (error) => {
    if (response.headersSent) response.destroy()
    else answer(response, 502, `${url.host} could not be reached: ${describeError(error)}.`)
  })
  response.once('close', () => upstream.destroy())
  pipeline(request, upstream, () => {})
}
