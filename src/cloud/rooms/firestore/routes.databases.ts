/** Routes of databases, their operations, and locations. https://cloud.google.com/firestore/docs/reference/rest/v1/projects.databases */
import { notFound } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { page } from '../../kernel/paging.ts'
import type { AnyRoute, Route } from '../../kernel/room.ts'
import { DatabaseBody } from './schema.ts'
import { ADMIN_TYPE } from './service.databases.ts'
import type { DatabaseService } from './service.databases.ts'
import { findLocation, listLocations } from './service.locations.ts'
import type { FirestoreLocation } from './service.locations.ts'

const PROJECT = '/v1/projects/:project'
const DATABASES = `${PROJECT}/databases`
export const DATABASE = `${DATABASES}/:database`

export function databaseRoutes(kernel: Kernel, databases: DatabaseService): readonly AnyRoute[] {
  const create: Route<DatabaseBody> = {
    id: 'firestore.projects.databases.create',
    method: 'POST',
    path: DATABASES,
    permission: 'datastore.databases.create',
    body: DatabaseBody,
    handler(request) {
      // Terraform and gcloud say databaseId; some generated clients keep the proto's name.
      const id = request.query['databaseId'] ?? request.query['database_id']
      return databases.presentOperation(databases.create(param(request, 'project'), id, request.body, request.principal))
    },
  }
  const patch: Route<DatabaseBody> = {
    id: 'firestore.projects.databases.patch',
    method: 'PATCH',
    path: DATABASE,
    permission: 'datastore.databases.update',
    body: DatabaseBody,
    handler: (request) =>
      databases.presentOperation(databases.change(param(request, 'project'), param(request, 'database'), request.body, request.query['updateMask'], request.principal)),
  }
  const operationRoute = (verb: 'get' | 'delete' | 'cancel', method: 'GET' | 'DELETE' | 'POST'): Route<Record<string, unknown>> => ({
    id: `firestore.projects.databases.operations.${verb}`,
    method,
    path: verb === 'cancel' ? `${DATABASE}/operations/:operation(^[^:/]+)::cancel` : `${DATABASE}/operations/:operation`,
    permission: `datastore.operations.${verb}`,
    handler(request) {
      const operation = databases.operation(param(request, 'project'), param(request, 'database'), param(request, 'operation'))
      if (verb === 'get') return databases.presentOperation(operation)
      // What an operation reports is done when it starts: there is nothing to cancel.
      if (verb === 'delete') kernel.operations.remove(operation.name)
      return {}
    },
  })
  return [
    create,
    {
      id: 'firestore.projects.databases.list',
      method: 'GET',
      path: DATABASES,
      permission: 'datastore.databases.list',
      handler: (request) => ({ databases: emptyToUndefined(databases.list(param(request, 'project')).map((record) => databases.present(record))) }),
    },
    {
      id: 'firestore.projects.databases.get',
      method: 'GET',
      path: DATABASE,
      permission: 'datastore.databases.getMetadata',
      handler: (request) => databases.present(databases.get(param(request, 'project'), param(request, 'database'))),
    },
    patch,
    {
      id: 'firestore.projects.databases.delete',
      method: 'DELETE',
      path: DATABASE,
      permission: 'datastore.databases.delete',
      handler: (request) => databases.presentOperation(databases.remove(param(request, 'project'), param(request, 'database'), request.query['etag'], request.principal)),
    },
    operationRoute('get', 'GET'),
    operationRoute('delete', 'DELETE'),
    operationRoute('cancel', 'POST'),
    {
      id: 'firestore.projects.databases.operations.list',
      method: 'GET',
      path: `${DATABASE}/operations`,
      permission: 'datastore.operations.list',
      handler(request) {
        const found = databases.operations(param(request, 'project'), param(request, 'database'))
        const { items, nextPageToken } = page(found, request.query, (operation) => `${operation.insertTime} ${operation.name}`)
        return { operations: emptyToUndefined(items.map((operation) => databases.presentOperation(operation))), nextPageToken }
      },
    },
    {
      id: 'firestore.projects.locations.list',
      method: 'GET',
      path: `${PROJECT}/locations`,
      permission: 'datastore.locations.list',
      handler: (request) => ({ locations: listLocations().map((location) => presentLocation(param(request, 'project'), location)) }),
    },
    {
      id: 'firestore.projects.locations.get',
      method: 'GET',
      path: `${PROJECT}/locations/:location`,
      permission: 'datastore.locations.get',
      handler(request) {
        const location = findLocation(param(request, 'location'))
        if (location === undefined) throw notFound(`Location ${param(request, 'location')} not found.`)
        return presentLocation(param(request, 'project'), location)
      },
    },
  ]
}

/** A path parameter that the route has. */
export function param(request: { readonly params: Readonly<Record<string, string>> }, name: string): string {
  return request.params[name] ?? ''
}

/** Empty lists are left out of answers. */
export function emptyToUndefined<T>(items: readonly T[]): readonly T[] | undefined {
  return items.length === 0 ? undefined : items
}

function presentLocation(project: string, location: FirestoreLocation): Record<string, unknown> {
  return { name: `projects/${project}/locations/${location.locationId}`, ...location, metadata: { '@type': `${ADMIN_TYPE}.LocationMetadata` } }
}
