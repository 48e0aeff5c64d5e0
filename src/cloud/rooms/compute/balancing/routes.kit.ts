/** Routes that every global collection of load balancing has, made from its names. */
import type { ZodType } from 'zod'
import type { AnyRoute, RouteRequest } from '../../../kernel/room.ts'
import { GLOBAL, PROJECT } from '../routes.kit.ts'
import type { RouteKit } from '../routes.kit.ts'
import type { Noun } from './noun.ts'

export interface CollectionNames {
  /** `backendServices` */
  readonly collection: string
  /** Path parameter in Google's description: `backendService` */
  readonly parameter: string
  /** Google's service in method ids and permissions, where it differs from the collection: `globalForwardingRules`. */
  readonly service?: string
  readonly listKind: string
  readonly aggregatedKind?: string
  /** False for lists that Google gives no link of their own. */
  readonly listHasLink?: boolean
  readonly changes: readonly ('update' | 'patch')[]
}

/** insert, list, aggregatedList, get, update, patch, delete. */
export function collectionRoutes<Body extends object, Record extends object, Hidden extends object>(
  kit: RouteKit,
  noun: Noun<Body, Record, Hidden>,
  body: ZodType<Body>,
  names: CollectionNames,
): readonly AnyRoute[] {
  const { collection, parameter, listKind, aggregatedKind } = names
  const service = names.service ?? collection
  const base = `${GLOBAL}/${collection}`
  const one = `${base}/:${parameter}`
  const target = kit.on(collection, parameter)
  const name = (request: RouteRequest): string => request.params[parameter] ?? ''
  const methods = { update: 'PUT', patch: 'PATCH' } as const

  function listOf(request: RouteRequest): object {
    const list = kit.list(request, listKind, collection, 'global')
    if (names.listHasLink !== false) return list
    const { selfLink: _none, ...rest } = list as { selfLink?: string }
    return rest
  }

  return [
    {
      id: `compute.${service}.insert`,
      method: 'POST',
      path: base,
      permission: `compute.${service}.create`,
      body,
      handler: (request: RouteRequest<Body>) => kit.answer(noun.insert(kit.caller(request), kit.projectId(request), request.body)),
    },
    { id: `compute.${service}.list`, method: 'GET', path: base, permission: `compute.${service}.list`, handler: (request) => listOf(request) },
    ...(aggregatedKind === undefined
      ? []
      : [
          {
            id: `compute.${collection}.aggregatedList`,
            method: 'GET' as const,
            path: `${PROJECT}/aggregated/${collection}`,
            permission: `compute.${collection}.list`,
            handler: (request: RouteRequest) => kit.aggregate(request, aggregatedKind, collection),
          },
        ]),
    {
      id: `compute.${service}.get`,
      method: 'GET',
      path: one,
      permission: `compute.${service}.get`,
      target,
      handler: (request) => noun.get(kit.projectId(request), name(request)).record,
    },
    ...names.changes.map((verb): AnyRoute => ({
      id: `compute.${service}.${verb}`,
      method: methods[verb],
      path: one,
      permission: `compute.${service}.update`,
      target,
      body,
      handler: (request: RouteRequest<Body>) => kit.answer(noun[verb](kit.caller(request), kit.projectId(request), name(request), request.body)),
    })),
    {
      id: `compute.${service}.delete`,
      method: 'DELETE',
      path: one,
      permission: `compute.${service}.delete`,
      target,
      handler: (request) => kit.answer(noun.remove(kit.caller(request), kit.projectId(request), name(request))),
    },
  ]
}
