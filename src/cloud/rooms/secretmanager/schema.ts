/** Bodies of Secret Manager, and the rules for names and labels. https://cloud.google.com/secret-manager/docs/reference/rest */
import { z } from 'zod'
import { invalidArgument } from '../../kernel/api-error.ts'

const TextMap = z.record(z.string(), z.string())

/** A secret as clients send it. */
export const SecretBody = z.looseObject({
  replication: z
    .looseObject({
      automatic: z.looseObject({}).optional(),
      userManaged: z.looseObject({ replicas: z.array(z.looseObject({ location: z.string() })).min(1) }).optional(),
    })
    .optional(),
  labels: TextMap.nullish(),
  annotations: TextMap.nullish(),
  topics: z.array(z.looseObject({ name: z.string() })).nullish(),
  rotation: z.looseObject({ nextRotationTime: z.string().optional(), rotationPeriod: z.string().optional() }).nullish(),
  versionAliases: z.record(z.string(), z.coerce.string()).nullish(),
  versionDestroyTtl: z.string().nullish(),
  expireTime: z.string().nullish(),
  ttl: z.string().nullish(),
  etag: z.string().nullish(),
})
export type SecretBody = z.infer<typeof SecretBody>

export const AddVersionBody = z.looseObject({
  payload: z.looseObject({ data: z.string().default(''), dataCrc32c: z.coerce.string().optional() }).optional(),
})
export type AddVersionBody = z.infer<typeof AddVersionBody>

export const EtagBody = z.looseObject({ etag: z.string().optional() })
export type EtagBody = z.infer<typeof EtagBody>

/** @throws ApiError 400 */
export function checkSecretId(id: string | undefined): string {
  if (id !== undefined && /^[A-Za-z0-9_-]{1,255}$/.test(id)) return id
  throw invalidArgument(`The secret id ${JSON.stringify((id ?? '').slice(0, 300))} is not valid: it has 1 to 255 letters, digits, hyphens and underscores.`)
}

/** @throws ApiError 400 */
export function checkLabels(labels: Readonly<Record<string, string>>): void {
  if (Object.keys(labels).length > 64) throw invalidArgument('A secret may have at most 64 labels.')
  for (const [key, value] of Object.entries(labels)) {
    if (!/^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u.test(key) || !/^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u.test(value)) throw invalidArgument(`Invalid label: ${key}=${value}`)
  }
}
