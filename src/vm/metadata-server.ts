/**
 * Compute Engine's metadata server on a unix socket, one for each VM: whoever can connect is that VM.
 * Behaviour: https://cloud.google.com/compute/docs/metadata/querying-metadata and what google-guest-agent, cloud-init and google-auth rely on.
 * Layer: sockets and HTTP only; the facts come from a `MetadataSource`.
 */
import { chmod, mkdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { dirname } from 'node:path'
import { isKilnError } from '../base/errors.ts'
import { sha256Hex } from '../base/ids.ts'
import { canonicalJson } from '../base/json.ts'
import { HOUR_MS, KIB, SECOND_MS } from '../base/units.ts'
import { removeAll } from '../host/files.ts'
import type { MetadataServer, MetadataSource } from './metadata.ts'
import { findNode, flattenText, listNames, metadataRoot } from './metadata-tree.ts'
import type { MetadataNode } from './metadata-tree.ts'

export interface MetadataServerOptions {
  /** Called with what the source threw; the guest sees only a 503. */
  readonly onError?: (error: unknown) => void
}

/** Google's limit for one metadata value: https://cloud.google.com/compute/docs/metadata/setting-custom-metadata#limitations */
const maxBodyBytes = 256 * KIB
const maxConnections = 128
const prefix = '/computeMetadata/v1/'

interface Reply {
  readonly status: number
  readonly type: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Thrown inside a request to end it with this reply. */
class Refusal extends Error {
  readonly reply: Reply
  constructor(reply: Reply) {
    super(reply.body)
    this.reply = reply
  }
}

/**
 * Listens on `socketPath` (its folder is made; a socket left by a killed process is replaced) until `close`.
 * @throws the system error when the path cannot be bound (longer than 107 bytes, no permission).
 */
export async function serveMetadata(socketPath: string, source: MetadataSource, options: MetadataServerOptions = {}): Promise<MetadataServer> {
  await mkdir(dirname(socketPath), { recursive: true, mode: 0o700 })
  await removeAll(socketPath)
  // A long poll is open for as long as the guest likes; only receiving a request is limited in time.
  const server = createServer({ requestTimeout: 30 * SECOND_MS, headersTimeout: 10 * SECOND_MS, keepAliveTimeout: 5 * SECOND_MS }, (request, response) => {
    void handle(request, response, source, options)
  })
  // busybox's wget ends its side as soon as the request is sent; by default Node would drop the answer then.
  Object.assign(server, { httpAllowHalfOpen: true })
  server.maxConnections = maxConnections
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socketPath, resolve))
  await chmod(socketPath, 0o600)
  return {
    socketPath,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

async function handle(request: IncomingMessage, response: ServerResponse, source: MetadataSource, options: MetadataServerOptions): Promise<void> {
  const gone = new AbortController()
  // A peer that ended its side cannot be told from one that is gone, so no poll is held open for it: it gets what is there now.
  const ended = new AbortController()
  const onEnd = (): void => ended.abort()
  // Node takes the socket away from a finished request.
  const { socket } = request
  socket.once('end', onEnd)
  response.once('close', () => {
    // The connection may carry many more requests.
    socket.off('end', onEnd)
    gone.abort()
  })
  let reply: Reply
  try {
    reply = await answer(request, source, { gone: gone.signal, ended: ended.signal })
  } catch (error) {
    if (gone.signal.aborted) return
    if (error instanceof Refusal) reply = error.reply
    else if (isKilnError(error) && error.code === 'E_PERMISSION') reply = errorPage(403, 'Forbidden', error.message)
    else {
      options.onError?.(error)
      reply = errorPage(503, 'Service Unavailable', 'The metadata server cannot answer now.')
    }
  }
  // A refused body may still be on its way: without reading it the connection is of no further use.
  if (!request.complete) response.setHeader('Connection', 'close')
  response.writeHead(reply.status, {
    'Content-Type': reply.type,
    'Content-Length': Buffer.byteLength(reply.body),
    'Metadata-Flavor': 'Google',
    Server: 'Metadata Server for VM',
    'X-XSS-Protection': '0',
    'X-Frame-Options': 'SAMEORIGIN',
    ...reply.headers,
  })
  response.end(request.method === 'HEAD' ? undefined : reply.body)
}

interface Peer {
  readonly gone: AbortSignal
  readonly ended: AbortSignal
}

async function answer(request: IncomingMessage, source: MetadataSource, peer: Peer): Promise<Reply> {
  const url = requestUrl(request.url ?? '/')
  if (request.headers['x-forwarded-for'] !== undefined) throw new Refusal(errorPage(403, 'Forbidden', 'A request with the header X-Forwarded-For did not come from this VM.'))
  // Without the flavor header only the two top levels answer: clients use them to find out whether this is Compute Engine.
  if (url.pathname === '/') return text('computeMetadata/\n')
  if (request.headers['metadata-flavor'] !== 'Google' && String(request.headers['x-google-metadata-request']).toLowerCase() !== 'true') {
    throw new Refusal(errorPage(403, 'Forbidden', 'Missing Metadata-Flavor:Google header.'))
  }
  if (url.pathname === '/computeMetadata') return redirect(request, url)
  if (url.pathname === '/computeMetadata/') return text('v1/\n')
  if (url.pathname === prefix.slice(0, -1)) return redirect(request, url)
  if (!url.pathname.startsWith(prefix)) throw new Refusal(notFound())
  const segments = decodeSegments(url.pathname.slice(prefix.length))
  if (request.method === 'PUT') return putGuestAttribute(request, segments, source)
  if (request.method !== 'GET' && request.method !== 'HEAD') throw new Refusal(errorPage(405, 'Method Not Allowed', `The method ${request.method} is not allowed here.`))
  if (segments[0] === 'instance' && segments[1] === 'service-accounts' && segments.length === 4) {
    if (segments[3] === 'token') return token(segments[2] ?? '', url, source)
    if (segments[3] === 'identity') return identity(segments[2] ?? '', url, source)
  }
  return read(request, url, segments, source, peer)
}

/** Slashes are joined in the path alone (the guest agent sends two in a row): a query may hold a URL. */
function requestUrl(target: string): URL {
  const end = target.indexOf('?')
  const path = end < 0 ? target : target.slice(0, end)
  const url = new URL('http://metadata.google.internal/')
  url.pathname = path.replaceAll(/\/{2,}/g, '/')
  url.search = end < 0 ? '' : target.slice(end)
  return url
}

async function token(account: string, url: URL, source: MetadataSource): Promise<Reply> {
  const scopes = url.searchParams
    .get('scopes')
    ?.split(',')
    .filter((scope) => scope !== '')
  const found = await source.accessToken(account, scopes === undefined || scopes.length === 0 ? undefined : scopes)
  if (found === undefined) throw new Refusal(notFound())
  return json({ access_token: found.accessToken, expires_in: found.expiresInSeconds, token_type: 'Bearer' }, { 'Cache-Control': 'no-store' })
}

async function identity(account: string, url: URL, source: MetadataSource): Promise<Reply> {
  const audience = url.searchParams.get('audience') ?? ''
  if (audience === '') throw new Refusal(errorPage(400, 'Bad Request', 'non-empty audience parameter required'))
  const found = await source.identityToken(account, audience, url.searchParams.get('format') === 'full' ? 'full' : 'standard')
  if (found === undefined) throw new Refusal(notFound())
  return text(found, { 'Cache-Control': 'no-store' })
}

async function putGuestAttribute(request: IncomingMessage, segments: readonly string[], source: MetadataSource): Promise<Reply> {
  const [root, directory, namespace, key, ...rest] = segments
  if (root !== 'instance' || directory !== 'guest-attributes') throw new Refusal(errorPage(405, 'Method Not Allowed', 'Only guest attributes can be written.'))
  if (namespace === undefined || key === undefined || rest.length > 0) throw new Refusal(errorPage(400, 'Bad Request', 'A guest attribute has the form NAMESPACE/KEY.'))
  await source.putGuestAttribute(namespace, key, await readBody(request))
  return text('')
}

async function read(request: IncomingMessage, url: URL, segments: readonly string[], source: MetadataSource, peer: Peer): Promise<Reply> {
  const node = findNode(await rootFor(segments, source), segments)
  if (node === undefined) throw new Refusal(notFound())
  if (node.type === 'directory' && !url.pathname.endsWith('/')) return redirect(request, url)
  const shown = isOn(url, 'wait_for_change') ? await waitForChange(node, url, segments, source, peer) : node
  return render(shown, url)
}

/** The root of the tree that holds this path. */
async function rootFor(segments: readonly string[], source: MetadataSource): Promise<MetadataNode> {
  const own = (await source.ownDirectories?.()) ?? {}
  return metadataRoot(Object.hasOwn(own, segments[0] ?? '') ? own : await source.tree())
}

/**
 * Waits until the asked part differs from `last_etag` (from what it is now, without one), or `timeout_sec` is over.
 * Looks again after each change, since a change elsewhere in the tree wakes the source too.
 */
async function waitForChange(now: MetadataNode, url: URL, segments: readonly string[], source: MetadataSource, peer: Peer): Promise<MetadataNode> {
  const known = url.searchParams.get('last_etag') ?? etagOf(now)
  const timeoutMs = Number(url.searchParams.get('timeout_sec') ?? 'NaN') * SECOND_MS
  const timeout = AbortSignal.timeout(Number.isFinite(timeoutMs) && timeoutMs >= 0 ? Math.min(timeoutMs, HOUR_MS) : HOUR_MS)
  const deadline = AbortSignal.any([timeout, peer.ended])
  let treeEtag = ''
  let node = now
  for (;;) {
    // Ended with each round, so that the source does not gather listeners.
    const round = new AbortController()
    const ended = AbortSignal.any([peer.gone, deadline, round.signal])
    // Listening begins before reading: a change between the two is not missed.
    const change = source.changed(ended).catch((error: unknown) => {
      if (!ended.aborted) throw error
    })
    change.catch(() => {})
    try {
      const etag = await source.etag()
      if (etag !== treeEtag) {
        const found = findNode(await rootFor(segments, source), segments)
        if (found === undefined) throw new Refusal(notFound())
        node = found
        treeEtag = etag
      }
      if (etagOf(node) !== known || deadline.aborted) return node
      await change
      peer.gone.throwIfAborted()
    } finally {
      round.abort()
    }
  }
}

function render(node: MetadataNode, url: URL): Reply {
  const headers = { ETag: etagOf(node) }
  const format = url.searchParams.get('alt')
  if (node.type === 'value') return format === 'json' ? json(node.value, headers) : text(node.text, headers)
  if (isOn(url, 'recursive')) return format === 'text' ? text(flattenText(node), headers) : json(node.value, headers)
  const names = listNames(node)
  return format === 'json' ? json(names, headers) : text(names.map((name) => `${name}\n`).join(''), headers)
}

/** Sixteen hex digits over the content. */
function etagOf(node: MetadataNode): string {
  return sha256Hex(canonicalJson(node.value)).slice(0, 16)
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length
    if (sizeBytes > maxBodyBytes) throw new Refusal(errorPage(413, 'Request Entity Too Large', `A value has at most ${maxBodyBytes} bytes.`))
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function decodeSegments(path: string): string[] {
  try {
    return path
      .split('/')
      .filter((segment) => segment !== '')
      .map(decodeURIComponent)
  } catch {
    throw new Refusal(errorPage(400, 'Bad Request', 'The path is not valid.'))
  }
}

function isOn(url: URL, name: string): boolean {
  return url.searchParams.get(name)?.toLowerCase() === 'true'
}

function redirect(request: IncomingMessage, url: URL): Reply {
  const host = request.headers.host ?? ''
  const origin = /^[\w.-]+(:\d+)?$/.test(host) ? `http://${host}` : ''
  const location = `${origin}${url.pathname}/${url.search}`
  return { ...errorPage(301, 'Moved Permanently', 'A directory ends with a slash.'), headers: { Location: location } }
}

function text(body: string, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status: 200, type: 'application/text', body, headers }
}

function json(value: unknown, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status: 200, type: 'application/json', body: JSON.stringify(value), headers }
}

function notFound(): Reply {
  return errorPage(404, 'Not Found', 'The requested URL was not found on this server.')
}

/** Google answers errors with an HTML page too; clients look only at the status. */
function errorPage(status: number, title: string, message: string): Reply {
  const safe = message.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  const body = `<!DOCTYPE html>\n<html lang=en>\n<meta charset=utf-8>\n<title>Error ${status} (${title})</title>\n<p>${status} ${title}. ${safe}\n`
  return { status, type: 'text/html; charset=UTF-8', body }
}
