/**
 * Queries that Firestore answers only with a composite index. They need none here, and are refused all the same, so that nobody learns it in production.
 * https://firebase.google.com/docs/firestore/query-data/index-overview
 */
import { failedPrecondition } from '../../../kernel/api-error.ts'
import type { FirestoreStore, IndexRecord } from '../store.ts'
import { parseFieldPath } from './paths.ts'
import { ordersOf } from './query.ts'
import type { Filter, StructuredQuery } from './schema.ts'

interface OrderedField {
  readonly fieldPath: string
  readonly isDescending: boolean
}

interface Needs {
  /** Fields with equalities: they come first in an index, in any order. */
  readonly equal: ReadonlySet<string>
  readonly ordered: readonly OrderedField[]
}

/** @throws ApiError 400 FAILED_PRECONDITION with the command that makes the index */
export function requireIndex(store: FirestoreStore, uid: string, query: StructuredQuery): void {
  const [from] = query.from ?? []
  const collection = from?.collectionId
  const needs = needsOf(query)
  if (needs === undefined || typeof collection !== 'string') return
  const queryScope = from?.allDescendants === true ? 'COLLECTION_GROUP' : 'COLLECTION'
  const indexes = store.listIndexes(uid, collection).filter((index) => index.state === 'READY' && index.shape.queryScope === queryScope)
  // Several indexes that end alike can be merged: together they must cover the equalities.
  const covered = new Set(indexes.flatMap((index) => prefixOf(index, needs) ?? []))
  if (indexes.some((index) => prefixOf(index, needs) !== undefined) && [...needs.equal].every((field) => covered.has(field))) return
  const config = [
    ...[...needs.equal].sort().map((field) => `--field-config=field-path=${field},order=ascending`),
    ...needs.ordered.map((field) => `--field-config=field-path=${field.fieldPath},order=${field.isDescending ? 'descending' : 'ascending'}`),
  ]
  const scope = queryScope === 'COLLECTION' ? '' : ' --query-scope=collection-group'
  throw failedPrecondition(
    `The query requires an index. You can create it with: gcloud firestore indexes composite create --collection-group=${collection}${scope} ${config.join(' ')}`,
  )
}

/** Undefined when the indexes of single fields do. Queries with OR are let through. */
function needsOf(query: StructuredQuery): Needs | undefined {
  const fields = equalFields(query.where ?? undefined)
  if (fields === undefined) return undefined
  const equal = new Set(fields.filter((field) => field !== '__name__'))
  const ordered = ordersOf(query)
    .map((order) => ({ fieldPath: order.path.map(escaped).join('.'), isDescending: order.isDescending }))
    .filter((order) => order.fieldPath !== '__name__' && !equal.has(order.fieldPath))
  if (ordered.length === 0 || (ordered.length === 1 && equal.size === 0)) return undefined
  return { equal, ordered }
}

function escaped(part: string): string {
  return /^[A-Za-z_]\w*$/.test(part) ? part : `\`${part.replace(/[\\`]/g, String.raw`\$&`)}\``
}

/** Fields that are compared for equality; undefined when there is an OR. */
function equalFields(filter: Filter | undefined): readonly string[] | undefined {
  if (filter?.compositeFilter) {
    if (filter.compositeFilter.op === 'OR') return undefined
    const parts = (filter.compositeFilter.filters ?? []).map((each) => equalFields(each))
    return parts.includes(undefined) ? undefined : parts.flatMap((part) => part ?? [])
  }
  const path = (fieldPath: string): string => parseFieldPath(fieldPath).map(escaped).join('.')
  if (filter?.fieldFilter && /^(EQUAL|IN|ARRAY_CONTAINS|ARRAY_CONTAINS_ANY)$/.test(filter.fieldFilter.op)) return [path(filter.fieldFilter.field.fieldPath)]
  if (filter?.unaryFilter && /^IS_(NULL|NAN)$/.test(filter.unaryFilter.op)) return [path(filter.unaryFilter.field.fieldPath)]
  return []
}

/** What an index has before the ordered fields, if it serves the query: it is read forwards or backwards. */
function prefixOf(index: IndexRecord, needs: Needs): readonly string[] | undefined {
  const fields = index.shape.fields.filter((field) => field.fieldPath !== '__name__')
  const start = fields.length - needs.ordered.length
  if (start < 0) return undefined
  const turned = needs.ordered.map((wanted, position) => {
    const field = fields[start + position]
    if (field?.fieldPath !== wanted.fieldPath || field.order === undefined) return undefined
    return (field.order === 'DESCENDING') !== wanted.isDescending
  })
  if (turned.includes(undefined) || new Set(turned).size > 1) return undefined
  const prefix = fields.slice(0, start).map((field) => field.fieldPath)
  return prefix.every((field) => needs.equal.has(field)) ? prefix : undefined
}
