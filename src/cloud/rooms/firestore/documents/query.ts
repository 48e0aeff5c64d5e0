/** Structured queries over the documents of a database. https://cloud.google.com/firestore/docs/reference/rest/v1/StructuredQuery */
import { ApiError, invalidArgument } from '../../../kernel/api-error.ts'
import { masked, parseFieldPath, valueAt } from './paths.ts'
import type { Aggregation, Cursor, Filter, StructuredQuery } from './schema.ts'
import type { DocumentStore, StoredDocument } from './store.ts'
import { compareValues, doubleValue, isNumber, numberOf, toValue, typeRank, valuesOf } from './value.ts'
import type { Value } from './value.ts'

export interface Order {
  readonly path: readonly string[]
  readonly isDescending: boolean
}

/** Where a query looks: a database, and the document below which it does (empty for all). */
export interface QueryScope {
  readonly uid: string
  readonly parentPath: string
  /** `projects/P/databases/D/documents/`. */
  readonly prefix: string
}

type Test = (document: StoredDocument) => boolean

const NAME = '__name__'
/** https://cloud.google.com/firestore/docs/query-data/queries#limits_on_or_queries */
const MAX_DISJUNCTION = 30

/** Documents in the order of the query, with the fields that it selects. @throws ApiError 400 */
export function runQuery(store: DocumentStore, scope: QueryScope, query: StructuredQuery): readonly StoredDocument[] {
  if (query.findNearest !== undefined && query.findNearest !== null) throw new ApiError('UNIMPLEMENTED', 'Vector search (findNearest) is not implemented by the pocket cloud.')
  const orders = ordersOf(query)
  const passes = query.where === undefined || query.where === null ? () => true : toTest(query.where, scope)
  const rows = candidates(store, scope, query)
    .filter((document) => passes(document) && orders.every((order) => orderValue(document, order, scope) !== undefined))
    .sort((one, other) => compareBy(orders, scope, one, other))
  const started =
    query.startAt === undefined || query.startAt === null
      ? rows
      : rows.filter((row) => position(row, query.startAt as Cursor, orders, scope) >= (query.startAt?.before === true ? 0 : 1))
  const ended =
    query.endAt === undefined || query.endAt === null
      ? started
      : started.filter((row) => position(row, query.endAt as Cursor, orders, scope) <= (query.endAt?.before === true ? -1 : 0))
  const offset = query.offset ?? 0
  const limit = typeof query.limit === 'object' ? query.limit?.value : query.limit
  const chosen = ended.slice(offset, limit === undefined || limit === null ? undefined : offset + limit)
  const fields = query.select?.fields?.map((each) => each.fieldPath)
  return fields === undefined || fields.length === 0 ? chosen : chosen.map((document) => ({ ...document, fields: masked(document.fields, fields) }))
}

/** Values of `count`, `sum` and `avg` by alias. @throws ApiError 400 */
export function aggregate(documents: readonly StoredDocument[], aggregations: readonly Aggregation[]): Record<string, Value> {
  if (aggregations.length === 0 || aggregations.length > 5) throw invalidArgument('A query has one to five aggregations.')
  return Object.fromEntries(
    aggregations.map((each, index) => {
      const alias = each.alias === undefined || each.alias === null || each.alias === '' ? `field_${index + 1}` : each.alias
      if (each.count !== undefined && each.count !== null) {
        const upTo = each.count.upTo
        const bound = upTo === undefined || upTo === null ? Infinity : Number(typeof upTo === 'object' && 'value' in upTo ? upTo.value : upTo)
        return [alias, { integerValue: String(Math.min(bound, documents.length)) }]
      }
      const path = parseFieldPath((each.sum ?? each.avg)?.field.fieldPath ?? '')
      const numbers = documents.map((document) => valueAt(document.fields, path)).filter(isNumber)
      const sum = numbers.reduce((total, value) => total + numberOf(value), 0)
      if (each.avg !== undefined && each.avg !== null) return [alias, numbers.length === 0 ? { nullValue: null } : doubleValue(sum / numbers.length)]
      const isWhole = numbers.every((value) => 'integerValue' in value) && Number.isSafeInteger(sum)
      return [alias, isWhole ? { integerValue: String(sum) } : doubleValue(sum)]
    }),
  )
}

