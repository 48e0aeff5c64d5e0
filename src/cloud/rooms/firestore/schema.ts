/** Bodies of the Firestore admin API and of Firebase Rules. https://cloud.google.com/firestore/docs/reference/rest/v1/projects.databases */
import { z } from 'zod'
import { invalidArgument } from '../../kernel/api-error.ts'

const Text = z.string().nullish()

export const DatabaseBody = z.looseObject({
  name: Text,
  locationId: Text,
  type: Text,
  concurrencyMode: Text,
  appEngineIntegrationMode: Text,
  pointInTimeRecoveryEnablement: Text,
  deleteProtectionState: Text,
  databaseEdition: Text,
  cmekConfig: z.looseObject({ kmsKeyName: Text }).nullish(),
  etag: Text,
})
export type DatabaseBody = z.infer<typeof DatabaseBody>

export const IndexFieldBody = z.looseObject({ fieldPath: Text, order: Text, arrayConfig: Text, vectorConfig: z.looseObject({}).nullish() })
export type IndexFieldBody = z.infer<typeof IndexFieldBody>

export const IndexBody = z.looseObject({
  queryScope: Text,
  apiScope: Text,
  density: Text,
  fields: z.array(IndexFieldBody).nullish(),
})
export type IndexBody = z.infer<typeof IndexBody>

export const FieldBody = z.looseObject({
  indexConfig: z.looseObject({ indexes: z.array(IndexBody).nullish() }).nullish(),
  ttlConfig: z.looseObject({}).nullish(),
})
export type FieldBody = z.infer<typeof FieldBody>

const RulesetSource = z.looseObject({ files: z.array(z.looseObject({ name: Text, content: z.string(), fingerprint: Text })).nullish(), language: Text })

export const RulesetBody = z.looseObject({ source: RulesetSource.nullish() })
export type RulesetBody = z.infer<typeof RulesetBody>

export const ReleaseBody = z.looseObject({ name: Text, rulesetName: Text, release: z.looseObject({ name: Text, rulesetName: Text }).nullish() })
export type ReleaseBody = z.infer<typeof ReleaseBody>

/** `(default)`, or 4 to 63 letters, digits and hyphens that are no UUID. @throws ApiError 400 */
export function checkDatabaseId(id: string | undefined): string {
  if (id === '(default)') return id
  if (id !== undefined && /^[a-z][a-z0-9-]{2,61}[a-z0-9]$/.test(id) && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return id
  throw invalidArgument(`database_id should be 4-63 characters, and valid characters are /[a-z][0-9]-/, or "(default)": ${JSON.stringify((id ?? '').slice(0, 100))}`)
}

/** A value of an enumeration; the UNSPECIFIED one and none at all give `fallback`. @throws ApiError 400 */
export function enumValue(field: string, value: string | null | undefined, allowed: readonly string[], fallback: string): string {
  if (value === undefined || value === null || value.endsWith('_UNSPECIFIED')) return fallback
  if (!allowed.includes(value)) throw invalidArgument(`Invalid value at '${field}' (${value}): ${allowed.join(', ')} are known.`)
  return value
}
