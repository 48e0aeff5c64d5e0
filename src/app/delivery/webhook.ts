/**
 * The GitHub webhook on the daemon's port: POST /kiln/webhooks/github/STACK. The only path that may be asked under a foreign host name (a tunnel's), and so
 * it trusts nothing: size first, then the signature over the raw bytes, then everything else. Each delivery is recorded with what became of it.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingMessage } from 'node:http'
import { MIB } from '../../base/units.ts'
import { readTextIfExists } from '../../host/files.ts'
import type { KilnHome } from '../../host/home.ts'
import { judgeEvent } from '../../github/events.ts'
import { isSignedBy } from '../../github/signature.ts'
import type { Pipelines } from '../../pipeline/pipelines.ts'
import { isEnded } from '../../pipeline/types.ts'
import type { Pipeline } from '../../pipeline/types.ts'
import type { Delivery, DeliveryOutcome } from '../../pipeline/inbox.ts'
import { deliveryPaths } from './paths.ts'
import { readSettings } from './settings.ts'
import type { DeliverySettings } from './settings.ts'

/** GitHub's payloads end at 25 MB; those of pushes have some kilobytes. */
export const MAX_WEBHOOK_BYTES = 10 * MIB
const BODY_TIMEOUT_MS = 30_000
/** The daemon lets these in under any host name. */
export const webhookPaths = /^\/kiln\/webhooks\/github\/[a-z][a-z0-9-]*(?:\?|$)/

export interface WebhookOptions {
  readonly home: KilnHome
  /** Opened when the first delivery comes. */
  readonly pipelines: () => Pipelines
  readonly wake: (stack: string) => Promise<void>
  readonly onUnexpected: (error: unknown) => void
  readonly nowMs?: () => number
}

interface Answer {
  readonly status: number
  readonly outcome: DeliveryOutcome
  readonly reason: string
  readonly verified: boolean
  readonly pipeline?: number
}

/** Adds the route, with bodies as they come. */
export function addWebhookRoute(app: FastifyInstance, options: WebhookOptions): void {
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null, undefined))
    scope.post('/kiln/webhooks/github/:stack', (request, reply) => handle(options, request, reply))
  })
}

async function handle(options: WebhookOptions, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const { stack } = request.params as { readonly stack: string }
  const known = await stackOf(options.home, stack)
  // Not recorded: names can be invented without end.
  if (known === undefined)
    return reply
      .code(404)
      .header('connection', 'close')
      .send({ outcome: 'refused', reason: `no webhook is set up for ${stack.slice(0, 63)}: kiln webhook setup` })
  const body = await readBody(request.raw)
  const delivery = header(request, 'x-github-delivery')
  const event = header(request, 'x-github-event')
  const told = { ...(delivery === undefined ? {} : { delivery }), ...(event === undefined ? {} : { event }), stack, sizeBytes: body.sizeBytes }
  const answer = judge(options, known, request, body, told)
  if (answer.outcome === 'queued') await options.wake(stack).catch(options.onUnexpected)
  // What was not read to its end cannot be followed by another request.
  if (body.bytes === undefined) reply.header('connection', 'close')
  return reply.code(answer.status).send({ outcome: answer.outcome, reason: answer.reason, ...(answer.pipeline === undefined ? {} : { pipeline: answer.pipeline }) })
}

interface Known {
  readonly settings: DeliverySettings & { readonly repository: string }
  readonly secret: string
}

async function stackOf(home: KilnHome, stack: string): Promise<Known | undefined> {
  if (!/^[a-z][a-z0-9-]{1,62}$/.test(stack)) return undefined
  const settings = await readSettings(home, stack)
  const secret = (await readTextIfExists(deliveryPaths(home).stack(stack).secret))?.trim()
  if (settings?.repository === undefined || secret === undefined || secret === '') return undefined
  return { settings: { ...settings, repository: settings.repository }, secret }
}

interface Body {
  /** Undefined when it is too large, or does not come to its end. */
  readonly bytes: Buffer | undefined
  readonly sizeBytes: number
}

