/** Composite indexes and single-field settings. https://cloud.google.com/firestore/docs/query-data/index-overview */
import { randomBytes } from 'node:crypto'
import { alreadyExists, invalidArgument, notFound } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Operation } from '../../kernel/operations.ts'
import type { Principal } from '../../kernel/principal.ts'
import { enumValue } from './schema.ts'
import type { FieldBody, IndexBody, IndexFieldBody } from './schema.ts'
import { ADMIN_TYPE } from './service.databases.ts'
import type { DatabaseService, OperationArgs } from './service.databases.ts'
import type { DatabaseRecord, FieldConfig, FieldRecord, FirestoreStore, IndexField, IndexRecord, IndexShape } from './store.ts'

export interface IndexService {
  /** @throws ApiError 404 */
  get(project: string, databaseId: string, collection: string, indexId: string): Record<string, unknown>
  /** `-` as collection: all. */
  list(project: string, databaseId: string, collection: string): readonly Record<string, unknown>[]
  /** @throws ApiError 400, 404, 409 for one of the same shape */
  create(project: string, databaseId: string, collection: string, body: IndexBody, principal: Principal): Operation
  /** @throws ApiError 404 */
  remove(project: string, databaseId: string, collection: string, indexId: string): void
  /** Settings of a field, its own or inherited. @throws ApiError 404 for an unknown database */
  getField(project: string, databaseId: string, collection: string, field: string): Record<string, unknown>
  /** Only fields with settings of their own; of all collections for `-` or `__default__`. */
  listFields(project: string, databaseId: string, collection: string): readonly Record<string, unknown>[]
  /** @throws ApiError 400, 404 */
  changeField(project: string, databaseId: string, collection: string, field: string, body: FieldBody, updateMask: string | undefined, principal: Principal): Operation
}

/** What every field has that nobody changed. */
const DEFAULT_FIELD = { collection: '__default__', field: '*' }
const DEFAULT_INDEXES: NonNullable<FieldConfig['indexes']> = [
  { queryScope: 'COLLECTION', field: { fieldPath: '*', order: 'ASCENDING' } },
  { queryScope: 'COLLECTION', field: { fieldPath: '*', order: 'DESCENDING' } },
  { queryScope: 'COLLECTION', field: { fieldPath: '*', arrayConfig: 'CONTAINS' } },
]

