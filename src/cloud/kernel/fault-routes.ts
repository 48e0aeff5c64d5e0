/** /kiln/faults: the owner of the pocket cloud lists, sets and removes faults. Only the owner's token opens it, and no fault strikes it. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ApiError, invalidArgument, notFound } from './api-error.ts'
import { authenticate } from './authenticate.ts'
import { globMatches } from './fault-specs.ts'
import type { FaultSpec } from './fault-specs.ts'
import type { Kernel } from './kernel.ts'
import { ownerPrincipal } from './principal.ts'
import type { AnyRoute, Room } from './room.ts'

/** One route of one room, for whoever asks about the whole cloud. */
export interface TableRow {
  readonly room: Room
  readonly route: AnyRoute
}

const MAX_BODY_BYTES = 65_536

/** @param table all routes of all rooms; it may fill up after this call */
export function addFaultRoutes(app: FastifyInstance, kernel: Kernel, table: readonly TableRow[]): void {
  const { faults } = kernel

  async function requireOwner(request: FastifyRequest): Promise<void> {
    const principal = await authenticate(kernel, request.headers, false)
    if (principal.member !== ownerPrincipal.member) throw new ApiError('PERMISSION_DENIED', `Only the owner of the pocket cloud sets faults; ${principal.email} is not the owner.`)
  }

  const options = { preValidation: requireOwner, bodyLimit: MAX_BODY_BYTES }
  app.get('/kiln/faults', options, () => ({ faults: faults.list() }))
  app.post('/kiln/faults', options, (request) => {
    requireReachable(request.body, table)
    return faults.add(request.body)
  })
  app.delete('/kiln/faults', options, () => ({ removed: faults.clear() }))
  app.delete('/kiln/faults/:id', options, (request) => {
    const { id } = request.params as { id: string }
    if (faults.remove(id)) return { removed: 1 }
    const known = faults.list().map((fault) => fault.id)
    throw notFound(`There is no fault ${JSON.stringify(id)}. ${known.length === 0 ? 'None is set.' : `Set: ${known.join(', ')}.`}`)
  })
}

/** A matcher that no method of this cloud can meet is a typing mistake. */
function requireReachable(given: unknown, table: readonly TableRow[]): void {
  if (typeof given !== 'object' || given === null) throw invalidArgument('A fault is a JSON object with a kind.')
  const { method, service } = given as Partial<FaultSpec<'api'>>
  if (typeof service === 'string' && !table.some(({ room }) => globMatches(service, room.service, room.id)))
    throw invalidArgument(`No service of the pocket cloud matches ${JSON.stringify(service)}. Services: ${[...new Set(table.map(({ room }) => room.service))].sort().join(', ')}.`)
  if (typeof method === 'string' && !table.some(({ route }) => globMatches(method, route.id))) {
    const noun = method.split('.').at(-2) ?? method
    const near = [...new Set(table.map(({ route }) => route.id))].filter((id) => id.toLowerCase().includes(noun.toLowerCase())).slice(0, 8)
    throw invalidArgument(
      `No method of the pocket cloud matches ${JSON.stringify(method)}. Method ids are Google's, such as ${near.length === 0 ? 'compute.instances.insert' : near.join(', ')}.`,
    )
  }
}