/** At most the limit is ever held; a length that is said beforehand is believed, so that nothing is read at all. */
async function readBody(raw: IncomingMessage): Promise<Body> {
  const announced = Number(raw.headers['content-length'] ?? 0)
  if (announced > MAX_WEBHOOK_BYTES) return { bytes: undefined, sizeBytes: announced }
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  return new Promise((resolve) => {
    // Not `for await`: leaving that would end the connection, and the answer with it.
    const end = (bytes: Buffer | undefined): void => {
      clearTimeout(late)
      raw.pause().removeAllListeners('data')
      resolve({ bytes, sizeBytes })
    }
    const late = setTimeout(() => end(undefined), BODY_TIMEOUT_MS)
    raw.on('data', (chunk: Uint8Array) => {
      sizeBytes += chunk.length
      if (sizeBytes > MAX_WEBHOOK_BYTES) end(undefined)
      else chunks.push(chunk)
    })
    raw.once('end', () => end(Buffer.concat(chunks)))
    raw.once('close', () => end(undefined))
  })
}

type Told = Pick<Delivery, 'stack' | 'sizeBytes' | 'delivery' | 'event'>

function judge(options: WebhookOptions, { settings, secret }: Known, request: FastifyRequest, { bytes }: Body, told: Told): Answer {
  const { inbox, transaction } = options.pipelines()
  const refuse = (status: number, reason: string, verified = false): Answer => {
    // An id that came before has its row already: this one is kept without using it up again.
    inbox.record({ ...told, verified: verified && told.delivery !== undefined && !inbox.seen(told.stack, told.delivery), outcome: 'refused', reason })
    return { status, outcome: 'refused', reason, verified }
  }
  if (bytes === undefined)
    return told.sizeBytes > MAX_WEBHOOK_BYTES ? refuse(413, `the body is larger than ${MAX_WEBHOOK_BYTES} bytes`) : refuse(408, 'the body did not come to its end')
  if (!isSignedBy(secret, bytes, header(request, 'x-hub-signature-256'))) return refuse(401, 'the signature (X-Hub-Signature-256) is missing or wrong')
  const { delivery, event } = told
  if (delivery === undefined || event === undefined || !/^[\w-]{1,80}$/.test(delivery)) return refuse(400, 'X-GitHub-Delivery or X-GitHub-Event is missing or odd')
  if (inbox.seen(told.stack, delivery)) return refuse(409, 'a delivery with this id came before', true)
  if (!/^application\/json\b/i.test(header(request, 'content-type') ?? '')) return refuse(415, 'choose the content type application/json in the webhook’s settings', true)
  const payload = parse(bytes)
  if (payload === undefined) return refuse(400, 'the body is not JSON', true)
  const verdict = judgeEvent({ event, payload, repository: settings.repository, branch: settings.branch, nowMs: options.nowMs?.() ?? Date.now() })
  if (verdict.outcome === 'refused') return refuse(verdict.status, verdict.reason, true)
  return transaction((): Answer => {
    if (verdict.outcome === 'ignored') return keep(options, told, { status: 202, outcome: 'ignored', reason: verdict.reason, verified: true })
    // A merge sends both a push and a pull request.
    const same = alreadyDelivering(options.pipelines(), told.stack, verdict.commit)
    if (same !== undefined) return keep(options, told, { status: 202, outcome: 'ignored', reason: `pipeline ${same.id} delivers this commit (${same.state})`, verified: true })
    const { id } = options.pipelines().enqueue({ stack: told.stack, trigger: 'webhook', branch: settings.branch, ...verdict })
    return keep(options, told, { status: 202, outcome: 'queued', reason: `pipeline ${id}`, verified: true, pipeline: id })
  })
}

function keep(options: WebhookOptions, told: Told, answer: Answer): Answer {
  options
    .pipelines()
    .inbox.record({ ...told, verified: answer.verified, outcome: answer.outcome, reason: answer.reason, ...(answer.pipeline === undefined ? {} : { pipeline: answer.pipeline }) })
  return answer
}

function alreadyDelivering(pipelines: Pipelines, stack: string, commit: string): Pipeline | undefined {
  const newest = pipelines.list({ stack, limit: 1 })[0]
  return newest?.commit === commit && (!isEnded(newest.state) || newest.state === 'passed') ? newest : undefined
}

function header(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' && value !== '' ? value.slice(0, 500) : undefined
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString()) as unknown
  } catch {
    return undefined
  }
}
