/**
 * Batch requests: one POST with many calls as the parts of a multipart/mixed body, and one answer with their answers
 * (https://cloud.google.com/compute/docs/api/how-tos/batch). Works for every host, since each part goes through the server as a request of its own.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { shortId } from '../../base/ids.ts'
import { MIB } from '../../base/units.ts'
import { invalidArgument } from './api-error.ts'

/** All parts together. */
const MAX_BATCH_BYTES = 10 * MIB
/** Calls that one batch may hold. Sources: the services' own pages on batch requests. */
const MAX_CALLS: Readonly<Record<string, number>> = { compute: 1000, storage: 100, dns: 1000 }
const MAX_CALLS_OTHERWISE = 1000

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'] as const
type Method = (typeof METHODS)[number]

/** Where the outer request was sent. */
export interface BatchOrigin {
  readonly host: string
  /** `https://HOST` when it came through the proxy, else `http://127.0.0.1:PORT/HOST`. */
  readonly hostUrl: string
  /** Path and query, without the host part: `/batch/compute/v1`. */
  readonly path: string
}

/** What the batch endpoint asks the server. */
export interface BatchServer {
  originOf(raw: IncomingMessage): BatchOrigin | undefined
  /** True for the server's own `127.0.0.1:PORT`. */
  isOwnHost(hostHeader: string): boolean
  /** True when a room answers this path on this Google host. */
  serves(host: string, path: string): boolean
}

/** One call of a batch, as its part says it. */
export interface BatchCall {
  readonly contentId: string | undefined
  readonly method: Method
  /** Path and query, or a whole URL. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** True for the path of a batch endpoint: `/batch`, `/batch/compute/v1`. */
export function isBatchPath(path: string): boolean {
  return /^\/batch(?:[/?]|$)/.test(path)
}

/** Answers `POST /@batch`, to which the server leads every batch path. */
export async function batchEndpoint(app: FastifyInstance, server: BatchServer): Promise<void> {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: MAX_BATCH_BYTES }, (_request, bytes, done) => done(null, bytes))
  app.post('/@batch', { bodyLimit: MAX_BATCH_BYTES }, async (request, reply) => {
    const origin = server.originOf(request.raw)
    if (origin === undefined) throw invalidArgument('Not a batch request.')
    const parts = splitParts(Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0), request.headers['content-type'] ?? '')
    const service = /^\/batch\/([a-z]+)/.exec(origin.path)?.[1] ?? ''
    const limit = MAX_CALLS[service] ?? MAX_CALLS_OTHERWISE
    if (parts.length > limit) throw invalidArgument(`The batch request holds ${parts.length} calls. Please keep it at or under ${limit}.`, { reason: 'batchSizeTooLarge' })
    const boundary = `batch_${shortId(24)}`
    const answers: Buffer[] = []
    // In the order of the parts, one after the other: clients may count on an earlier call when a later one runs.
    for (const part of parts) {
      if (reply.raw.destroyed) break
      answers.push(Buffer.from(`--${boundary}\r\n`), await answerPart(app, server, origin, request.headers, part), Buffer.from('\r\n'))
    }
    return reply.type(`multipart/mixed; boundary=${boundary}`).send(Buffer.concat([...answers, Buffer.from(`--${boundary}--\r\n`)]))
  })
}

async function answerPart(app: FastifyInstance, server: BatchServer, origin: BatchOrigin, outer: IncomingHttpHeaders, part: Buffer): Promise<Buffer> {
  let call: BatchCall
  try {
    call = parseCall(part)
  } catch (error) {
    return render(undefined, 400, 'Bad Request', {}, Buffer.from(JSON.stringify(invalidArgument(error instanceof Error ? error.message : 'Bad part').toBody(), null, 2)))
  }
  const place = locate(server, origin, call.url)
  if (place === undefined) {
    const refusal = invalidArgument(`A batch cannot hold the call ${call.method} ${call.url.slice(0, 200)}: uploads, downloads, batches and foreign hosts are not possible in it.`)
    return render(call.contentId, 400, 'Bad Request', {}, Buffer.from(JSON.stringify(refusal.toBody(), null, 2)))
  }
  const response = await app.inject({
    method: call.method,
    url: place.url,
    headers: {
      ...(outer.authorization === undefined ? {} : { authorization: outer.authorization }),
      ...(outer['user-agent'] === undefined ? {} : { 'user-agent': outer['user-agent'] }),
      ...call.headers,
      host: place.hostHeader,
    },
    ...(call.body.length === 0 ? {} : { payload: call.body }),
  })
  return render(call.contentId, response.statusCode, response.statusMessage, response.headers, response.rawPayload)
}

