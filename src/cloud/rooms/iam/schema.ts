/** Request bodies of IAM v1. https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts */
import { z } from 'zod'

const account = z.looseObject({ displayName: z.string().optional(), description: z.string().optional(), etag: z.string().optional() })

export const CreateAccountBody = z.looseObject({ accountId: z.string().default(''), serviceAccount: account.optional() })
export const PatchAccountBody = z.looseObject({ serviceAccount: account.default({}), updateMask: z.string().default('') })
export const UpdateAccountBody = account
export const CreateKeyBody = z.looseObject({ privateKeyType: z.string().optional(), keyAlgorithm: z.string().optional() })
export const UploadKeyBody = z.looseObject({ publicKeyData: z.string().default('') })
export const GrantableRolesBody = z.looseObject({ view: z.string().optional(), pageSize: z.number().optional(), pageToken: z.string().optional() })