function candidates(store: DocumentStore, scope: QueryScope, query: StructuredQuery): readonly StoredDocument[] {
  const [from, ...more] = query.from ?? []
  if (more.length > 0) throw invalidArgument('A query is from one collection.')
  // Over gRPC a field that is not set is empty: a query of every collection below.
  const collectionId = from?.collectionId || undefined
  if (from?.allDescendants === true || collectionId === undefined) return store.below(scope.uid, scope.parentPath, collectionId)
  return store.inCollection(scope.uid, scope.parentPath === '' ? collectionId : `${scope.parentPath}/${collectionId}`)
}

/** What was asked for, then fields with inequalities, then the name: so that every order is a total one. */
export function ordersOf(query: StructuredQuery): readonly Order[] {
  const asked = (query.orderBy ?? []).map((each) => ({ path: parseFieldPath(each.field.fieldPath), isDescending: each.direction === 'DESCENDING' }))
  const isDescending = asked.at(-1)?.isDescending ?? false
  const key = (path: readonly string[]): string => path.join('\n')
  const known = new Set(asked.map((order) => key(order.path)))
  const implied = [...new Map(inequalityPaths(query.where ?? undefined).map((path) => [key(path), path])).values()]
    .filter((path) => !known.has(key(path)) && key(path) !== NAME)
    .sort((one, other) => (key(one) < key(other) ? -1 : 1))
  const named = known.has(NAME) ? [] : [[NAME]]
  return [...asked, ...[...implied, ...named].map((path) => ({ path, isDescending }))]
}

function inequalityPaths(filter: Filter | undefined): readonly (readonly string[])[] {
  if (filter?.compositeFilter) return (filter.compositeFilter.filters ?? []).flatMap((each) => inequalityPaths(each))
  if (filter?.fieldFilter && /^(LESS_THAN|GREATER_THAN|LESS_THAN_OR_EQUAL|GREATER_THAN_OR_EQUAL|NOT_EQUAL|NOT_IN)$/.test(filter.fieldFilter.op))
    return [parseFieldPath(filter.fieldFilter.field.fieldPath)]
  if (filter?.unaryFilter && filter.unaryFilter.op.startsWith('IS_NOT_')) return [parseFieldPath(filter.unaryFilter.field.fieldPath)]
  return []
}

function valueOf(document: StoredDocument, path: readonly string[], scope: QueryScope): Value | undefined {
  return path[0] === NAME && path.length === 1 ? { referenceValue: scope.prefix + document.path } : valueAt(document.fields, path)
}

function orderValue(document: StoredDocument, order: Order, scope: QueryScope): Value | undefined {
  return valueOf(document, order.path, scope)
}

function compareBy(orders: readonly Order[], scope: QueryScope, one: StoredDocument, other: StoredDocument): number {
  for (const order of orders) {
    const [a, b] = [orderValue(one, order, scope), orderValue(other, order, scope)]
    const difference = a === undefined || b === undefined ? 0 : compareValues(a, b)
    if (difference !== 0) return order.isDescending ? -difference : difference
  }
  return 0
}

/** Below zero: before the cursor's values, which may be fewer than the orders. */
function position(document: StoredDocument, cursor: Cursor, orders: readonly Order[], scope: QueryScope): number {
  const values = cursor.values ?? []
  if (values.length > orders.length) throw invalidArgument('Cursor has too many values.')
  for (const [index, input] of values.entries()) {
    const order = orders[index]
    const value = order === undefined ? undefined : orderValue(document, order, scope)
    if (order === undefined || value === undefined) continue
    const difference = compareValues(value, toValue(input))
    if (difference !== 0) return Math.sign(order.isDescending ? -difference : difference)
  }
  return 0
}

