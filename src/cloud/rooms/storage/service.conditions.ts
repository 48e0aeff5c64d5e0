/** Preconditions of requests. https://cloud.google.com/storage/docs/request-preconditions */
import { invalidArgument } from '../../kernel/api-error.ts'
import { conditionNotMet } from './errors.ts'

export interface Conditions {
  /** 0: there must be no live object. */
  readonly ifGenerationMatch?: number
  readonly ifGenerationNotMatch?: number
  readonly ifMetagenerationMatch?: number
  readonly ifMetagenerationNotMatch?: number
}

const NAMES = ['ifGenerationMatch', 'ifGenerationNotMatch', 'ifMetagenerationMatch', 'ifMetagenerationNotMatch'] as const

/** From query parameters; `prefix` turns the names into `ifSourceGenerationMatch` and so on. @throws ApiError 400 */
export function parseConditions(query: Readonly<Record<string, string | undefined>>, prefix: 'if' | 'ifSource' = 'if'): Conditions {
  const found: { -readonly [Key in keyof Conditions]: Conditions[Key] } = {}
  for (const name of NAMES) {
    const value = parseGeneration(query[`${prefix}${name.slice(2)}`], name)
    if (value !== undefined) found[name] = value
  }
  return found
}

/** A generation or metageneration. @throws ApiError 400 */
export function parseGeneration(text: string | undefined, name = 'generation'): number | undefined {
  if (text === undefined || text === '') return undefined
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw invalidArgument(`Invalid value for ${name}: ${text.slice(0, 40)}`)
  return value
}

type Versioned = { readonly generation: number; readonly metageneration: number } | undefined

/** For changes: every condition that fails is a 412. @throws ApiError 412 */
export function requireConditions(conditions: Conditions, current: Versioned): void {
  if (!matchHolds(conditions, current) || !notMatchHolds(conditions, current)) throw conditionNotMet()
}

/** For reads: true when the caller has this state already (a NotMatch condition fails), which is a 304. @throws ApiError 412 */
export function isUnchanged(conditions: Conditions, current: Versioned): boolean {
  if (!matchHolds(conditions, current)) throw conditionNotMet()
  return !notMatchHolds(conditions, current)
}

function matchHolds(conditions: Conditions, current: Versioned): boolean {
  if (conditions.ifGenerationMatch !== undefined && conditions.ifGenerationMatch !== (current?.generation ?? 0)) return false
  return conditions.ifMetagenerationMatch === undefined || conditions.ifMetagenerationMatch === current?.metageneration
}

function notMatchHolds(conditions: Conditions, current: Versioned): boolean {
  if (conditions.ifGenerationNotMatch !== undefined && conditions.ifGenerationNotMatch === (current?.generation ?? 0)) return false
  return conditions.ifMetagenerationNotMatch === undefined || conditions.ifMetagenerationNotMatch !== current?.metageneration
}
