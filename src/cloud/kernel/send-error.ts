/** The answer to a request that failed, whatever was thrown. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { describeError, isKilnError } from '../../base/errors.ts'
import { BlobTooLargeError } from '../../store/blobs.ts'
import { ApiError, invalidArgument } from './api-error.ts'
import type { Kernel } from './kernel.ts'

export function sendError(kernel: Kernel, error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const apiError = toApiError(error)
  if (apiError.httpStatus === 500) kernel.log.error({ err: error, method: request.method, url: request.url.split('?')[0] }, 'a request failed unexpectedly')
  // The rest of an unread body is not worth reading: the connection ends after the answer.
  if (!request.raw.complete) void reply.header('connection', 'close')
  // pip and twine show the reason phrase and not the body.
  if (request.routeOptions.config.basicAuth === true) reply.raw.statusMessage = toReasonPhrase(apiError.message)
  void reply.removeHeader('content-length').removeHeader('content-encoding').removeHeader('etag')
  return reply
    .code(apiError.httpStatus)
    .headers(apiError.headers)
    .type('application/json; charset=UTF-8')
    .send(JSON.stringify(apiError.toBody(), null, 2))
}

/** A status line holds printable ASCII only, and clients bound its length. */
function toReasonPhrase(message: string): string {
  return message.replace(/[^ -~]+/g, ' ').slice(0, 500)
}

function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof BlobTooLargeError) return new ApiError('PAYLOAD_TOO_LARGE', `Request payload size exceeds the limit: ${error.maxBytes} bytes.`)
  if (isKilnError(error) && error.code === 'E_DISK_FULL') return new ApiError('RESOURCE_EXHAUSTED', error.message, { reason: 'quotaExceeded' })
  if (typeof error === 'object' && error !== null && 'statusCode' in error && typeof error.statusCode === 'number' && error.statusCode < 500) {
    return error.statusCode === 413 ? new ApiError('PAYLOAD_TOO_LARGE', describeError(error)) : invalidArgument(describeError(error))
  }
  return new ApiError('INTERNAL', 'Internal error encountered.', { cause: error })
}