export function createIndexService(kernel: Kernel, store: FirestoreStore, databases: DatabaseService): IndexService {
  const { database, operations } = kernel

  // Queries here read whole collections, so that an index needs no building; it is ready when this has been noted.
  operations.register('firestore', 'CreateIndex', async ({ response, uid, indexId }: OperationArgs & { uid: string; indexId: string }) => {
    store.readyIndex(uid, indexId)
    return { ...response, state: 'READY' }
  })
  operations.register('firestore', 'UpdateField', async ({ response, uid, collection, field }: OperationArgs & { uid: string; collection: string; field: string }) => {
    const record = store.findField(uid, collection, field)
    if (record?.config.ttl === undefined) return response
    const { ttl } = record.config
    store.putField({ ...record, config: { ...record.config, ttl: { ...ttl, state: 'ACTIVE' } } })
    return { ...response, ttlConfig: { ...ttl, state: 'ACTIVE' } }
  })

  function find(project: string, databaseId: string, collection: string, indexId: string): { readonly record: IndexRecord; readonly owner: DatabaseRecord } {
    const owner = databases.get(project, databaseId)
    const record = store.findIndex(owner.uid, collection, indexId)
    if (record === undefined) throw notFound(`Index ${databases.nameOf(owner)}/collectionGroups/${collection}/indexes/${indexId} not found.`)
    return { record, owner }
  }

  function present(owner: DatabaseRecord, record: IndexRecord): Record<string, unknown> {
    return { name: `${databases.nameOf(owner)}/collectionGroups/${record.collection}/indexes/${record.indexId}`, ...record.shape, state: record.state }
  }

  function presentField(owner: DatabaseRecord, collection: string, field: string, config: FieldConfig): Record<string, unknown> {
    const fieldName = (at: { collection: string; field: string }): string => `${databases.nameOf(owner)}/collectionGroups/${at.collection}/fields/${at.field}`
    const isDefault = collection === DEFAULT_FIELD.collection && field === DEFAULT_FIELD.field
    const inherited = isDefault ? DEFAULT_INDEXES : (store.findField(owner.uid, DEFAULT_FIELD.collection, DEFAULT_FIELD.field)?.config.indexes ?? DEFAULT_INDEXES)
    const usesAncestor = config.indexes === undefined && !isDefault
    return {
      name: fieldName({ collection, field }),
      indexConfig: {
        indexes: emptyToUndefined(
          (config.indexes ?? inherited).map((each) => ({ queryScope: each.queryScope, fields: [{ ...each.field, fieldPath: isDefault ? '*' : field }], state: 'READY' })),
        ),
        ...(usesAncestor ? { usesAncestorConfig: true, ancestorField: fieldName(DEFAULT_FIELD) } : {}),
      },
      ttlConfig: config.ttl,
    }
  }

  return {
    get(project, databaseId, collection, indexId) {
      const { owner, record } = find(project, databaseId, collection, indexId)
      return present(owner, record)
    },
    list(project, databaseId, collection) {
      const owner = databases.get(project, databaseId)
      return store.listIndexes(owner.uid, collection === '-' ? undefined : collection).map((record) => present(owner, record))
    },
    create(project, databaseId, collection, body, principal) {
      return database.transaction(() => {
        const owner = databases.get(project, databaseId)
        const shape = toShape(body)
        if (store.listIndexes(owner.uid, collection).some((each) => JSON.stringify(each.shape) === JSON.stringify(shape))) throw alreadyExists('index already exists')
        const record: IndexRecord = { uid: owner.uid, collection: checkCollection(collection), indexId: newIndexId(), state: 'CREATING', shape }
        store.insertIndex(record)
        const shown = present(owner, record)
        return operations.start({
          room: 'firestore',
          type: 'CreateIndex',
          projectId: owner.projectId,
          scope: owner.databaseId,
          target: `databases/${owner.databaseId}/collectionGroups/${collection}/indexes/${record.indexId}`,
          principal,
          args: {
            uid: owner.uid,
            indexId: record.indexId,
            metadata: { '@type': `${ADMIN_TYPE}.IndexOperationMetadata`, startTime: new Date().toISOString(), index: shown['name'] },
            response: { '@type': `${ADMIN_TYPE}.Index`, ...shown },
          },
        })
      })
    },
    remove: (project, databaseId, collection, indexId) => store.removeIndex(find(project, databaseId, collection, indexId).record),
    getField(project, databaseId, collection, field) {
      const owner = databases.get(project, databaseId)
      return presentField(owner, collection, field, store.findField(owner.uid, collection, field)?.config ?? {})
    },
    listFields(project, databaseId, collection) {
      const owner = databases.get(project, databaseId)
      const isAll = collection === '-' || collection === DEFAULT_FIELD.collection
      const own = store.listFields(owner.uid, isAll ? undefined : collection).map((each) => presentField(owner, each.collection, each.field, each.config))
      const hasDefault = store.findField(owner.uid, DEFAULT_FIELD.collection, DEFAULT_FIELD.field) !== undefined
      return isAll && !hasDefault ? [presentField(owner, DEFAULT_FIELD.collection, DEFAULT_FIELD.field, {}), ...own] : own
    },
    changeField(project, databaseId, collection, field, body, updateMask, principal) {
      return database.transaction(() => {
        const owner = databases.get(project, databaseId)
        const before = store.findField(owner.uid, collection, field)?.config ?? {}
        const config = changeConfig(before, body, updateMask)
        const record: FieldRecord = { uid: owner.uid, collection: checkCollection(collection), field, config }
        if (config.indexes === undefined && config.ttl === undefined) store.removeField(owner.uid, collection, field)
        else store.putField(record)
        const shown = presentField(owner, collection, field, config)
        return operations.start({
          room: 'firestore',
          type: 'UpdateField',
          projectId: owner.projectId,
          scope: owner.databaseId,
          target: `databases/${owner.databaseId}/collectionGroups/${collection}/fields/${field}`,
          principal,
          args: {
            uid: owner.uid,
            collection,
            field,
            metadata: { '@type': `${ADMIN_TYPE}.FieldOperationMetadata`, startTime: new Date().toISOString(), field: shown['name'] },
            response: { '@type': `${ADMIN_TYPE}.Field`, ...shown },
          },
        })
      })
    },
  }
}

function emptyToUndefined<T>(items: readonly T[]): readonly T[] | undefined {
  return items.length === 0 ? undefined : items
}

/** As Google's look: fourteen characters that begin like theirs. */
function newIndexId(): string {
  return `CICAgO${randomBytes(6).toString('base64url').replaceAll('-', 'x')}`
}

