/** Request bodies of workload identity pools and providers. https://cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools */
import { z } from 'zod'

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? undefined)
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? undefined)
const texts = z
  .array(z.string())
  .nullish()
  .transform((value) => value ?? undefined)

export const PoolBody = z.looseObject({ displayName: text, description: text, disabled: flag, mode: text })
export const ProviderBody = z.looseObject({
  displayName: text,
  description: text,
  disabled: flag,
  attributeMapping: z
    .record(z.string(), z.string())
    .nullish()
    .transform((value) => value ?? undefined),
  attributeCondition: text,
  oidc: z.looseObject({ issuerUri: text, allowedAudiences: texts, jwksJson: text }).nullish(),
  aws: z.unknown().optional(),
  saml: z.unknown().optional(),
  x509: z.unknown().optional(),
})
