/** Reading and writing documents of one project's databases. */
import { randomBytes } from 'node:crypto'
import { ApiError, failedPrecondition, invalidArgument, notFound } from '../../../kernel/api-error.ts'
import type { Kernel } from '../../../kernel/kernel.ts'
import { FIRESTORE_SERVICE } from '../service.databases.ts'
import type { DatabaseRecord, FirestoreStore } from '../store.ts'
import { requireIndex } from './indexes.ts'
import { checkCollectionPath, checkDocumentPath } from './paths.ts'
import { aggregate, runQuery } from './query.ts'
import type { QueryScope } from './query.ts'
import type { Aggregation, FieldTransform, Reading, StructuredQuery, Write } from './schema.ts'
import type { DocumentStore, StoredDocument } from './store.ts'
import type { Transactions } from './transactions.ts'
import { compareText, toFields } from './value.ts'
import type { Value } from './value.ts'
import { applyTransforms, checkPrecondition, checkSize, updatedFields } from './write.ts'

/** https://cloud.google.com/firestore/quotas */
const MAX_WRITES = 500

export interface WriteResult {
  readonly updateTime?: string
  readonly transformResults?: readonly Value[]
}

export interface ReadContext {
  /** The transaction that this read is in, if any. */
  readonly transaction: string | undefined
  /** It was begun by this read, so that the answer names it. */
  readonly isNew: boolean
}

export interface DocumentService {
  /** @throws ApiError 404, 400 for a database in Datastore mode */
  database(project: string, databaseId: string): DatabaseRecord
  /** `projects/P/databases/D/documents/`. */
  prefix(database: DatabaseRecord): string
  /** The path below `documents/` of a full name in this database. @throws ApiError 400 */
  pathOf(database: DatabaseRecord, name: string): string
  /** @throws ApiError 501 for a read at a past time, which the pocket cloud does not keep */
  begin(database: DatabaseRecord, reading: Reading): ReadContext
  find(database: DatabaseRecord, path: string, context: ReadContext): StoredDocument | undefined
  query(database: DatabaseRecord, parentPath: string, query: StructuredQuery, context: ReadContext): readonly StoredDocument[]
  aggregate(database: DatabaseRecord, parentPath: string, query: StructuredQuery, aggregations: readonly Aggregation[], context: ReadContext): Record<string, Value>
  /** Documents of a collection by name; with `showMissing` also names that only have documents below them. */
  list(database: DatabaseRecord, collectionPath: string, showMissing: boolean): readonly (StoredDocument | { readonly path: string })[]
  /** Ids of the collections directly below a document (or the root), sorted. */
  collectionIds(database: DatabaseRecord, documentPath: string): readonly string[]
  /** All or nothing. @throws ApiError */
  commit(database: DatabaseRecord, writes: readonly Write[], transaction: string | undefined): { readonly results: readonly WriteResult[]; readonly commitTime: string }
  /** Each for itself: a result or its error. */
  batchWrite(database: DatabaseRecord, writes: readonly Write[]): readonly (WriteResult | ApiError)[]
  now(): string
}

