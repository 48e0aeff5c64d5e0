/** One method of a room as a route of the server: who calls, may they, is the body right, what is answered. */
import type { IncomingMessage } from 'node:http'
import { PassThrough, Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ApiError } from './api-error.ts'
import { anonymous, authenticate } from './authenticate.ts'
import { FilePart, sendFilePart } from './file-part.ts'
import type { Kernel } from './kernel.ts'
import { applyFieldMask, parseFieldMask } from './partial-response.ts'
import type { FieldMask } from './partial-response.ts'
import type { Target } from './policy.ts'
import { checkBody } from './request-body.ts'
import type { AnyRoute, Room, RouteRequest } from './room.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    raw?: boolean
    basicAuth?: boolean
  }
}

/** How a request named the service that it wants. */
export interface Origin {
  readonly host: string
  readonly hostUrl: string
  readonly path: string
}

export function addRoute(scope: FastifyInstance, kernel: Kernel, room: Room, route: AnyRoute, origins: WeakMap<IncomingMessage, Origin>): void {
  scope.route({
    method: route.method,
    url: route.path,
    config: { raw: route.raw === true, basicAuth: route.basicAuth === true },
    handler: async (request, reply) => {
      const origin = origins.get(request.raw)
      if (origin === undefined) throw new ApiError('NOT_FOUND', 'Not found.')
      const principal = route.permission === 'public' ? anonymous : await authenticate(kernel, request.headers, route.basicAuth === true, origin.host)
      const call = toRouteRequest(kernel, request, reply, origin, principal)
      if (route.permission !== 'public') authorize(kernel, room, route, call)
      if (route.raw !== true) call.body = checkBody(route, request.body)
      // Before the work: a call with a bad mask must change nothing.
      const mask = fieldMaskOf(call)
      const answered = (): unknown => route.handler(call as RouteRequest<never>)
      const result: unknown = await (kernel.faults.active && request.headers['x-kiln-faults'] !== 'off' ? underFaults(kernel, room, route, call, answered) : answered())
      if (reply.sent) return reply
      if (result instanceof FilePart) {
        await sendFilePart(reply, result, (error) => kernel.log.error({ err: error, method: route.id }, 'an answer was cut short'))
        return reply
      }
      if (result === undefined) return reply.code(reply.statusCode === 200 ? 204 : reply.statusCode).send()
      if (result instanceof Readable || Buffer.isBuffer(result)) return reply.send(result)
      if (typeof result === 'string') return reply.send(result)
      return reply.type('application/json; charset=UTF-8').send(JSON.stringify(mask === undefined ? result : applyFieldMask(result, mask), null, isCompact(call) ? 0 : 2))
    },
  })
}

/** The body is filled in once it is checked. Stream and signal are made when a handler asks for them: most never do. */
function toRouteRequest(
  kernel: Kernel,
  request: FastifyRequest,
  reply: FastifyReply,
  origin: Origin,
  principal: RouteRequest['principal'],
): Omit<RouteRequest, 'body'> & { body: unknown } {
  let aborter: AbortController | undefined
  let empty: Readable | undefined
  const query = request.query as Record<string, string | string[] | undefined>
  return {
    params: request.params as Record<string, string>,
    query: Object.fromEntries(Object.entries(query).map(([key, value]) => [key, Array.isArray(value) ? value.at(-1) : value])),
    queryAll: (name) => [query[name] ?? []].flat(),
    body: undefined,
    get stream() {
      return request.body instanceof Readable ? request.body : (empty ??= new PassThrough().end())
    },
    headers: request.headers,
    principal,
    host: origin.host,
    hostUrl: origin.hostUrl,
    path: origin.path,
    get signal() {
      return (aborter ??= abortedByCaller(reply)).signal
    },
    reply,
    require: (permission, target) => kernel.policies.require(principal, permission, target),
  }
}

/** 'close' on the response before it finished means that the caller went away. */
function abortedByCaller(reply: FastifyReply): AbortController {
  const aborter = new AbortController()
  const onClose = (): void => {
    if (!reply.raw.writableFinished) aborter.abort(new Error('the client closed the connection'))
  }
  if (reply.raw.destroyed) onClose()
  else reply.raw.once('close', onClose)
  return aborter
}

function authorize(kernel: Kernel, room: Room, route: AnyRoute, call: RouteRequest): void {
  if (route.isOpen?.(call) === true) return
  const asked = route.target?.(call) ?? (call.params['project'] === undefined ? {} : { projectId: call.params['project'] })
  const target: Target = asked.projectId === undefined ? asked : { ...asked, projectId: kernel.projects.find(asked.projectId)?.projectId ?? asked.projectId }
  if (route.permission !== 'authenticated') kernel.policies.require(call.principal, route.permission, target)
  if (target.projectId === undefined || room.alwaysEnabled === true || route.anyProject === true) return
  const project = kernel.projects.requireActive(target.projectId, room.service)
  kernel.projects.requireService(project.projectId, room.service)
}

/** As Google's clients send it: a query parameter with or without `$`, or a header. */
function fieldMaskOf({ query, headers }: RouteRequest): FieldMask | undefined {
  const text = query['fields'] ?? query['$fields'] ?? headers['x-goog-fieldmask']
  return text === undefined || text === '' ? undefined : parseFieldMask(String(text))
}

/** Google's answers are for people unless a client says otherwise. https://cloud.google.com/apis/docs/system-parameters */
function isCompact({ query }: Pick<RouteRequest, 'query'>): boolean {
  return (query['prettyPrint'] ?? query['$prettyPrint']) === 'false'
}

/** A call while faults are set: they strike after authorisation, as Google's quotas do. Callers that say `x-kiln-faults: off` are spared, so that the owner can always take a fault back. */
async function underFaults(kernel: Kernel, room: Room, route: AnyRoute, call: RouteRequest, work: () => unknown): Promise<unknown> {
  const asked = call.params['project'] ?? route.target?.(call).projectId
  const projectId = asked === undefined ? undefined : (kernel.projects.find(asked)?.projectId ?? asked)
  const struck = { host: call.host, service: room.service, room: room.id, method: route.id, projectId, principal: call.principal }
  await kernel.faults.strike(struck, call.signal)
  return kernel.faults.during(struck, work)
}
