/** Request bodies of IAM v1. https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts */
import { z } from 'zod'

const account = z.looseObject({ displayName: z.string().optional(), description: z.string().optional(), etag: z.string().optional() })

export const CreateAccountBody = z.looseObject({ accountId: z.string().default(''), serviceAccount: account.optional() })
export const PatchAccountBody = z.looseObject({ serviceAccount: account.default({}), updateMask: z.string().default('') })
export const UpdateAccountBody = account
export const CreateKeyBody = z.looseObject({ privateKeyType: z.string().optional(), keyAlgorithm: z.string().optional() })
export const UploadKeyBody = z.looseObject({ publicKeyData: z.string().default('') })
export const GrantableRolesBody = z.looseObject({
  fullResourceName: z.string().default(''),
  view: z.string().optional(),
  pageSize: z.number().optional(),
  pageToken: z.string().optional(),
})
export const TestablePermissionsBody = z.looseObject({ fullResourceName: z.string().default(''), pageSize: z.number().optional(), pageToken: z.string().optional() })
export const RoleBody = z.looseObject({
  title: z.string().nullish(),
  description: z.string().nullish(),
  includedPermissions: z.array(z.string()).nullish(),
  stage: z.string().nullish(),
  etag: z.string().nullish(),
})
export const CreateRoleBody = z.looseObject({ roleId: z.string().default(''), role: RoleBody.default({}) })
export const EtagBody = z.looseObject({ etag: z.string().nullish() })