export function createDocumentService(kernel: Kernel, admin: FirestoreStore, store: DocumentStore, transactions: Transactions): DocumentService {
  let last = ''

  /** Microseconds, each time later than every one before. */
  function now(): string {
    const floor = last === '' ? store.latest() : last
    const clock = `${new Date().toISOString().slice(0, -1)}000Z`
    last = clock > floor ? clock : nextMicro(floor)
    return last
  }

  function prefix(database: DatabaseRecord): string {
    return `projects/${database.projectId}/databases/${database.databaseId}/documents/`
  }

  function scopeOf(database: DatabaseRecord, parentPath: string): QueryScope {
    return { uid: database.uid, parentPath: parentPath === '' ? '' : checkDocumentPath(parentPath), prefix: prefix(database) }
  }

  /** Clients may name the project by its number. */
  function pathOf(database: DatabaseRecord, name: string): string {
    const [, project = '', databaseId = '', path = ''] = /^projects\/([^/]+)\/databases\/([^/]+)\/documents\/(.+)$/.exec(name) ?? []
    if (path === '') throw invalidArgument(`Document name ${JSON.stringify(name)} is not of the form projects/PROJECT/databases/DATABASE/documents/PATH.`)
    if (databaseId !== database.databaseId || kernel.projects.find(project)?.projectId !== database.projectId)
      throw invalidArgument(`Document ${name} is not in the database ${prefix(database)}`)
    return checkDocumentPath(path)
  }

  function writeOne(database: DatabaseRecord, write: Write, time: string): WriteResult {
    const { update, transform, verify } = write
    const removed = write.delete
    const name = update?.name ?? transform?.document ?? removed ?? verify
    if (typeof name !== 'string') throw invalidArgument('A write has an update, a delete, a transform or a verify, with the name of its document.')
    const path = pathOf(database, name)
    const current = store.find(database.uid, path)
    checkPrecondition(current, write.currentDocument, prefix(database) + path)
    if (typeof verify === 'string') return {}
    if (typeof removed === 'string') {
      store.remove(database.uid, path)
      return {}
    }
    const mask = write.updateMask === undefined || write.updateMask === null ? undefined : (write.updateMask.fieldPaths ?? [])
    const base = update === undefined || update === null ? (current?.fields ?? {}) : updatedFields(current?.fields ?? {}, toFields(update.fields), mask)
    const transforms: readonly FieldTransform[] = transform?.fieldTransforms ?? write.updateTransforms ?? []
    const { fields, results } = applyTransforms(base, transforms, time)
    checkSize(fields, prefix(database) + path)
    const isSame = current !== undefined && JSON.stringify(current.fields) === JSON.stringify(fields)
    const updateTime = isSame ? current.updateTime : time
    if (!isSame) store.put(database.uid, { path, createTime: current?.createTime ?? time, updateTime, fields })
    return { updateTime, ...(results.length === 0 ? {} : { transformResults: results }) }
  }

  return {
    database(project, databaseId) {
      const { projectId } = kernel.projects.requireActive(project, FIRESTORE_SERVICE)
      const database = admin.find(projectId, databaseId)
      if (database === undefined)
        throw notFound(
          `The database ${databaseId} does not exist for project ${projectId} Please visit https://console.cloud.google.com/datastore/setup?project=${projectId} to add a Cloud Datastore or Cloud Firestore database. `,
        )
      if (database.config.type !== 'FIRESTORE_NATIVE')
        throw failedPrecondition(`The Cloud Firestore API is not available for Firestore in Datastore Mode database projects/${projectId}/databases/${databaseId}.`)
      return database
    },
    prefix,
    pathOf,
    begin(database, reading) {
      if (typeof reading.readTime === 'string' || typeof reading.newTransaction?.readOnly?.readTime === 'string')
        throw new ApiError('UNIMPLEMENTED', 'Reading at a past time (readTime) is not implemented by the pocket cloud.')
      if (typeof reading.transaction === 'string' && reading.transaction !== '') return { transaction: reading.transaction, isNew: false }
      if (reading.newTransaction === undefined || reading.newTransaction === null) return { transaction: undefined, isNew: false }
      return { transaction: transactions.begin(database.uid, isReadOnly(reading.newTransaction)), isNew: true }
    },
    find(database, path, context) {
      const document = store.find(database.uid, checkDocumentPath(path))
      if (context.transaction !== undefined) transactions.read(database.uid, context.transaction, () => store.find(database.uid, path)?.updateTime === document?.updateTime)
      return document
    },
    query(database, parentPath, query, context) {
      const scope = scopeOf(database, parentPath)
      requireIndex(admin, database.uid, query)
      const found = runQuery(store, scope, query)
      // Looked at again as a whole, so that documents that appeared meanwhile count too.
      if (context.transaction !== undefined) transactions.read(database.uid, context.transaction, () => versions(runQuery(store, scope, query)) === versions(found))
      return found
    },
    aggregate(database, parentPath, query, aggregations, context) {
      const scope = scopeOf(database, parentPath)
      requireIndex(admin, database.uid, query)
      const read = (): Record<string, Value> => aggregate(runQuery(store, scope, { ...query, select: undefined }), aggregations)
      const result = read()
      if (context.transaction !== undefined) transactions.read(database.uid, context.transaction, () => JSON.stringify(read()) === JSON.stringify(result))
      return result
    },
    list(database, collectionPath, showMissing) {
      checkCollectionPath(collectionPath)
      const found = store.inCollection(database.uid, collectionPath)
      if (!showMissing) return [...found].sort((one, other) => compareText(one.path, other.path))
      const depth = collectionPath.split('/').length + 1
      const known = new Set(found.map((document) => document.path))
      const missing = new Set(store.below(database.uid, collectionPath, undefined).map((document) => document.path.split('/').slice(0, depth).join('/')))
      return [...found, ...[...missing].filter((path) => !known.has(path)).map((path) => ({ path }))].sort((one, other) => compareText(one.path, other.path))
    },
    collectionIds(database, documentPath) {
      const depth = documentPath === '' ? 0 : checkDocumentPath(documentPath).split('/').length
      return [...new Set(store.below(database.uid, documentPath, undefined).map((document) => document.path.split('/')[depth] ?? ''))].sort(compareText)
    },
    commit(database, writes, transaction) {
      if (writes.length > MAX_WRITES) throw invalidArgument(`maximum ${MAX_WRITES} writes allowed per request`)
      return kernel.database.transaction(() => {
        if (transaction !== undefined) transactions.commit(database.uid, transaction, writes.length > 0)
        const time = now()
        return { results: writes.map((write) => writeOne(database, write, time)), commitTime: time }
      })
    },
    batchWrite(database, writes) {
      if (writes.length > MAX_WRITES) throw invalidArgument(`maximum ${MAX_WRITES} writes allowed per request`)
      const time = now()
      return kernel.database.transaction(() =>
        writes.map((write) => {
          try {
            return kernel.database.transaction(() => writeOne(database, write, time))
          } catch (error) {
            if (error instanceof ApiError) return error
            throw error
          }
        }),
      )
    },
    now,
  }
}

export function isReadOnly(options: Reading['newTransaction']): boolean {
  return options?.readOnly !== undefined && options.readOnly !== null
}

/** Twenty letters and digits, as Firestore's own. */
export function newDocumentId(): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
  return [...randomBytes(20)].map((byte) => alphabet[byte % alphabet.length]).join('')
}

function versions(documents: readonly StoredDocument[]): string {
  return documents.map((document) => `${document.path} ${document.updateTime}`).join('\n')
}

/** The time one microsecond later. */
function nextMicro(time: string): string {
  const micros = BigInt(Date.parse(`${time.slice(0, 19)}Z`)) * 1000n + BigInt(time.slice(20, 26)) + 1n
  return `${new Date(Number(micros / 1_000_000n) * 1000).toISOString().slice(0, 19)}.${String(micros % 1_000_000n).padStart(6, '0')}Z`
}
