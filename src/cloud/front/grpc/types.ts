/** What the gRPC front and its caller exchange. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Duplex } from 'node:stream'

/** One REST call into the cloud. */
export interface RestRequest {
  /** The Google host that the client asked for, such as `secretmanager.googleapis.com`; no port. */
  readonly host: string
  readonly method: string
  /** Path and query, percent-encoded: `/v1/projects/p/secrets?secretId=s`. */
  readonly path: string
  /** Lower-case names. No `host`, `content-length` or connection header among them. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | undefined
  /** Aborts when the client cancelled, its deadline passed, or the front closes. */
  readonly signal: AbortSignal
}

export interface RestResponse {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** A stream lets server-streaming methods send the elements of the JSON array as they come. */
  readonly body: Uint8Array | AsyncIterable<Uint8Array>
}

export type RestCall = (request: RestRequest) => Promise<RestResponse>

export type CompatHandler = (request: Http2ServerRequest, response: Http2ServerResponse) => void

export interface GrpcServerOptions {
  /** A request's message must be there within this time, whatever the client's deadline: slow senders hold no memory for longer. Default: 60 s. */
  readonly readTimeoutMs?: number
  readonly call: RestCall
  /** The Google hosts whose rooms exist. A gRPC service is served when its host is among them. Default: every host of `services.ts`. */
  readonly hosts?: readonly string[]
  /** Gets the plain REST requests that come over the same HTTP/2 connections. Default: they are answered 415. */
  readonly handleRequest?: CompatHandler
  /** Told about defects (never about a caller's mistakes), with the method's path. The client sees INTERNAL without details. */
  readonly onUnexpected?: (error: unknown, path: string) => void
}

/** A gRPC service as the front serves it. */
export interface ServedService {
  readonly host: string
  /** Full name: `google.cloud.secretmanager.v1.SecretManagerService`. */
  readonly service: string
  readonly methods: readonly ServedMethod[]
}

export interface ServedMethod {
  readonly name: string
  /** `POST /v1/{parent=projects/*}/secrets`; undefined where Google defines no REST form, so that it answers UNIMPLEMENTED. */
  readonly rest: string | undefined
}

export interface GrpcFront {
  /**
   * Takes over a connection: with `secure`, a TLS socket whose handshake is done and chose `h2`; otherwise a plaintext socket whose
   * client starts with the HTTP/2 preface. Every request on it is either gRPC or goes to `handleRequest`.
   */
  handleConnection(socket: Duplex, options: { readonly secure: boolean }): void
  /** Answers one HTTP/2 request, for callers with an HTTP/2 server of their own. */
  handleRequest(request: Http2ServerRequest, response: Http2ServerResponse): void
  /** Every service that is served, with its methods. Reads the protocol files of all of them (some 100 ms). */
  services(): Promise<readonly ServedService[]>
  /** Running calls end with UNAVAILABLE; resolves when every connection is gone. */
  close(): Promise<void>
}
