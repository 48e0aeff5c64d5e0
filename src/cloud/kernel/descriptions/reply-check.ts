/** Compares the JSON replies of a cloud in tests with Google's descriptions of the methods. */
import type { FastifyInstance } from 'fastify'
import type { TableRow } from '../fault-routes.ts'
import { findMethods } from './method.ts'
import { describedMethods } from './services.ts'
import type { Shape } from './shape.ts'
import { findViolations } from './shape.ts'

export interface ReplyCheck {
  /** `storage.buckets.get: locaton: Bucket has no such field`, each once. */
  violations(): readonly string[]
}

/**
 * Watches every successful JSON reply of the server.
 * @param table asked at each reply, since the routes are added after the hook
 */
export function checkReplies(app: FastifyInstance, table: () => readonly TableRow[]): ReplyCheck {
  const found = new Set<string>()
  const rows = new Map<string, TableRow>()
  const shapes = new Map<TableRow, readonly Shape[]>()

  function shapesOf(row: TableRow): readonly Shape[] {
    const known = shapes.get(row)
    if (known !== undefined) return known
    const methods = findMethods(describedMethods(row.room.service) ?? [], row.route.method, row.route.path)
    const described = methods.flatMap((method) => method.reply?.() ?? [])
    shapes.set(row, described)
    return described
  }

  app.addHook('onSend', async (request, reply, payload) => {
    const type = reply.getHeader('content-type')
    if (typeof payload !== 'string' || reply.statusCode >= 300 || typeof type !== 'string' || !type.startsWith('application/json')) return
    if (rows.size === 0) for (const row of table()) rows.set(keyOf(row), row)
    const row = rows.get(`${request.method} ${request.routeOptions.url}`)
    if (row === undefined || isMedia(request.query)) return
    // One of the methods that the route stands for must fit.
    const tried = shapesOf(row).map((shape) => findViolations(JSON.parse(payload), shape))
    if (tried.some((violations) => violations.length === 0)) return
    for (const violation of tried[0] ?? []) found.add(`${row.route.id}: ${violation}`)
  })
  return { violations: () => [...found] }
}

/** An object's own bytes may be JSON too. */
function isMedia(query: unknown): boolean {
  return typeof query === 'object' && query !== null && 'alt' in query && query.alt === 'media'
}

function keyOf({ room, route }: TableRow): string {
  return `${route.method} /@${room.id}.${route.host ?? room.hosts[0]?.name ?? ''}${route.path}`
}
