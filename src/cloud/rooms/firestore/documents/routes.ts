/**
 * Routes of documents. Names have any depth, so that one route takes a whole subtree, and the number of segments tells documents from collections.
 * https://cloud.google.com/firestore/docs/reference/rest/v1/projects.databases.documents
 */
import { invalidArgument, notFound } from '../../../kernel/api-error.ts'
import type { ApiError } from '../../../kernel/api-error.ts'
import { page } from '../../../kernel/paging.ts'
import type { AnyRoute, Route, RouteRequest } from '../../../kernel/room.ts'
import { DATABASE, emptyToUndefined, param } from '../routes.databases.ts'
import type { DatabaseRecord } from '../store.ts'
import { masked } from './paths.ts'
import { BatchGetBody, BeginBody, CommitBody, DocumentBody, PostBody, RollbackBody } from './schema.ts'
import type { Precondition, Write } from './schema.ts'
import { isReadOnly, newDocumentId } from './service.ts'
import type { DocumentService, ReadContext, WriteResult } from './service.ts'
import type { StoredDocument } from './store.ts'
import type { Transactions } from './transactions.ts'
import { mapContent } from './value.ts'

const DOCUMENTS = `${DATABASE}/documents`
const ID = 'firestore.projects.databases.documents'
const NONE: ReadContext = { transaction: undefined, isNew: false }

/** google.rpc.Code of the errors that a single write may have. */
const codes: Readonly<Record<string, number>> = { INVALID_ARGUMENT: 3, NOT_FOUND: 5, ALREADY_EXISTS: 6, FAILED_PRECONDITION: 9, ABORTED: 10 }