/** @throws ApiError 400 for an operator or a value that cannot be */
function toTest(filter: Filter, scope: QueryScope): Test {
  if (filter.compositeFilter) {
    const { op, filters } = filter.compositeFilter
    const tests = (filters ?? []).map((each) => toTest(each, scope))
    if (tests.length === 0) throw invalidArgument('A composite filter needs at least one filter.')
    if (op === 'OR') return (document) => tests.some((test) => test(document))
    if (op === 'AND') return (document) => tests.every((test) => test(document))
    throw invalidArgument(`Invalid operator of a composite filter: ${op ?? ''}`)
  }
  if (filter.unaryFilter) {
    const { op, field } = filter.unaryFilter
    const path = parseFieldPath(field.fieldPath)
    const test = unaryTest(op)
    return (document) => {
      const value = valueOf(document, path, scope)
      return value !== undefined && test(value)
    }
  }
  if (filter.fieldFilter) {
    const { op, field, value: wanted } = filter.fieldFilter
    const path = parseFieldPath(field.fieldPath)
    const test = fieldTest(op, toValue(wanted))
    return (document) => {
      const value = valueOf(document, path, scope)
      return value !== undefined && test(value)
    }
  }
  throw invalidArgument('A filter is a compositeFilter, a fieldFilter or a unaryFilter.')
}

function unaryTest(op: string): (value: Value) => boolean {
  const isNan = (value: Value): boolean => isNumber(value) && Number.isNaN(numberOf(value))
  const isNull = (value: Value): boolean => 'nullValue' in value
  switch (op) {
    case 'IS_NULL':
      return isNull
    case 'IS_NAN':
      return isNan
    case 'IS_NOT_NULL':
      return (value) => !isNull(value)
    case 'IS_NOT_NAN':
      return (value) => !isNull(value) && !isNan(value)
    default:
      throw invalidArgument(`Invalid operator of a unary filter: ${op}`)
  }
}

function fieldTest(op: string, wanted: Value): (value: Value) => boolean {
  const isEqual = (value: Value): boolean => compareValues(value, wanted) === 0
  const ordered =
    (test: (difference: number) => boolean) =>
    (value: Value): boolean =>
      typeRank(value) === typeRank(wanted) && test(compareValues(value, wanted))
  const isAmong = (value: Value): boolean => listed().some((each) => compareValues(value, each) === 0)
  const listed = (): readonly Value[] => valuesOf(wanted)
  if (/(^|_)(IN|ANY)$/.test(op) && (!('arrayValue' in wanted) || listed().length === 0 || listed().length > MAX_DISJUNCTION))
    throw invalidArgument(`'${op}' requires a non-empty ArrayValue of at most ${MAX_DISJUNCTION} values.`)
  switch (op) {
    case 'EQUAL':
      return isEqual
    case 'NOT_EQUAL':
      return (value) => !('nullValue' in value) && !isEqual(value)
    case 'LESS_THAN':
      return ordered((difference) => difference < 0)
    case 'LESS_THAN_OR_EQUAL':
      return ordered((difference) => difference <= 0)
    case 'GREATER_THAN':
      return ordered((difference) => difference > 0)
    case 'GREATER_THAN_OR_EQUAL':
      return ordered((difference) => difference >= 0)
    case 'ARRAY_CONTAINS':
      return (value) => valuesOf(value).some(isEqual)
    case 'ARRAY_CONTAINS_ANY':
      return (value) => valuesOf(value).some(isAmong)
    case 'IN':
      return isAmong
    case 'NOT_IN':
      return (value) => !('nullValue' in value) && !listed().some((each) => 'nullValue' in each) && !isAmong(value)
    default:
      throw invalidArgument(`Invalid operator of a field filter: ${op}`)
  }
}
