/**
 * The suite that every room passes: its whole route table with no token, a foreign token, tokens of somebody without any role and with a wrong one,
 * and of somebody who has the route's permission and, as far as roles go, little else.
 * Called from a room's own test file; a new route is covered the moment it is in the table.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Kernel } from './kernel.ts'
import { openMethods } from './open-methods.ts'
import { allRoles, roleGrants } from './roles/index.ts'
import type { RoleDefinition } from './roles/types.ts'
import type { AnyRoute, Room } from './room.ts'
import { startTestCloud } from './testing.ts'
import type { CallResult, TestCloud } from './testing.ts'

export interface RoomContract {
  /** Makes the room under test and whatever rooms it needs ports of. The room under test comes first. */
  readonly makeRooms: () => readonly Room[]
  /** Values for path parameters by name, so that targets resolve; others become `x1`. The project is always `contract-project`. */
  readonly params?: Readonly<Record<string, string>>
  /** Example host for rooms whose host is an expression: host name by rule name. */
  readonly hosts?: Readonly<Record<string, string>>
  /** Makes what the routes refer to. */
  readonly prepare?: (cloud: TestCloud) => Promise<void>
  /** Query strings by method id, where the target is named in one. */
  readonly queries?: Readonly<Record<string, string>>
  /** Roles by method id, for permissions that only a basic role has, and for handlers that ask for more than the route's permission, as Google's do. */
  readonly roles?: Readonly<Record<string, string>>
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

    test('a role without the permission is of no use', async () => {
      for (const [index, route] of routes.filter(hasPermission).entries()) {
        const role = allRoles().find((each) => !roleGrants(each.name, route.permission) && each.permissions.length > 0)
        const member = `wrong-${index}@example.com`
        cloud.kernel().policies.grant(`projects/${PROJECT}`, role?.name ?? '', `user:${member}`)
        const answer = await callExample(contract, room, route, cloud, cloud.userToken(member))
        expect([403, 404].includes(answer.status), `${route.id} answered ${answer.status} to ${role?.name}`).toBe(true)
      }
    })

    test('the right role is enough: it exists, and whoever has it gets past authorisation', async () => {
      const refused: string[] = []
      for (const [index, route] of routes.filter(hasPermission).entries()) {
        const role = contract.roles?.[route.id] ?? smallestRoleWith(route.permission)?.name
        if (role === undefined || !roleGrants(role, route.permission)) {
          refused.push(`${route.id}: ${role === undefined ? 'no predefined role has' : `${role} lacks`} ${route.permission}, see src/cloud/kernel/roles`)
          continue
        }
        heal(cloud)
        const answer = await callWithRole(contract, room, route, cloud, role, `right-${index}@example.com`)
        if (answer.status === 401 || answer.status === 403) refused.push(`${route.id} with ${role}: ${answer.status} ${answer.text.slice(0, 300)}`)
      }
      expect(refused).toEqual([])
    })

    test('routes without a permission are listed with a reason', () => {
      const open = routes.filter((route) => route.permission === 'authenticated' || route.permission === 'public').map((route) => route.id)
      expect(
        open.filter((id) => openMethods[id] === undefined),
        'add them to src/cloud/kernel/open-methods.ts, with the reason, or give them their permission',
      ).toEqual([])
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

function hasPermission(route: AnyRoute): boolean {
  return route.permission !== 'public' && route.permission !== 'authenticated'
}

/** The predefined role that has this permission and the fewest others. */
function smallestRoleWith(permission: string): RoleDefinition | undefined {
  return allRoles()
    .filter((role) => role.permissions.length > 0 && roleGrants(role.name, permission))
    .sort((a, b) => a.permissions.length - b.permissions.length)[0]
}

/** Grants the role on the project and, when the 403 names another resource, there. */
async function callWithRole(contract: RoomContract, room: Room, route: AnyRoute, cloud: TestCloud, role: string, email: string): Promise<CallResult> {
  const { policies } = cloud.kernel()
  const token = cloud.userToken(email)
  policies.grant(`projects/${PROJECT}`, role, `user:${email}`)
  const answer = await callExample(contract, room, route, cloud, token)
  const resource: unknown = answer.json.error?.details?.[0]?.metadata?.resource
  if (answer.status !== 403 || typeof resource !== 'string' || !answer.text.includes(route.permission)) return answer
  policies.grant(resource, role, `user:${email}`)
  return callExample(contract, room, route, cloud, token)
}

function callExample(contract: RoomContract, room: Room, route: AnyRoute, cloud: TestCloud, token: string): Promise<CallResult> {
  return cloud.call(route.method, examplePath(contract, room, route), { token, ...(['POST', 'PUT', 'PATCH'].includes(route.method) ? { body: {} } : {}) })
}

/** What an earlier route did to the project with right credentials (deleted it, disabled a service) is not what the next one is asked about. */
function heal(cloud: TestCloud): void {
  const { projects } = cloud.kernel()
  const project = projects.find(PROJECT)
  if (project === undefined) return
  if (project.state !== 'ACTIVE') projects.update({ ...project, state: 'ACTIVE' })
  for (const service of cloud.services()) projects.setService(PROJECT, service, true)
}

/** Fills `:param`, `:param(expression)` and `*` with example values. */
function examplePath(contract: RoomContract, room: Room, route: AnyRoute): string {
  const values: Readonly<Record<string, string>> = { project: PROJECT, ...contract.params }
  const path = route.path
    .replaceAll('::', '\u0000')
    .replace(/:(\w+)(\((?:[^()]|\([^()]*\))*\))?/g, (_whole, name: string) => encodeURIComponent(values[name] ?? 'x1'))
    .replaceAll('*', values['*'] ?? 'x1')
    .replaceAll('\u0000', ':')
  const query = contract.queries?.[route.id]
  return `${exampleHost(contract, room, route.host)}${path}${query === undefined ? '' : `?${query}`}`
}
