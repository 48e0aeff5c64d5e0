/** One write: preconditions, masks, transforms. https://cloud.google.com/firestore/docs/reference/rest/v1/Write */
import { alreadyExists, failedPrecondition, invalidArgument, notFound } from '../../../kernel/api-error.ts'
import { parseFieldPath, valueAt, withValueAt } from './paths.ts'
import type { FieldTransform, Precondition } from './schema.ts'
import type { StoredDocument } from './store.ts'
import { compareValues, doubleValue, isNumber, numberOf, toMicros, toValue, valuesOf } from './value.ts'
import type { Fields, Value } from './value.ts'

/** Firestore's bound is on its own encoding; the JSON form is somewhat longer. */
const MAX_DOCUMENT_BYTES = 1024 * 1024

/** @throws ApiError 404, 409, 400 FAILED_PRECONDITION in Firestore's words */
export function checkPrecondition(current: StoredDocument | undefined, precondition: Precondition | null | undefined, name: string): void {
  if (precondition === undefined || precondition === null) return
  if (precondition.exists === true && current === undefined) throw notFound(`No document to update: ${name}`)
  if (precondition.exists === false && current !== undefined) throw alreadyExists(`Document already exists: ${name}`)
  if (typeof precondition.updateTime !== 'string') return
  if (current === undefined) throw notFound(`No document to update: ${name}`)
  if (current.updateTime !== toMicros(precondition.updateTime))
    throw failedPrecondition(`the stored version (${current.updateTime}) does not match the required base version (${precondition.updateTime})`)
}

/** Fields after an update: all new ones, or what the mask names taken from `fields` (and removed, where they lack it). @throws ApiError 400 */
export function updatedFields(before: Fields, fields: Fields, mask: readonly string[] | undefined): Fields {
  if (mask === undefined) return fields
  let result = before
  for (const text of mask) {
    const path = parseFieldPath(text)
    result = withValueAt(result, path, valueAt(fields, path))
  }
  return result
}

export interface Transformed {
  readonly fields: Fields
  /** One for each transform, in order. */
  readonly results: readonly Value[]
}

/** @throws ApiError 400 */
export function applyTransforms(before: Fields, transforms: readonly FieldTransform[], time: string): Transformed {
  let fields = before
  const results: Value[] = []
  for (const transform of transforms) {
    const path = parseFieldPath(transform.fieldPath)
    const { value, result } = transformed(valueAt(fields, path), transform, time)
    fields = withValueAt(fields, path, value)
    results.push(result)
  }
  return { fields, results }
}

function transformed(current: Value | undefined, transform: FieldTransform, time: string): { readonly value: Value; readonly result: Value } {
  const same = (value: Value): { readonly value: Value; readonly result: Value } => ({ value, result: value })
  if (transform.setToServerValue === 'REQUEST_TIME') return same({ timestampValue: time })
  for (const kind of ['increment', 'maximum', 'minimum'] as const) {
    if (transform[kind] === undefined || transform[kind] === null) continue
    const operand = toValue(transform[kind])
    if (!isNumber(operand)) throw invalidArgument(`The operand of ${kind} is a number.`)
    if (!isNumber(current)) return same(operand)
    if (kind === 'increment') return same(sum(current, operand))
    const difference = compareValues(current, operand)
    return same((kind === 'maximum' ? difference >= 0 : difference <= 0) ? current : operand)
  }
  const missing: Value = { nullValue: null }
  const isOf = (values: readonly Value[], value: Value): boolean => values.some((each) => compareValues(each, value) === 0)
  if (transform.appendMissingElements) {
    const before = valuesOf(current)
    let values = before
    for (const each of (transform.appendMissingElements.values ?? []).map((value) => toValue(value))) if (!isOf(values, each)) values = [...values, each]
    return { value: list(values), result: missing }
  }
  if (transform.removeAllFromArray) {
    const removed = (transform.removeAllFromArray.values ?? []).map((value) => toValue(value))
    return { value: list(valuesOf(current).filter((value) => !isOf(removed, value))), result: missing }
  }
  throw invalidArgument(`The transform of ${transform.fieldPath} has no known operation.`)
}

function list(values: readonly Value[]): Value {
  return { arrayValue: values.length === 0 ? {} : { values } }
}

/** Whole numbers stay whole and end at the bounds of 64 bits. */
function sum(one: Value, other: Value): Value {
  if (!('integerValue' in one) || !('integerValue' in other)) return doubleValue(numberOf(one) + numberOf(other))
  const total = BigInt(String(one['integerValue'])) + BigInt(String(other['integerValue']))
  const [min, max] = [-(2n ** 63n), 2n ** 63n - 1n]
  return { integerValue: String(total < min ? min : total > max ? max : total) }
}

/** @throws ApiError 400 */
export function checkSize(fields: Fields, name: string): void {
  if (Buffer.byteLength(JSON.stringify(fields)) > MAX_DOCUMENT_BYTES * 2)
    throw invalidArgument(`Document ${name} cannot be written because its size exceeds the maximum allowed size of ${MAX_DOCUMENT_BYTES} bytes.`)
}