export function documentRoutes(documents: DocumentService, transactions: Transactions): readonly AnyRoute[] {
  const databaseOf = (request: RouteRequest<unknown>): DatabaseRecord => documents.database(param(request, 'project'), param(request, 'database'))

  function present(database: DatabaseRecord, document: StoredDocument | { readonly path: string }, mask?: readonly string[]): Record<string, unknown> {
    const name = documents.prefix(database) + document.path
    if (!('fields' in document)) return { name }
    return { name, ...mapContent(masked(document.fields, mask)), createTime: document.createTime, updateTime: document.updateTime }
  }

  /** Each kind of write has its permission. */
  function requireWrites(request: RouteRequest<unknown>, database: DatabaseRecord, writes: readonly Write[]): void {
    for (const write of writes) {
      const kinds =
        typeof write.delete === 'string'
          ? ['delete']
          : typeof write.verify === 'string'
            ? ['get']
            : write.currentDocument?.exists === true
              ? ['update']
              : write.currentDocument?.exists === false
                ? ['create']
                : ['create', 'update']
      for (const kind of kinds) request.require(`datastore.entities.${kind}`, { projectId: database.projectId })
    }
  }

  function getOrList(request: RouteRequest): Record<string, unknown> {
    const database = databaseOf(request)
    const path = param(request, '*')
    const mask = request.queryAll('mask.fieldPaths')
    const context = documents.begin(database, { transaction: request.query['transaction'], readTime: request.query['readTime'] })
    if (path.split('/').length % 2 === 0) {
      const document = documents.find(database, path, context)
      if (document === undefined) throw notFound(`Document "${documents.prefix(database)}${path}" not found.`)
      return present(database, document, mask)
    }
    request.require('datastore.entities.list', { projectId: database.projectId })
    if (!/^(__name__( asc)?)?$/.test(request.query['orderBy'] ?? '')) throw invalidArgument('Documents are listed in the order of their names.')
    const found = documents.list(database, path, request.query['showMissing']?.toLowerCase() === 'true')
    const { items, nextPageToken } = page(found, request.query, (document) => document.path, { size: 100, max: 1000 })
    return { documents: emptyToUndefined(items.map((document) => present(database, document, mask))), nextPageToken }
  }

  function createDocument(request: RouteRequest<PostBody>, collectionPath: string): Record<string, unknown> {
    const database = databaseOf(request)
    request.require('datastore.entities.create', { projectId: database.projectId })
    const path = `${collectionPath}/${request.query['documentId'] ?? newDocumentId()}`
    const name = documents.prefix(database) + path
    documents.commit(database, [{ update: { name, fields: request.body.fields }, currentDocument: { exists: false } }], undefined)
    const made = documents.find(database, path, NONE)
    return made === undefined ? { name } : present(database, made, request.queryAll('mask.fieldPaths'))
  }

  /** `…/documents/users/ann:runQuery`, `…/documents:runQuery`, or a new document of a collection. */
  function post(request: RouteRequest<PostBody>, whole: string): unknown {
    const [, parentPath = whole, verb] = /^(.*):(runQuery|runAggregationQuery|listCollectionIds|partitionQuery)$/.exec(whole) ?? []
    const database = databaseOf(request)
    if (verb === undefined) return createDocument(request, whole)
    request.require('datastore.entities.list', { projectId: database.projectId })
    if (verb === 'listCollectionIds') {
      const { items, nextPageToken } = page(
        documents.collectionIds(database, parentPath),
        { pageSize: request.body.pageSize ?? undefined, pageToken: request.body.pageToken ?? undefined },
        (id) => id,
      )
      return { collectionIds: emptyToUndefined(items), nextPageToken }
    }
    const context = documents.begin(database, request.body)
    const readTime = documents.now()
    const begun = context.isNew ? { transaction: context.transaction } : {}
    if (verb === 'runQuery') {
      const found = documents.query(database, parentPath, request.body.structuredQuery ?? {}, context)
      if (found.length === 0) return [{ ...begun, readTime }]
      return found.map((document, index) => ({ ...(index === 0 ? begun : {}), document: present(database, document), readTime }))
    }
    if (verb === 'runAggregationQuery') {
      const { structuredQuery, aggregations } = request.body.structuredAggregationQuery ?? {}
      return [{ ...begun, result: { aggregateFields: documents.aggregate(database, parentPath, structuredQuery ?? {}, aggregations ?? [], context) }, readTime }]
    }
    // One partition: no points at which to cut.
    return {}
  }

  const postRoute = (verb: string): Route<PostBody> => ({
    id: `${ID}.${verb}`,
    method: 'POST',
    path: `${DOCUMENTS}::${verb}`,
    permission: 'datastore.entities.get',
    body: PostBody,
    handler: (request) => post(request, `:${verb}`),
  })
  const postBelow: Route<PostBody> = {
    id: `${ID}.createDocument`,
    method: 'POST',
    path: `${DOCUMENTS}/*`,
    permission: 'datastore.entities.get',
    body: PostBody,
    handler: (request) => post(request, param(request, '*')),
  }
  const patch: Route<DocumentBody> = {
    id: `${ID}.patch`,
    method: 'PATCH',
    path: `${DOCUMENTS}/*`,
    permission: 'datastore.entities.update',
    body: DocumentBody,
    handler(request) {
      const database = databaseOf(request)
      const path = param(request, '*')
      const name = documents.prefix(database) + path
      const mask = request.queryAll('updateMask.fieldPaths')
      const write: Write = {
        update: { name, fields: request.body.fields },
        ...(mask.length === 0 ? {} : { updateMask: { fieldPaths: [...mask] } }),
        currentDocument: preconditionOf(request),
      }
      requireWrites(request, database, [write])
      documents.commit(database, [write], undefined)
      const changed = documents.find(database, path, NONE)
      return changed === undefined ? { name } : present(database, changed, request.queryAll('mask.fieldPaths'))
    },
  }
  const commit: Route<CommitBody> = {
    id: `${ID}.commit`,
    method: 'POST',
    path: `${DOCUMENTS}::commit`,
    permission: 'datastore.databases.get',
    body: CommitBody,
    handler(request) {
      const database = databaseOf(request)
      const writes = request.body.writes ?? []
      requireWrites(request, database, writes)
      const { results, commitTime } = documents.commit(database, writes, request.body.transaction ?? undefined)
      return { writeResults: emptyToUndefined(results), commitTime }
    },
  }
  const batchWrite: Route<CommitBody> = {
    id: `${ID}.batchWrite`,
    method: 'POST',
    path: `${DOCUMENTS}::batchWrite`,
    permission: 'datastore.databases.get',
    body: CommitBody,
    handler(request) {
      const database = databaseOf(request)
      const writes = request.body.writes ?? []
      requireWrites(request, database, writes)
      const results = documents.batchWrite(database, writes)
      return {
        writeResults: results.map((result) => (isError(result) ? {} : result)),
        status: results.map((result) => (isError(result) ? { code: codes[result.status] ?? 13, message: result.message } : {})),
      }
    },
  }
  const batchGet: Route<BatchGetBody> = {
    id: `${ID}.batchGet`,
    method: 'POST',
    path: `${DOCUMENTS}::batchGet`,
    permission: 'datastore.entities.get',
    body: BatchGetBody,
    handler(request) {
      const database = databaseOf(request)
      const context = documents.begin(database, request.body)
      const readTime = documents.now()
      const found = (request.body.documents ?? []).map((name) => {
        const document = documents.find(database, documents.pathOf(database, name), context)
        return document === undefined ? { missing: name, readTime } : { found: present(database, document, request.body.mask?.fieldPaths ?? undefined), readTime }
      })
      return context.isNew ? [{ transaction: context.transaction }, ...found] : found
    },
  }
  const begin: Route<BeginBody> = {
    id: `${ID}.beginTransaction`,
    method: 'POST',
    path: `${DOCUMENTS}::beginTransaction`,
    permission: 'datastore.databases.get',
    body: BeginBody,
    handler(request) {
      const database = databaseOf(request)
      documents.begin(database, { readTime: request.body.options?.readOnly?.readTime })
      return { transaction: transactions.begin(database.uid, isReadOnly(request.body.options)) }
    },
  }
  const rollback: Route<RollbackBody> = {
    id: `${ID}.rollback`,
    method: 'POST',
    path: `${DOCUMENTS}::rollback`,
    permission: 'datastore.databases.get',
    body: RollbackBody,
    handler(request) {
      transactions.rollback(databaseOf(request).uid, request.body.transaction ?? '')
      return {}
    },
  }
  return [
    { id: `${ID}.get`, method: 'GET', path: `${DOCUMENTS}/*`, permission: 'datastore.entities.get', handler: getOrList },
    postRoute('runQuery'),
    postRoute('runAggregationQuery'),
    postRoute('listCollectionIds'),
    postRoute('partitionQuery'),
    postBelow,
    patch,
    {
      id: `${ID}.delete`,
      method: 'DELETE',
      path: `${DOCUMENTS}/*`,
      permission: 'datastore.entities.delete',
      handler(request) {
        const database = databaseOf(request)
        documents.commit(database, [{ delete: documents.prefix(database) + param(request, '*'), currentDocument: preconditionOf(request) }], undefined)
        return {}
      },
    },
    commit,
    batchWrite,
    batchGet,
    begin,
    rollback,
  ]
}

function isError(result: WriteResult | ApiError): result is ApiError {
  return result instanceof Error
}

function preconditionOf(request: RouteRequest<unknown>): Precondition | undefined {
  const exists = request.query['currentDocument.exists']
  const updateTime = request.query['currentDocument.updateTime']
  if (exists === undefined && updateTime === undefined) return undefined
  return { ...(exists === undefined ? {} : { exists: exists.toLowerCase() === 'true' }), ...(updateTime === undefined ? {} : { updateTime }) }
}
