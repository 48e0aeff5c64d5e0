/** Bodies, and the rules for names. https://cloud.google.com/storage/docs/buckets#naming, https://cloud.google.com/storage/docs/objects#naming */
import { z } from 'zod'
import { invalidArgument } from '../../kernel/api-error.ts'
import { BindingBody } from '../../kernel/policy-routes.ts'

const nullableText = z.string().nullish()

/** A bucket as clients send it; whatever else they set is kept as it is. */
export const BucketBody = z.looseObject({
  name: z.string().optional(),
  location: nullableText,
  storageClass: nullableText,
  labels: z.record(z.string(), z.string().nullable()).nullish(),
  versioning: z.looseObject({ enabled: z.boolean().nullish() }).nullish(),
})
export type BucketBody = z.infer<typeof BucketBody>

/** An object's metadata as clients send it. */
export const ObjectBody = z.looseObject({
  name: nullableText,
  bucket: nullableText,
  contentType: nullableText,
  contentEncoding: nullableText,
  contentDisposition: nullableText,
  contentLanguage: nullableText,
  cacheControl: nullableText,
  storageClass: nullableText,
  customTime: nullableText,
  eventBasedHold: z.boolean().nullish(),
  temporaryHold: z.boolean().nullish(),
  metadata: z.record(z.string(), z.string().nullable()).nullish(),
  md5Hash: nullableText,
  crc32c: nullableText,
})
export type ObjectBody = z.infer<typeof ObjectBody>

export const ComposeBody = z.looseObject({
  destination: ObjectBody.optional(),
  sourceObjects: z.array(
    z.looseObject({
      name: z.string(),
      generation: z.coerce.string().optional(),
      objectPreconditions: z.looseObject({ ifGenerationMatch: z.coerce.string().optional() }).nullish(),
    }),
  ),
})
export type ComposeBody = z.infer<typeof ComposeBody>

/** Cloud Storage takes the policy itself as the body, without the envelope of other services. */
export const PolicyBody = z.looseObject({ version: z.number().optional(), etag: z.string().optional(), bindings: z.array(BindingBody).default([]) })

/** Parses the metadata of an upload. @throws ApiError 400 */
export function parseObjectBody(text: string): ObjectBody {
  if (text.trim() === '') return {}
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw invalidArgument(`Metadata part is invalid: ${error instanceof Error ? error.message : 'not JSON'}`, { reason: 'parseError' })
  }
  const result = ObjectBody.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw invalidArgument(`Invalid value at '${issue?.path.join('.') ?? ''}': ${issue?.message ?? 'invalid'}`)
}

/** @throws ApiError 400 */
export function checkBucketName(name: string): void {
  const labels = name.split('.')
  const isWellFormed =
    /^[a-z0-9][a-z0-9._-]+[a-z0-9]$/.test(name) &&
    name.length <= (labels.length > 1 ? 222 : 63) &&
    labels.every((label) => label.length > 0 && label.length <= 63 && !label.startsWith('-') && !label.endsWith('-')) &&
    !/^\d+\.\d+\.\d+\.\d+$/.test(name)
  if (!isWellFormed) throw invalidArgument(`Invalid bucket name: '${name.slice(0, 300)}'`)
  if (name.startsWith('goog') || /g[o0]{2}g[l1]e/.test(name)) throw invalidArgument(`Invalid bucket name: '${name}': it may not begin with "goog" or contain "google".`)
}

/** @throws ApiError 400 */
export function checkObjectName(name: string): void {
  const sizeBytes = Buffer.byteLength(name)
  if (sizeBytes === 0) throw invalidArgument('Required parameter: name', { reason: 'required' })
  if (sizeBytes > 1024) throw invalidArgument('The name of an object may have at most 1024 bytes in UTF-8.')
  // oxlint-disable-next-line no-control-regex -- line ends and the first letters of a name are what the rules are about
  if (/[\r\n\u0000]/.test(name) || !name.isWellFormed() || name === '.' || name === '..' || name.startsWith('.well-known/acme-challenge/')) {
    throw invalidArgument(`Invalid object name: ${JSON.stringify(name)}`)
  }
}

const STORAGE_CLASSES = ['STANDARD', 'NEARLINE', 'COLDLINE', 'ARCHIVE', 'MULTI_REGIONAL', 'REGIONAL', 'DURABLE_REDUCED_AVAILABILITY']

/** Upper case. @throws ApiError 400 */
export function checkStorageClass(name: string): string {
  const upper = name.toUpperCase()
  if (!STORAGE_CLASSES.includes(upper)) throw invalidArgument(`Invalid argument: ${name} is not a storage class.`)
  return upper
}

const MULTI_REGIONS = ['US', 'EU', 'ASIA']
const DUAL_REGIONS = ['NAM4', 'EUR4', 'EUR5', 'EUR7', 'EUR8', 'ASIA1']

/** Upper-case location and its type. https://cloud.google.com/storage/docs/locations @throws ApiError 400 */
export function checkLocation(name: string): { readonly location: string; readonly locationType: 'multi-region' | 'dual-region' | 'region' } {
  const location = name.toUpperCase()
  if (MULTI_REGIONS.includes(location)) return { location, locationType: 'multi-region' }
  if (DUAL_REGIONS.includes(location)) return { location, locationType: 'dual-region' }
  if (/^[A-Z]+-[A-Z]+\d{1,2}$/.test(location)) return { location, locationType: 'region' }
  throw invalidArgument(`The specified location constraint is not valid: ${name}`)
}

/** @throws ApiError 400. https://cloud.google.com/storage/docs/tags-and-labels#bucket-labels */
export function checkLabels(labels: Readonly<Record<string, string>>): void {
  if (Object.keys(labels).length > 64) throw invalidArgument('A bucket may have at most 64 labels.')
  for (const [key, value] of Object.entries(labels)) {
    if (!/^\p{Ll}[\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u.test(key)) throw invalidArgument(`Invalid label key: ${key}`)
    if (!/^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u.test(value)) throw invalidArgument(`Invalid value of label ${key}: ${value}`)
  }
}
