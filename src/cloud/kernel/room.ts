/**
 * What a room is: hosts, tables, and routes as data. A route names Google's method id and the permission that it needs, so that
 * authorisation, the 501 list and the documentation come from one table.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import type { ZodType } from 'zod'
import type { Migrations } from '../../store/database.ts'
import type { Kernel } from './kernel.ts'
import type { Target } from './policy.ts'
import type { Principal } from './principal.ts'

export interface HostRule {
  /** Names this host within the room, for example `api` or `python`. */
  readonly name: string
  /** `compute.googleapis.com`, or an expression that the whole host name must match. */
  readonly match: string | RegExp
  /** Only requests whose path matches, for hosts that several services share (www.googleapis.com). */
  readonly paths?: RegExp
}

export interface RouteRequest<Body = unknown> {
  /** Decoded path parameters. */
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string | undefined>>
  /** All values of a repeated query parameter. */
  queryAll(name: string): readonly string[]
  /** Checked by the route's `body` schema, when it has one. Undefined for raw routes. */
  readonly body: Body
  /** The unread request body; only for routes with `raw`. */
  readonly stream: Readable
  readonly headers: IncomingHttpHeaders
  /** For `public` routes: the anonymous principal. */
  readonly principal: Principal
  /** The Google host that was asked for: `us-central1-python.pkg.dev`. */
  readonly host: string
  /** Base of absolute links to this host as the caller sees it, without trailing slash: `http://127.0.0.1:4000/storage.googleapis.com`. */
  readonly hostUrl: string
  /** Path and query as sent, without the host part. */
  readonly path: string
  /** Aborts when the caller goes away. */
  readonly signal: AbortSignal
  /** For answers that are not plain JSON with status 200: set status and headers here. */
  readonly reply: FastifyReply
  /** A further permission check inside the handler. @throws ApiError 403 */
  require(permission: string, target: Target): void
}

export interface Route<Body = never> {
  /** Google's method id: `storage.buckets.insert`. */
  readonly id: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD'
  /**
   * Fastify path. A custom verb is written `/:name(^[^:/]+)::verb` and wins over a plain `/:name`; plain parameters arrive decoded and may
   * contain slashes that were sent as %2F, which the form with an expression does not let through.
   */
  readonly path: string
  /** Which of the room's hosts; default: the first. */
  readonly host?: string
  /**
   * The permission on `target`. `authenticated`: every valid token, the handler decides by `request.require`. `public`: no token needed (token endpoints).
   */
  readonly permission: string | 'authenticated' | 'public'
  /** What the permission is asked on. May throw 404 where Google does before authorisation. Default: the project in `params.project`. */
  target?(request: RouteRequest): Target
  /** Zod schema of the JSON body; unknown keys should be kept or ignored, not refused (Google's clients are newer than we are). */
  readonly body?: ZodType<Body>
  /** The handler reads `request.stream` itself. */
  readonly raw?: boolean
  /** Also accept Basic credentials (`oauth2accesstoken`, `_json_key_base64`, `_json_key`), and answer 401 with a Basic challenge. */
  readonly basicAuth?: boolean
  /** True for requests that any caller with a valid token may make, whatever `permission` says: reading what Google shows to everybody. */
  isOpen?(request: RouteRequest): boolean
  /** Skip the check that the project enabled this service. */
  readonly anyProject?: boolean
  /** The JSON answer; undefined: 204 (or whatever was set on `reply`); a FilePart or a Readable is streamed. */
  handler(request: RouteRequest<Body>): Promise<unknown> | unknown
}

// oxlint-disable-next-line typescript/no-explicit-any -- routes with different bodies live in one list; each handler only gets what its own schema let through
export type AnyRoute = Route<any>

export interface Room {
  /** The folder's name: `storage`. */
  readonly id: string
  /** Service name as in Service Usage: `storage.googleapis.com`. */
  readonly service: string
  /** True for services that work before any is enabled (resource manager, billing, service usage, token endpoints). */
  readonly alwaysEnabled?: boolean
  readonly hosts: readonly HostRule[]
  readonly migrations: Migrations
  /** Called once, after all tables exist: build the service, register operations, provide ports. */
  routes(kernel: Kernel): readonly AnyRoute[]
  /** After every room has been built: adopt what runs, start watching. Requests wait for it, so that it must not wait for an answer of the daemon's port; rooms meet by ports. */
  start?(): Promise<void>
  /** Before the daemon ends: stop watching. What runs for users (VMs) goes on. */
  stop?(): Promise<void>
  /** `kiln cloud reset`: end what runs for users. Tables and blobs are removed by the kernel. */
  reset?(): Promise<void>
}
