/** Request bodies of the IAM Service Account Credentials API v1. https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts */
import { z } from 'zod'

const delegates = z.array(z.string()).nullish()

export const AccessTokenBody = z.looseObject({ scope: z.array(z.string()).default([]), lifetime: z.string().nullish(), delegates })
export const IdTokenBody = z.looseObject({ audience: z.string().default(''), includeEmail: z.boolean().nullish(), delegates })
export const SignJwtBody = z.looseObject({ payload: z.string().default(''), delegates })
export const SignBlobBody = z.looseObject({ payload: z.string().default(''), delegates })
