/** One gRPC call: request message -> REST call -> response messages and status. Knows nothing of HTTP/2. */
import { setTimeout as delay } from 'node:timers/promises'
import { createCatalog } from './catalog.ts'
import { expand } from './http-rule.ts'
import { readElements } from './json-array.ts'
import { isJsonObject, ProtoJsonError } from './json-value.ts'
import type { Json, JsonObject, Message } from './json-value.ts'
import { createMethodTable } from './methods.ts'
import type { MethodTable, ServedRpc } from './methods.ts'
import { createJsonCodec } from './proto-json.ts'
import { grpcCodes, GrpcError, toGrpcError } from './status.ts'
import type { RestCall, RestResponse } from './types.ts'

/** Answers are not bounded by Google's servers; this bounds our memory. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024
const WAIT_OPERATION = 'google.longrunning.Operations/WaitOperation'
/** How long WaitOperation waits when its request does not say, and how often it looks. */
const DEFAULT_WAIT_MS = 60_000
const MAX_WAIT_STEP_MS = 500

export interface GatewayCall {
  readonly rpc: ServedRpc
  readonly message: Uint8Array
  /** Passed on. */
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

export interface Gateway {
  readonly methods: MethodTable
  /**
   * The response messages, encoded: exactly one for unary methods.
   * @throws GrpcError with what the room answered, or what is wrong with the request.
   */
  run(call: GatewayCall): AsyncGenerator<Uint8Array>
  /** `grpc-status-details-bin`: an encoded google.rpc.Status. */
  encodeStatus(error: GrpcError): Uint8Array
}

/** Opens Google's protocol files; they are read as they are needed. */
export function createGateway(call: RestCall, hosts: readonly string[]): Gateway {
  const catalog = createCatalog()
  const codec = createJsonCodec(catalog)

  function decodeRequest(rpc: ServedRpc, message: Uint8Array): JsonObject {
    try {
      return codec.toJson(rpc.request, rpc.request.decode(message) as unknown as Message) as JsonObject
    } catch (error) {
      if (error instanceof ProtoJsonError) throw new GrpcError('INVALID_ARGUMENT', `Invalid request: ${error.message}.`)
      throw new GrpcError('INVALID_ARGUMENT', `The request is not a valid ${rpc.request.fullName.slice(1)}.`, { cause: error })
    }
  }

  function encodeResponse(rpc: ServedRpc, json: Json): Uint8Array {
    const whole = rpc.responseBody === undefined ? json : { [rpc.responseBody]: json }
    try {
      return rpc.response.encode(codec.fromJson(rpc.response, whole ?? {})).finish()
    } catch (error) {
      if (!(error instanceof ProtoJsonError)) throw error
      throw new GrpcError('INTERNAL', `The REST answer of ${rpc.fullName} is not a ${rpc.response.fullName.slice(1)}: ${error.message}.`)
    }
  }

  async function ask({ rpc, headers, signal }: GatewayCall, request: JsonObject): Promise<RestResponse> {
    if (rpc.bindings.length === 0) throw new GrpcError('UNIMPLEMENTED', `${rpc.fullName} has no REST form, so the pocket cloud cannot serve it.`)
    const { method, path, body } = expand(rpc.bindings, request)
    const json: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' }
    let response: RestResponse
    try {
      response = await call({
        host: rpc.host,
        method,
        path,
        headers: { ...headers, accept: 'application/json', ...json },
        body: body === undefined ? undefined : Buffer.from(JSON.stringify(body)),
        signal,
      })
    } catch (error) {
      if (signal.aborted) throw error
      throw new GrpcError('UNAVAILABLE', `The pocket cloud did not answer ${method} ${path.split('?')[0]}.`, { cause: error })
    }
    if (response.status >= 200 && response.status < 300) return response
    throw toGrpcError(response.status, response.headers['retry-after'], parseOrUndefined(await readAll(response.body)))
  }

  async function unary(gatewayCall: GatewayCall, request: JsonObject): Promise<Json> {
    const { rpc } = gatewayCall
    const response = await ask(gatewayCall, request)
    const bytes = await readAll(response.body)
    if (rpc.response.fullName === '.google.api.HttpBody') return { contentType: response.headers['content-type'] ?? '', data: bytes.toString('base64') }
    if (bytes.length === 0) return {}
    const json = parseOrUndefined(bytes)
    if (json === undefined) throw new GrpcError('INTERNAL', `The REST answer of ${rpc.fullName} is not JSON.`)
    return json
  }

  /** There is no REST route for it: the operation is looked at until it is done or the time is over, which ends in its latest state. */
  async function waitOperation(gatewayCall: GatewayCall, request: JsonObject): Promise<Json> {
    const asked = /^(\d+(?:\.\d+)?)s$/.exec(String(request['timeout'] ?? ''))
    const until = performance.now() + (asked === null ? DEFAULT_WAIT_MS : Number(asked[1]) * 1000)
    const get: GatewayCall = { ...gatewayCall, rpc: methods.find('/google.longrunning.Operations/GetOperation', gatewayCall.rpc.host) }
    for (let stepMs = 20; ; stepMs = Math.min(stepMs * 2, MAX_WAIT_STEP_MS)) {
      const operation = await unary(get, { name: request['name'] ?? '' })
      const leftMs = until - performance.now()
      if ((isJsonObject(operation) && operation['done'] === true) || leftMs <= 0) return operation
      await delay(Math.min(stepMs, leftMs), undefined, { signal: gatewayCall.signal })
    }
  }

  const methods = createMethodTable(catalog, hosts)
  return {
    methods,
    async *run(gatewayCall) {
      const { rpc } = gatewayCall
      if (rpc.isClientStreaming) throw new GrpcError('UNIMPLEMENTED', `${rpc.fullName} streams its requests, which the pocket cloud does not serve over gRPC.`)
      const request = decodeRequest(rpc, gatewayCall.message)
      if (rpc.fullName === WAIT_OPERATION) {
        yield encodeResponse(rpc, await waitOperation(gatewayCall, request))
      } else if (rpc.isServerStreaming) {
        const response = await ask(gatewayCall, request)
        for await (const element of elementsOf(rpc, response)) yield encodeResponse(rpc, throwIfError(element))
      } else {
        yield encodeResponse(rpc, await unary(gatewayCall, request))
      }
    },
    encodeStatus(error) {
      const type = catalog.type('google.rpc.Status')
      if (type === undefined) throw new Error('google.rpc.Status is not among the protocol files')
      const json = { code: grpcCodes[error.code], message: error.message, details: [...error.details] }
      try {
        return type.encode(codec.fromJson(type, json)).finish()
      } catch (problem) {
        if (!(problem instanceof ProtoJsonError)) throw problem
        // Details that do not fit their type would hide the error itself.
        return type.encode(codec.fromJson(type, { ...json, details: [] })).finish()
      }
    },
  }
}

async function* elementsOf(rpc: ServedRpc, response: RestResponse): AsyncGenerator<Json> {
  const body = response.body
  const source =
    body instanceof Uint8Array
      ? (async function* () {
          yield body
        })()
      : body
  try {
    yield* readElements(source, MAX_ANSWER_BYTES)
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) throw new GrpcError('INTERNAL', `The REST answer of ${rpc.fullName} is not a JSON array.`, { cause: error })
    throw error
  }
}

/** An error in the middle of a stream comes as its last element, `{"error": {…}}`. */
function throwIfError(element: Json): Json {
  const error = isJsonObject(element) ? element['error'] : undefined
  if (isJsonObject(error) && typeof error['code'] === 'number' && typeof error['message'] === 'string') throw toGrpcError(error['code'], undefined, element)
  return element
}

async function readAll(body: Uint8Array | AsyncIterable<Uint8Array>): Promise<Buffer> {
  if (body instanceof Uint8Array) return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of body) {
    sizeBytes += chunk.length
    if (sizeBytes > MAX_ANSWER_BYTES) throw new GrpcError('RESOURCE_EXHAUSTED', `The answer is larger than ${MAX_ANSWER_BYTES} bytes.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function parseOrUndefined(bytes: Uint8Array): Json | undefined {
  try {
    return JSON.parse(Buffer.from(bytes).toString()) as Json
  } catch {
    return undefined
  }
}
