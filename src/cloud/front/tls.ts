/** Ends TLS for Google's hosts with certificates of the cloud's own authority, made for each name when it is first asked for. */
import { createSecureContext, createServer } from 'node:tls'
import type { SecureContext, TLSSocket } from 'node:tls'
import type { Duplex } from 'node:stream'
import { SECOND_MS } from '../../base/units.ts'
import type { Authority } from './authority.ts'

export interface TlsFront {
  /** Takes a connection whose peer will speak TLS. */
  accept(socket: Duplex): void
  close(): void
}

export interface TlsFrontOptions {
  readonly authority: Authority
  readonly isServed: (host: string) => boolean
  /** Connections that speak HTTP/1.1. */
  readonly onHttp1: (socket: TLSSocket) => void
  /** Connections of clients that speak nothing but HTTP/2, which is what gRPC clients are. */
  readonly onHttp2: (socket: TLSSocket) => void
  /** For a client that never finishes its handshake. */
  readonly handshakeTimeoutMs?: number
}

/** A name that clients without SNI get; they come by address and cannot check the name anyway. */
const DEFAULT_NAME = 'www.googleapis.com'
const MAX_CONTEXTS = 512

/** Nothing listens: connections are handed in. */
export function createTlsFront(options: TlsFrontOptions): TlsFront {
  const contexts = new Map<string, Promise<SecureContext>>()

  function contextFor(name: string): Promise<SecureContext> {
    const subject = certificateName(name)
    const known = contexts.get(subject)
    if (known !== undefined) return known
    // Names are the caller's to choose, so that the store of them is bounded.
    if (contexts.size >= MAX_CONTEXTS) contexts.clear()
    const made = options.authority
      .issue([subject])
      .then(({ certificateChain, privateKey }) => createSecureContext({ cert: certificateChain, key: privateKey, minVersion: 'TLSv1.2' }))
    contexts.set(subject, made)
    made.catch(() => contexts.delete(subject))
    return made
  }

  const server = createServer({
    handshakeTimeout: options.handshakeTimeoutMs ?? 20 * SECOND_MS,
    SNICallback: (name, done) => {
      if (!options.isServed(name)) {
        done(new Error(`no certificate for ${name}`))
        return
      }
      contextFor(name.toLowerCase()).then(
        (context) => done(null, context),
        (error: Error) => done(error),
      )
    },
    // HTTP/2 brings nothing on one machine, so that only clients that insist on it get it.
    ALPNCallback: ({ protocols }) => (protocols.includes('http/1.1') ? 'http/1.1' : protocols.includes('h2') ? 'h2' : undefined),
  })
  server.on('secureConnection', (socket) => {
    socket.on('error', () => socket.destroy())
    if (socket.alpnProtocol === 'h2') options.onHttp2(socket)
    else options.onHttp1(socket)
  })
  // A client that does not trust the authority ends the handshake: nothing to do here.
  server.on('tlsClientError', (_error, socket) => socket.destroy())

  // The handshake of a client without SNI takes the server's own context, which therefore must exist before the first connection.
  const ready = options.authority
    .issue([certificateName(DEFAULT_NAME)])
    .then(({ certificateChain, privateKey }) => server.setSecureContext({ cert: certificateChain, key: privateKey }))
  ready.catch(() => {})

  return {
    accept(socket) {
      socket.on('error', () => socket.destroy())
      ready.then(
        () => server.emit('connection', socket),
        () => socket.destroy(),
      )
    },
    close() {
      contexts.clear()
    },
  }
}

/** The name on the certificate: one wildcard serves all names of a level, and so saves most of the signing. */
function certificateName(host: string): string {
  return host.replace(/^[^.]+(?=\.(?:googleapis\.com|pkg\.dev)$)/, '*')
}
