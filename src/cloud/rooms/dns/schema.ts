/** Bodies of Cloud DNS, and the rules for names. https://cloud.google.com/dns/docs/reference/rest/v1 */
import { z } from 'zod'
import { invalidValue } from './errors.ts'

export const ZoneBody = z.looseObject({
  name: z.string().nullish(),
  dnsName: z.string().nullish(),
  description: z.string().nullish(),
  labels: z.record(z.string(), z.string()).nullish(),
  visibility: z.string().nullish(),
  dnssecConfig: z.looseObject({ state: z.string().nullish() }).nullish(),
  cloudLoggingConfig: z.looseObject({ enableLogging: z.boolean().nullish() }).nullish(),
  privateVisibilityConfig: z.looseObject({}).nullish(),
  forwardingConfig: z.looseObject({}).nullish(),
  peeringConfig: z.looseObject({}).nullish(),
})
export type ZoneBody = z.infer<typeof ZoneBody>

export const RecordSetBody = z.looseObject({
  name: z.string().nullish(),
  type: z.string().nullish(),
  ttl: z.coerce.number().int().nullish(),
  rrdatas: z.array(z.string()).nullish(),
  routingPolicy: z.looseObject({}).nullish(),
})
export type RecordSetBody = z.infer<typeof RecordSetBody>

export const ChangeBody = z.looseObject({
  additions: z.array(RecordSetBody).nullish(),
  deletions: z.array(RecordSetBody).nullish(),
})
export type ChangeBody = z.infer<typeof ChangeBody>

/** @throws ApiError 400 */
export function checkZoneName(name: string | null | undefined): string {
  if (typeof name === 'string' && /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) return name
  throw invalidValue('entity.managedZone.name', name ?? '', 'a name has 1 to 63 lower-case letters, digits and hyphens, and begins with a letter')
}

/**
 * An absolute domain name in lower case, with its final dot (RFC 1035 section 2.3.4: labels of at most 63 octets, 255 in all). `*` may be the first label.
 * @throws ApiError 400 that names `entity`
 */
export function checkDnsName(name: string, entity: string): string {
  const lower = name.toLowerCase()
  if (!lower.endsWith('.')) throw invalidValue(entity, name, 'a name is absolute and ends with a dot')
  const labels = lower === '.' ? [] : lower.slice(0, -1).split('.')
  const isFine = lower.length <= 254 && labels.every((label, index) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label) || (label === '*' && index === 0))
  if (!isFine) throw invalidValue(entity, name, 'this is no domain name')
  return lower
}

/** @throws ApiError 400 */
export function checkLabels(labels: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(labels)) {
    if (!/^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u.test(key) || !/^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u.test(value))
      throw invalidValue('entity.managedZone.labels', `${key}=${value}`, 'this is no label')
  }
}
