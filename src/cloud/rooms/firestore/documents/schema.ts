/** Bodies of the document API. Values inside are checked where they are used (value.ts). */
import { z } from 'zod'

const Text = z.string().nullish()

/** A name of an enumeration, or its number, which clients send that ask for `enum-encoding=int`. */
function Enum(...names: readonly string[]) {
  return z.preprocess((value) => (typeof value === 'number' ? (names[value] ?? String(value)) : value), z.string())
}

const FILTER_OPS = ['', 'LESS_THAN', 'LESS_THAN_OR_EQUAL', 'GREATER_THAN', 'GREATER_THAN_OR_EQUAL', 'EQUAL', 'NOT_EQUAL', 'ARRAY_CONTAINS', 'IN', 'ARRAY_CONTAINS_ANY', 'NOT_IN']
const Mask = z.looseObject({ fieldPaths: z.array(z.string()).nullish() }).nullish()

export const Precondition = z.looseObject({ exists: z.boolean().nullish(), updateTime: Text })
export type Precondition = z.infer<typeof Precondition>

export const FieldTransform = z.looseObject({
  fieldPath: z.string(),
  setToServerValue: Enum('', 'REQUEST_TIME').nullish(),
  increment: z.unknown().optional(),
  maximum: z.unknown().optional(),
  minimum: z.unknown().optional(),
  appendMissingElements: z.looseObject({ values: z.array(z.unknown()).nullish() }).nullish(),
  removeAllFromArray: z.looseObject({ values: z.array(z.unknown()).nullish() }).nullish(),
})
export type FieldTransform = z.infer<typeof FieldTransform>

export const DocumentBody = z.looseObject({ name: Text, fields: z.record(z.string(), z.unknown()).nullish() })
export type DocumentBody = z.infer<typeof DocumentBody>

export const Write = z.looseObject({
  update: DocumentBody.nullish(),
  delete: Text,
  verify: Text,
  transform: z.looseObject({ document: z.string(), fieldTransforms: z.array(FieldTransform).nullish() }).nullish(),
  updateMask: Mask,
  updateTransforms: z.array(FieldTransform).nullish(),
  currentDocument: Precondition.nullish(),
})
export type Write = z.infer<typeof Write>

const TransactionOptions = z.looseObject({ readOnly: z.looseObject({ readTime: Text }).nullish(), readWrite: z.looseObject({}).nullish() }).nullish()
export type TransactionOptions = z.infer<typeof TransactionOptions>

/** How every reading method says in which transaction or at which time it reads. */
const reading = { transaction: Text, newTransaction: TransactionOptions, readTime: Text }
export type Reading = { readonly transaction?: string | null; readonly newTransaction?: TransactionOptions; readonly readTime?: string | null }

export const CommitBody = z.looseObject({ writes: z.array(Write).nullish(), transaction: Text })
export type CommitBody = z.infer<typeof CommitBody>
export const BatchGetBody = z.looseObject({ documents: z.array(z.string()).nullish(), mask: Mask, ...reading })
export type BatchGetBody = z.infer<typeof BatchGetBody>
export const BeginBody = z.looseObject({ options: TransactionOptions })
export type BeginBody = z.infer<typeof BeginBody>
export const RollbackBody = z.looseObject({ transaction: Text })
export type RollbackBody = z.infer<typeof RollbackBody>

const FieldReference = z.looseObject({ fieldPath: z.string() })

export interface Filter {
  readonly compositeFilter?: { readonly op?: string | null; readonly filters?: readonly Filter[] | null } | null
  readonly fieldFilter?: { readonly field: { readonly fieldPath: string }; readonly op: string; readonly value?: unknown } | null
  readonly unaryFilter?: { readonly op: string; readonly field: { readonly fieldPath: string } } | null
}

const Filter: z.ZodType<Filter> = z.lazy(() =>
  z.looseObject({
    compositeFilter: z.looseObject({ op: Enum('', 'AND', 'OR'), filters: z.array(Filter).nullish() }).nullish(),
    fieldFilter: z.looseObject({ field: FieldReference, op: Enum(...FILTER_OPS), value: z.unknown().optional() }).nullish(),
    unaryFilter: z.looseObject({ op: Enum('', '', 'IS_NAN', 'IS_NULL', 'IS_NOT_NAN', 'IS_NOT_NULL'), field: FieldReference }).nullish(),
  }),
)

const Cursor = z.looseObject({ values: z.array(z.unknown()).nullish(), before: z.boolean().nullish() })
export type Cursor = z.infer<typeof Cursor>

export const StructuredQuery = z.looseObject({
  select: z.looseObject({ fields: z.array(FieldReference).nullish() }).nullish(),
  from: z.array(z.looseObject({ collectionId: Text, allDescendants: z.boolean().nullish() })).nullish(),
  where: Filter.nullish(),
  orderBy: z.array(z.looseObject({ field: FieldReference, direction: Enum('', 'ASCENDING', 'DESCENDING').nullish() })).nullish(),
  startAt: Cursor.nullish(),
  endAt: Cursor.nullish(),
  offset: z.number().int().min(0).nullish(),
  limit: z.union([z.number().int().min(0), z.looseObject({ value: z.number().int().min(0).nullish() })]).nullish(),
  findNearest: z.unknown().optional(),
})
export type StructuredQuery = z.infer<typeof StructuredQuery>

export const Aggregation = z.looseObject({
  alias: Text,
  count: z.looseObject({ upTo: z.unknown().optional() }).nullish(),
  sum: z.looseObject({ field: FieldReference }).nullish(),
  avg: z.looseObject({ field: FieldReference }).nullish(),
})
export type Aggregation = z.infer<typeof Aggregation>

/** One body for everything that is posted to a path below `documents`: a new document, a query, a list of collections. */
export const PostBody = z.looseObject({
  name: Text,
  fields: z.record(z.string(), z.unknown()).nullish(),
  structuredQuery: StructuredQuery.nullish(),
  structuredAggregationQuery: z.looseObject({ structuredQuery: StructuredQuery.nullish(), aggregations: z.array(Aggregation).nullish() }).nullish(),
  pageSize: z.number().int().nullish(),
  pageToken: Text,
  ...reading,
})
export type PostBody = z.infer<typeof PostBody>
