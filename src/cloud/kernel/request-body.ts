/** Bodies of requests: how much is read, as what, and what a route's schema says of it. */
import type { FastifyInstance } from 'fastify'
import { MIB } from '../../base/units.ts'
import { ApiError, invalidArgument } from './api-error.ts'
import type { AnyRoute } from './room.ts'

/** JSON bodies are bounded; only `raw` routes take more, with their own limits. */
const MAX_JSON_BYTES = 10 * MIB

/** Raw routes get the stream; all others a bounded JSON or form body, whatever content type the client claims (gcloud sends none with empty bodies). */
export function parseBodies(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', (request, payload, done) => {
    if (request.routeOptions.config.raw === true) {
      done(null, payload)
      return
    }
    readBounded(payload, MAX_JSON_BYTES).then(
      (bytes) => {
        try {
          done(null, parseBody(bytes, request.headers['content-type'] ?? ''))
        } catch (error) {
          done(error as Error)
        }
      },
      (error: unknown) => done(error as Error),
    )
  })
}

async function readBounded(payload: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of payload) {
    sizeBytes += chunk.length
    if (sizeBytes > maxBytes) throw new ApiError('PAYLOAD_TOO_LARGE', `Request payload size exceeds the limit: ${maxBytes} bytes.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function parseBody(bytes: Buffer, contentType: string): unknown {
  if (bytes.length === 0) return {}
  if (contentType.startsWith('application/x-www-form-urlencoded')) return Object.fromEntries(new URLSearchParams(bytes.toString()))
  try {
    return JSON.parse(bytes.toString()) as unknown
  } catch (error) {
    throw invalidArgument(`Invalid JSON payload received. ${error instanceof Error ? error.message : ''}`, { reason: 'parseError' })
  }
}

/** What the route's handler gets. @throws ApiError 400 with the violations of each field, as Google words them */
export function checkBody(route: AnyRoute, body: unknown): unknown {
  if (route.body === undefined) return body ?? {}
  const result = route.body.safeParse(body ?? {})
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const path = issue?.path.join('.') ?? ''
  throw invalidArgument(`Invalid value at '${path}': ${issue?.message ?? 'invalid'}`, {
    details: [
      {
        '@type': 'type.googleapis.com/google.rpc.BadRequest',
        fieldViolations: result.error.issues.map((each) => ({ field: each.path.join('.'), description: each.message })),
      },
    ],
  })
}