function checkCollection(collection: string): string {
  if (collection === '' || collection === '-' || collection.includes('/') || /^__(?!default__).*__$/.test(collection))
    throw invalidArgument(`Invalid collection group: ${collection}`)
  return collection
}

function toField(body: IndexFieldBody): IndexField {
  const { fieldPath, order, arrayConfig, vectorConfig } = body
  if (typeof fieldPath !== 'string' || fieldPath === '') throw invalidArgument('An index field needs a field_path.')
  if (vectorConfig !== undefined && vectorConfig !== null) return { fieldPath, vectorConfig }
  const direction = enumValue('index.fields.order', order, ['ASCENDING', 'DESCENDING'], '')
  const array = enumValue('index.fields.array_config', arrayConfig, ['CONTAINS'], '')
  if ((direction === '') === (array === '')) throw invalidArgument(`The index field ${fieldPath} needs exactly one of order, array_config and vector_config.`)
  return direction === '' ? { fieldPath, arrayConfig: array } : { fieldPath, order: direction }
}

/** Google ends every index with __name__, in the direction of its last ordered field. */
function toShape(body: IndexBody): IndexShape {
  const fields = (body.fields ?? []).map(toField)
  const named = fields.filter((field) => field.fieldPath !== '__name__')
  if (named.length === 0) throw invalidArgument('The index must contain at least one field.')
  if (named.length === 1 && named[0]?.vectorConfig === undefined && fields.length === 1)
    throw invalidArgument('this index is not necessary, configure using single field index controls')
  if (new Set(named.map((field) => field.fieldPath)).size !== named.length) throw invalidArgument('An index may contain a field once.')
  if (named.filter((field) => field.arrayConfig !== undefined).length > 1) throw invalidArgument('An index may contain one array field at most.')
  const hasName = fields.some((field) => field.fieldPath === '__name__')
  const last: IndexField = { fieldPath: '__name__', order: named.findLast((field) => field.order !== undefined)?.order ?? 'ASCENDING' }
  const vectorAt = fields.findIndex((field) => field.vectorConfig !== undefined)
  const whole = hasName ? fields : vectorAt === -1 ? [...fields, last] : [...fields.slice(0, vectorAt), last, ...fields.slice(vectorAt)]
  return {
    queryScope: enumValue('index.query_scope', body.queryScope, ['COLLECTION', 'COLLECTION_GROUP', 'COLLECTION_RECURSIVE'], 'COLLECTION'),
    apiScope: enumValue('index.api_scope', body.apiScope, ['ANY_API', 'DATASTORE_MODE_API', 'MONGODB_COMPATIBLE_API'], 'ANY_API'),
    density: enumValue('index.density', body.density, ['SPARSE_ALL', 'SPARSE_ANY', 'DENSE'], 'SPARSE_ALL'),
    fields: whole,
  }
}

/** A mask that names a part which the body lacks takes the setting away. */
function changeConfig(before: FieldConfig, body: FieldBody, updateMask: string | undefined): FieldConfig {
  const names = (updateMask ?? '').split(',').map((name) => name.trim().replace(/_([a-z])/g, (_whole, letter: string) => letter.toUpperCase()))
  const isNamed = (part: 'indexConfig' | 'ttlConfig'): boolean =>
    updateMask === undefined || updateMask === '' ? body[part] !== undefined : names.some((name) => name === part || name.startsWith(`${part}.`))
  const indexes = isNamed('indexConfig') ? body.indexConfig?.indexes : undefined
  return {
    indexes: !isNamed('indexConfig')
      ? before.indexes
      : body.indexConfig === undefined || body.indexConfig === null
        ? undefined
        : (indexes ?? []).map((each) => ({
            queryScope: enumValue('index.query_scope', each.queryScope, ['COLLECTION', 'COLLECTION_GROUP'], 'COLLECTION'),
            field: toField({ fieldPath: '*', ...each.fields?.[0] }),
          })),
    ttl: !isNamed('ttlConfig') ? before.ttl : body.ttlConfig === undefined || body.ttlConfig === null ? undefined : { ...withoutState(body.ttlConfig), state: 'CREATING' },
  }
}

function withoutState(ttl: Readonly<Record<string, unknown>>): { readonly expirationOffset?: string } {
  const { expirationOffset } = ttl
  return typeof expirationOffset === 'string' ? { expirationOffset } : {}
}
