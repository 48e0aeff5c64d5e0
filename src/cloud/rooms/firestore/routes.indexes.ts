/** Routes of composite indexes and field settings. https://cloud.google.com/firestore/docs/reference/rest/v1/projects.databases.collectionGroups.indexes */
import { page } from '../../kernel/paging.ts'
import type { AnyRoute, Route, RouteRequest } from '../../kernel/room.ts'
import { DATABASE, emptyToUndefined, param } from './routes.databases.ts'
import { FieldBody, IndexBody } from './schema.ts'
import type { DatabaseService } from './service.databases.ts'
import type { IndexService } from './service.indexes.ts'

const GROUP = `${DATABASE}/collectionGroups/:collection`
const INDEX = `${GROUP}/indexes/:index`

export function indexRoutes(databases: DatabaseService, indexes: IndexService): readonly AnyRoute[] {
  const at = (request: RouteRequest<unknown>): [string, string, string] => [param(request, 'project'), param(request, 'database'), param(request, 'collection')]
  const create: Route<IndexBody> = {
    id: 'firestore.projects.databases.collectionGroups.indexes.create',
    method: 'POST',
    path: `${GROUP}/indexes`,
    permission: 'datastore.indexes.create',
    body: IndexBody,
    handler: (request) => databases.presentOperation(indexes.create(...at(request), request.body, request.principal)),
  }
  const patchField: Route<FieldBody> = {
    id: 'firestore.projects.databases.collectionGroups.fields.patch',
    method: 'PATCH',
    path: `${GROUP}/fields/:field`,
    permission: 'datastore.indexes.update',
    body: FieldBody,
    handler: (request) => databases.presentOperation(indexes.changeField(...at(request), param(request, 'field'), request.body, request.query['updateMask'], request.principal)),
  }
  return [
    create,
    {
      id: 'firestore.projects.databases.collectionGroups.indexes.list',
      method: 'GET',
      path: `${GROUP}/indexes`,
      permission: 'datastore.indexes.list',
      handler(request) {
        const { items, nextPageToken } = page(indexes.list(...at(request)), request.query, nameOf)
        return { indexes: emptyToUndefined(items), nextPageToken }
      },
    },
    {
      id: 'firestore.projects.databases.collectionGroups.indexes.get',
      method: 'GET',
      path: INDEX,
      permission: 'datastore.indexes.get',
      handler: (request) => indexes.get(...at(request), param(request, 'index')),
    },
    {
      id: 'firestore.projects.databases.collectionGroups.indexes.delete',
      method: 'DELETE',
      path: INDEX,
      permission: 'datastore.indexes.delete',
      handler(request) {
        indexes.remove(...at(request), param(request, 'index'))
        return {}
      },
    },
    {
      id: 'firestore.projects.databases.collectionGroups.fields.list',
      method: 'GET',
      path: `${GROUP}/fields`,
      permission: 'datastore.indexes.list',
      handler(request) {
        const isTtl = (request.query['filter'] ?? '').includes('ttlConfig')
        const found = indexes.listFields(...at(request)).filter((field) => !isTtl || field['ttlConfig'] !== undefined)
        const { items, nextPageToken } = page(found, request.query, nameOf)
        return { fields: emptyToUndefined(items), nextPageToken }
      },
    },
    {
      id: 'firestore.projects.databases.collectionGroups.fields.get',
      method: 'GET',
      path: `${GROUP}/fields/:field`,
      permission: 'datastore.indexes.get',
      handler: (request) => indexes.getField(...at(request), param(request, 'field')),
    },
    patchField,
  ]
}

function nameOf(item: Readonly<Record<string, unknown>>): string {
  return String(item['name'])
}
