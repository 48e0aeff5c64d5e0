/** For tests: a front on a loopback port and grpc-js clients made from Google's protocol files. */
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { dirname } from 'node:path'
import { credentials, loadPackageDefinition, Metadata } from '@grpc/grpc-js'
import type { CallOptions, ClientReadableStream, ServiceError } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { createCatalog } from './catalog.ts'
import type { Json } from './json-value.ts'
import { createJsonCodec } from './proto-json.ts'
import { createGrpcServer } from './server.ts'
import type { GrpcFront, GrpcServerOptions } from './types.ts'

export interface GrpcTestFront {
  readonly front: GrpcFront
  readonly port: number
  close(): Promise<void>
}

/** Tests look at answers freely. */
// oxlint-disable-next-line typescript/no-explicit-any -- see above
export type Answer = any

export interface GrpcTestClient {
  /** Calls a unary method by its name in the file. Rejects with grpc-js's ServiceError. */
  call(method: string, request: object, options?: { readonly metadata?: Readonly<Record<string, string>> } & CallOptions): Promise<Answer>
  stream(method: string, request: object): ClientReadableStream<Answer>
  close(): void
}

/** Starts a front whose connections are plaintext HTTP/2. */
export async function startTestFront(options: GrpcServerOptions): Promise<GrpcTestFront> {
  const front = createGrpcServer(options)
  const server = createServer((socket) => front.handleConnection(socket, { secure: false }))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    front,
    port: (server.address() as AddressInfo).port,
    async close() {
      server.close()
      await front.close()
    },
  }
}

export interface TestClientOptions {
  /** The Google host that the client believes it talks to. Default: the address. */
  readonly authority?: string
  /** Speaks TLS and trusts these. Default: plaintext. */
  readonly rootCertificates?: Buffer
  readonly channelOptions?: Readonly<Record<string, string | number>>
}

/**
 * A grpc-js client of a service.
 * @param address `host:port`
 * @param serviceName full name
 * @param file the protocol file that declares it
 */
export function testClient(address: string, serviceName: string, file: string, options: TestClientOptions = {}): GrpcTestClient {
  let found: Answer = loadFile(file)
  for (const part of serviceName.split('.')) found = found[part]
  const channel = options.rootCertificates === undefined ? credentials.createInsecure() : credentials.createSsl(options.rootCertificates)
  const authority = options.authority === undefined ? {} : { 'grpc.default_authority': options.authority }
  const client = new found(address, channel, { 'grpc.use_local_subchannel_pool': 1, 'grpc.enable_retries': 0, ...authority, ...options.channelOptions })
  return {
    call(method, request, { metadata = {}, ...callOptions } = {}) {
      const sent = new Metadata()
      for (const [name, value] of Object.entries(metadata)) sent.set(name, value)
      return new Promise((resolve, reject) =>
        client[method](request, sent, callOptions, (error: ServiceError | null, response: Answer) => (error === null ? resolve(response) : reject(error))),
      )
    },
    stream: (method, request) => client[method](request),
    close: () => client.close(),
  }
}

/** Reading the files takes longer than most tests. */
const loaded = new Map<string, Answer>()

function loadFile(file: string): Answer {
  const known = loaded.get(file)
  if (known !== undefined) return known
  const folder = dirname(createRequire(import.meta.url).resolve('google-proto-files/package.json'))
  const made = loadPackageDefinition(loadSync(file, { includeDirs: [folder], keepCase: false, longs: String, enums: String, defaults: true, oneofs: true, json: true }))
  loaded.set(file, made)
  return made
}

/** `grpc-status-details-bin` of an error, as JSON. */
export function statusDetails(error: unknown): Answer {
  const [bytes] = (error as ServiceError).metadata.get('grpc-status-details-bin')
  const catalog = createCatalog()
  const type = catalog.type('google.rpc.Status')
  if (type === undefined || !Buffer.isBuffer(bytes)) return undefined
  return createJsonCodec(catalog).toJson(type, type.decode(bytes) as never) satisfies Json
}
