/** Compares the JSON replies of a cloud in tests with Google's descriptions of the methods. */
import type { FastifyInstance } from 'fastify'
import type { TableRow } from '../fault-routes.ts'
import { findMethod } from './method.ts'
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
  const shapes = new Map<TableRow, Shape | undefined>()

  function shapeOf(row: TableRow): Shape | undefined {
    if (!shapes.has(row)) shapes.set(row, findMethod(describedMethods(row.room.service) ?? [], row.route.method, row.route.path)?.reply?.())
    return shapes.get(row)
  }

  app.addHook('onSend', async (request, reply, payload) => {
    const type = reply.getHeader('content-type')
    if (typeof payload !== 'string' || reply.statusCode >= 300 || typeof type !== 'string' || !type.startsWith('application/json')) return
    if (rows.size === 0) for (const row of table()) rows.set(keyOf(row), row)
    const row = rows.get(`${request.method} ${request.routeOptions.url}`)
    const shape = row === undefined || isMedia(request.query) ? undefined : shapeOf(row)
    if (row === undefined || shape === undefined) return
    for (const violation of findViolations(JSON.parse(payload), shape)) found.add(`${row.route.id}: ${violation}`)
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
