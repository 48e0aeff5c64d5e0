/**
 * gRPC status codes and Google's JSON errors turned into them.
 * Sources: https://grpc.github.io/grpc/core/md_doc_statuscodes.html, https://cloud.google.com/apis/design/errors, google/rpc/code.proto.
 */
import { isJsonObject } from './json-value.ts'
import type { JsonObject } from './json-value.ts'

export const grpcCodes = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const

export type GrpcCode = keyof typeof grpcCodes

/** Ends a call. `details` are google.rpc messages as JSON, each with `@type`. */
export class GrpcError extends Error {
  readonly code: GrpcCode
  readonly details: readonly JsonObject[]

  constructor(code: GrpcCode, message: string, options: { readonly details?: readonly JsonObject[]; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'GrpcError'
    this.code = code
    this.details = options.details ?? []
  }
}

/** For errors whose `status` is absent or no canonical name (the JSON APIs have some of their own, such as GONE). */
const codesByHttpStatus: Readonly<Record<number, GrpcCode>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  405: 'UNIMPLEMENTED',
  409: 'ABORTED',
  410: 'NOT_FOUND',
  412: 'FAILED_PRECONDITION',
  413: 'RESOURCE_EXHAUSTED',
  416: 'OUT_OF_RANGE',
  429: 'RESOURCE_EXHAUSTED',
  499: 'CANCELLED',
  500: 'INTERNAL',
  501: 'UNIMPLEMENTED',
  502: 'UNAVAILABLE',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
}

/**
 * The error that a REST answer outside 2xx stands for. A `Retry-After` in seconds becomes a google.rpc.RetryInfo, which is where
 * gRPC clients look for it.
 */
export function toGrpcError(httpStatus: number, retryAfter: string | undefined, body: unknown): GrpcError {
  const error = isJsonObject(body) && isJsonObject(body['error']) ? body['error'] : undefined
  const named = error?.['status']
  const code =
    typeof named === 'string' && named in grpcCodes && named !== 'OK' ? (named as GrpcCode) : (codesByHttpStatus[httpStatus] ?? (httpStatus >= 500 ? 'INTERNAL' : 'UNKNOWN'))
  const message = typeof error?.['message'] === 'string' ? error['message'] : `The service answered HTTP ${httpStatus}.`
  const details = Array.isArray(error?.['details']) ? error['details'].filter(isJsonObject).filter((detail) => typeof detail['@type'] === 'string') : []
  const hasRetryInfo = details.some((detail) => String(detail['@type']).endsWith('/google.rpc.RetryInfo'))
  if (retryAfter !== undefined && /^\d{1,6}$/.test(retryAfter) && !hasRetryInfo) {
    return new GrpcError(code, message, { details: [...details, { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${retryAfter}s` }] })
  }
  return new GrpcError(code, message, { details })
}

/** `grpc-message` is UTF-8 with everything but printable ASCII (and `%`) percent-encoded. */
export function encodeGrpcMessage(message: string): string {
  let encoded = ''
  for (const byte of Buffer.from(message)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}
