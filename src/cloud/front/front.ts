/** The way in for unmodified tools, put together: authority, TLS and proxy in front of one HTTP server. */
import { chmod, mkdir } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createNetServer } from 'node:net'
import { dirname } from 'node:path'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { removeAll } from '../../host/files.ts'
import type { Authority } from './authority.ts'
import { isGoogleHost } from './hosts.ts'
import { createProxy } from './proxy.ts'
import type { Locate } from './proxy.ts'
import { createTlsFront } from './tls.ts'

export interface FrontOptions {
  readonly authority: Authority
  /** Serves what comes in; it also listens itself, and its `connect` events are the proxy's. */
  readonly server: Server
  /** Takes HTTP/2 connections. */
  readonly onHttp2: (socket: TLSSocket) => void
  readonly offline: boolean
  /** Where names of the cloud's own DNS zones lead. */
  readonly locate?: Locate
  /** Hosts of others that a room serves, such as the issuer of GitHub's tokens. */
  readonly extraHosts?: ReadonlySet<string>
  readonly handshakeTimeoutMs?: number
}

export interface Front {
  /** To be asked first for each plain request: answers those that a proxy gets, and says whether it did. */
  onRequest(target: string, request: IncomingMessage, response: ServerResponse): boolean
  /** Takes TLS connections on a unix socket too, readable by this user only: the way in of VMs. A socket left by a killed daemon is replaced. */
  listen(socketPath: string): Promise<void>
  close(): Promise<void>
}

export function createFront(options: FrontOptions): Front {
  const isServed = (host: string): boolean => isGoogleHost(host, options.extraHosts)
  const tls = createTlsFront({
    authority: options.authority,
    isServed,
    onHttp1: (socket) => void options.server.emit('connection', socket),
    onHttp2: options.onHttp2,
    ...(options.handshakeTimeoutMs === undefined ? {} : { handshakeTimeoutMs: options.handshakeTimeoutMs }),
  })
  const proxy = createProxy({ isServed, accept: (socket) => tls.accept(socket), offline: options.offline, ...(options.locate === undefined ? {} : { locate: options.locate }) })
  options.server.on('connect', (request: IncomingMessage, socket: Duplex, head: Buffer) => proxy.onConnect(request, socket, head))
  const guests = new Set<Duplex>()
  const local = createNetServer({ allowHalfOpen: true }, (socket) => {
    guests.add(socket)
    socket.once('close', () => guests.delete(socket))
    tls.accept(socket)
  })
  return {
    onRequest: (target, request, response) => proxy.onRequest(target, request, response),
    async listen(socketPath) {
      await mkdir(dirname(socketPath), { recursive: true, mode: 0o700 })
      await removeAll(socketPath)
      await new Promise<void>((resolve, reject) => local.once('error', reject).listen(socketPath, resolve))
      await chmod(socketPath, 0o600)
    },
    async close() {
      proxy.close()
      tls.close()
      for (const socket of guests) socket.destroy()
      if (local.listening) await new Promise<void>((resolve) => local.close(() => resolve()))
    },
  }
}