/** Parts name paths of the batch's own host, of the service in its path, or whole URLs. Undefined for what a batch cannot hold. */
function locate(server: BatchServer, origin: BatchOrigin, url: string): { readonly url: string; readonly hostHeader: string } | undefined {
  const [, urlHost, urlPath = url] = /^https?:\/\/([^/]+)(\/.*)?$/.exec(url) ?? []
  const isOwn = urlHost === undefined || server.isOwnHost(urlHost.toLowerCase())
  const [, pathHost, rest] = (isOwn ? /^\/([a-z0-9-]+\.googleapis\.com)(\/.*)$/i.exec(urlPath) : null) ?? []
  const path = rest ?? urlPath
  if (!path.startsWith('/') || isBatchPath(path) || /^\/(?:resumable\/)?(?:upload|download)\//.test(path)) return undefined
  const service = /^\/batch\/([a-z]+)/.exec(origin.path)?.[1]
  const candidates = isOwn ? [pathHost ?? origin.host, `${service}.googleapis.com`] : [urlHost.toLowerCase()]
  const host = candidates.find((each) => server.serves(each, path))
  if (host === undefined) return undefined
  const isDirect = origin.hostUrl.startsWith('http:')
  return isDirect ? { url: `/${host}${path}`, hostHeader: new URL(origin.hostUrl).host } : { url: path, hostHeader: host }
}

/** Headers that speak of the connection, or of the answer as it was before it became a part. */
const DROPPED = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'date'])

function render(contentId: string | undefined, status: number, reason: string, headers: Readonly<Record<string, unknown>>, body: Buffer): Buffer {
  const inner = Object.entries(headers)
    .filter(([name, value]) => !DROPPED.has(name) && value !== undefined)
    .map(([name, value]) => `${name}: ${String(value)}`)
  const lines = [
    'Content-Type: application/http',
    ...(contentId === undefined ? [] : [`Content-ID: ${contentId.startsWith('<') ? `<response-${contentId.slice(1)}` : `response-${contentId}`}`]),
    '',
    `HTTP/1.1 ${status} ${reason}`,
    ...inner,
    `Content-Length: ${body.length}`,
    '',
    '',
  ]
  return Buffer.concat([Buffer.from(lines.join('\r\n')), body])
}

/**
 * The bytes of each part. Line ends may be CRLF or LF, and the boundary may be bare or in single or double quotes: Google's own clients differ.
 * @throws ApiError 400 for another content type, a body without parts, or one that is cut off.
 */
export function splitParts(body: Buffer, contentType: string): Buffer[] {
  const match = /^multipart\/mixed\s*;.*?boundary=(?:"([^"]+)"|'([^']+)'|([^\s;]+))/i.exec(contentType)
  const boundary = match?.[1] ?? match?.[2] ?? match?.[3]
  if (boundary === undefined) throw invalidArgument('Failed to parse batch request, error: the content type must be multipart/mixed with a boundary.', { reason: 'parseError' })
  // latin1 keeps one character per byte.
  const text = `\n${body.toString('latin1')}`
  const pieces = text.split(new RegExp(`\\r?\\n--${boundary.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?=--|[ \\t]*\\r?\\n|[ \\t]*$)`))
  const last = pieces.pop() ?? ''
  if (pieces.length < 2 || !last.startsWith('--'))
    throw invalidArgument('Failed to parse batch request, error: no parts, or the last boundary is missing.', { reason: 'parseError' })
  return pieces.slice(1).map((piece) => Buffer.from(piece.replace(/^[ \t]*\r?\n/, ''), 'latin1'))
}

/** Reads `application/http`: headers of the part, then request line, headers and body of the call. @throws Error with the reason. */
export function parseCall(part: Buffer): BatchCall {
  const [outerHead, http] = cutHead(part)
  const outer = parseHeaders(outerHead)
  const contentType = outer['content-type'] ?? 'application/http'
  if (!/^application\/http\b/i.test(contentType)) throw new Error(`Failed to parse batch request, error: a part has the content type ${contentType}, not application/http.`)
  const [head, body] = cutHead(http)
  const end = head.search(/\r?\n/)
  const requestLine = end === -1 ? head : head.slice(0, end)
  const match = /^([A-Z]+) (\S+)(?: HTTP\/1\.[01])?$/.exec(requestLine.trim())
  const method = METHODS.find((each) => each === match?.[1])
  if (match === null || method === undefined) throw new Error(`Failed to parse batch request, error: '${requestLine.slice(0, 200)}' is not a request line.`)
  const { host: _host, connection: _connection, 'content-length': length, 'transfer-encoding': _encoding, ...headers } = end === -1 ? {} : parseHeaders(head.slice(end))
  const sizeBytes = length !== undefined && /^\d+$/.test(length) ? Math.min(Number(length), body.length) : body.length
  const isGet = method === 'GET' || method === 'HEAD'
  return { contentId: outer['content-id'], method, url: match[2] ?? '', headers, body: isGet ? Buffer.alloc(0) : body.subarray(0, sizeBytes) }
}

/** What stands before the first empty line, and what comes after it. */
function cutHead(bytes: Buffer): readonly [head: string, rest: Buffer] {
  const text = bytes.toString('latin1')
  const match = /^\r?\n|\r?\n\r?\n/.exec(text)
  if (match === null) return [text, Buffer.alloc(0)]
  return [text.slice(0, match.index), bytes.subarray(match.index + match[0].length)]
}

function parseHeaders(text: string): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':')
    if (colon > 0) headers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim()
  }
  return headers
}
