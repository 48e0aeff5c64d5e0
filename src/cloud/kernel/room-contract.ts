/**
 * The suite that every room passes: its whole route table with no token, a foreign token, and a token of somebody without any role.
 * Called from a room's own test file; a new route is covered the moment it is in the table.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Kernel } from './kernel.ts'
import type { AnyRoute, Room } from './room.ts'
import { startTestCloud } from './testing.ts'
import type { TestCloud } from './testing.ts'

export interface RoomContract {
  /** Makes the room under test and whatever rooms it needs ports of. The room under test comes first. */
  readonly makeRooms: () => readonly Room[]
  /** Values for path parameters by name, so that targets resolve; others become `x1`. The project is always `contract-project`. */
  readonly params?: Readonly<Record<string, string>>
  /** Example host for rooms whose host is an expression: host name by rule name. */
  readonly hosts?: Readonly<Record<string, string>>
  /** Makes what the routes refer to. */
  readonly prepare?: (cloud: TestCloud) => Promise<void>
}

const PROJECT = 'contract-project'

/** Registers the contract tests of a room with vitest. */
export function describeRoomContract(contract: RoomContract): void {
  const room = contract.makeRooms()[0]
  if (room === undefined) throw new Error('makeRooms gave no room')
  describe(`room contract: ${room.id}`, () => {
    let cloud: TestCloud
    let routes: readonly AnyRoute[] = []

    beforeAll(async () => {
      cloud = await startTestCloud(() => {
        const rooms = contract.makeRooms()
        const first = rooms[0]
        return first === undefined ? rooms : [spy(first, (table) => (routes = table)), ...rooms.slice(1)]
      })
      cloud.addProject(PROJECT)
      await contract.prepare?.(cloud)
    })
    afterAll(() => cloud.close())

    test('has routes with unique method ids per path, each with a permission', () => {
      expect(routes.length).toBeGreaterThan(0)
      const seen = new Set<string>()
      for (const route of routes) {
        const key = `${route.host ?? ''} ${route.method} ${route.path}`
        expect(seen.has(key), `${key} is listed twice`).toBe(false)
        seen.add(key)
        expect(route.id).toMatch(/^[\w.-]+$/)
        expect(route.permission, route.id).toMatch(/^(public|authenticated|[\w.]+)$/)
      }
    })

    test('every route that is not public answers 401 without a token and with a foreign one', async () => {
      for (const route of routes.filter((each) => each.permission !== 'public')) {
        const path = examplePath(contract, room, route)
        for (const token of [null, 'ya29.not-from-here']) {
          const answer = await cloud.call(route.method, path, { token })
          expect(`${route.id} ${answer.status}`).toBe(`${route.id} 401`)
          expect(answer.headers.get('www-authenticate'), route.id).toMatch(route.basicAuth === true ? /^Basic / : /^Bearer /)
        }
      }
    })

    test('every route with a permission answers 403 to somebody without roles (404 where Google hides nothing)', async () => {
      const token = cloud.userToken('nobody@example.com')
      for (const route of routes.filter((each) => each.permission !== 'public' && each.permission !== 'authenticated')) {
        const answer = await cloud.call(route.method, examplePath(contract, room, route), { token, ...(['POST', 'PUT', 'PATCH'].includes(route.method) ? { body: {} } : {}) })
        expect([403, 404].includes(answer.status), `${route.id} answered ${answer.status}: ${answer.text.slice(0, 200)}`).toBe(true)
        if (answer.status === 403 && route.method !== 'HEAD') expect(answer.json.error.message, route.id).toContain(route.permission)
      }
    })

    test('an unknown method of this service is 501 and named', async () => {
      const host = exampleHost(contract, room, room.hosts[0]?.name)
      const answer = await cloud.call('DELETE', `${host}/v1/no/such/collection`)
      expect(answer.status).toBe(501)
      expect(answer.json.error.status).toBe('UNIMPLEMENTED')
    })
  })
}

function spy(room: Room, tell: (routes: readonly AnyRoute[]) => void): Room {
  return {
    ...room,
    routes(kernel: Kernel) {
      const table = room.routes(kernel)
      tell(table)
      return table
    },
  }
}

function exampleHost(contract: RoomContract, room: Room, ruleName: string | undefined): string {
  const rule = room.hosts.find((each) => each.name === ruleName) ?? room.hosts[0]
  if (rule === undefined) throw new Error(`room ${room.id} has no host`)
  const given = contract.hosts?.[rule.name]
  if (given !== undefined) return given
  if (typeof rule.match === 'string') return rule.match
  throw new Error(`give an example host for ${room.id}.${rule.name}`)
}

/** Fills `:param`, `:param(expression)` and `*` with example values. */
function examplePath(contract: RoomContract, room: Room, route: AnyRoute): string {
  const values: Readonly<Record<string, string>> = { project: PROJECT, ...contract.params }
  const path = route.path
    .replaceAll('::', '\u0000')
    .replace(/:(\w+)(\((?:[^()]|\([^()]*\))*\))?/g, (_whole, name: string) => encodeURIComponent(values[name] ?? 'x1'))
    .replaceAll('*', values['*'] ?? 'x1')
    .replaceAll('\u0000', ':')
  return `${exampleHost(contract, room, route.host)}${path}`
}
