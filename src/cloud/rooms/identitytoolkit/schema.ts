/** Bodies of Identity Platform's configuration and of its accounts. https://cloud.google.com/identity-platform/docs/reference/rest */
import { z } from 'zod'
import { authError } from './errors.ts'

const Text = z.string().nullish()
/** https://cloud.google.com/identity-platform/quotas: custom claims have at most 1,000 characters. */
const MAX_CLAIMS = 1000
const RESERVED_CLAIMS = new Set(['iss', 'aud', 'sub', 'iat', 'exp', 'auth_time', 'nonce', 'acr', 'amr', 'azp', 'at_hash', 'c_hash', 'cnf', 'jti', 'nbf', 'firebase', 'user_id'])

/** Kept as it is sent, apart from what only the server writes. */
export const ConfigBody = z.looseObject({
  authorizedDomains: z.array(z.string()).nullish(),
  signIn: z
    .looseObject({
      email: z.looseObject({ enabled: z.boolean().nullish(), passwordRequired: z.boolean().nullish() }).nullish(),
      phoneNumber: z.looseObject({ enabled: z.boolean().nullish(), testPhoneNumbers: z.record(z.string(), z.string()).nullish() }).nullish(),
      anonymous: z.looseObject({ enabled: z.boolean().nullish() }).nullish(),
      allowDuplicateEmails: z.boolean().nullish(),
    })
    .nullish(),
  client: z.looseObject({ permissions: z.looseObject({ disabledUserSignup: z.boolean().nullish(), disabledUserDeletion: z.boolean().nullish() }).nullish() }).nullish(),
  emailPrivacyConfig: z.looseObject({ enableImprovedEmailPrivacy: z.boolean().nullish() }).nullish(),
})
export type ConfigBody = z.infer<typeof ConfigBody>

export const ProviderBody = z.looseObject({ name: Text, enabled: z.boolean().nullish(), clientId: Text, clientSecret: Text })
export type ProviderBody = z.infer<typeof ProviderBody>

/** One body for all account methods: each reads what it knows. */
export const AccountBody = z.looseObject({
  idToken: Text,
  token: Text,
  localId: z.union([z.string(), z.array(z.string())]).nullish(),
  email: z.union([z.string(), z.array(z.string())]).nullish(),
  password: Text,
  displayName: Text,
  photoUrl: Text,
  phoneNumber: z.union([z.string(), z.array(z.string())]).nullish(),
  emailVerified: z.boolean().nullish(),
  disabled: z.boolean().nullish(),
  disableUser: z.boolean().nullish(),
  customAttributes: Text,
  validSince: z.coerce.string().nullish(),
  deleteAttribute: z.array(z.string()).nullish(),
  returnSecureToken: z.boolean().nullish(),
  localIds: z.array(z.string()).nullish(),
  force: z.boolean().nullish(),
})
export type AccountBody = z.infer<typeof AccountBody>

export const TokenBody = z.looseObject({ grant_type: Text, grantType: Text, refresh_token: Text, refreshToken: Text })
export type TokenBody = z.infer<typeof TokenBody>

/** The one text of a field that may be a text or a list. */
export function single(value: string | readonly string[] | null | undefined): string | undefined {
  const text = typeof value === 'string' ? value : value?.[0]
  return text === undefined || text === '' ? undefined : text
}

/** The JSON text of claims that a token may carry. @throws ApiError 400 */
export function checkClaims(json: string): string {
  if (json.length > MAX_CLAIMS) throw authError('CLAIMS_TOO_LARGE')
  let claims: unknown
  try {
    claims = JSON.parse(json)
  } catch {
    throw authError('INVALID_CLAIMS')
  }
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) throw authError('INVALID_CLAIMS')
  const reserved = Object.keys(claims).find((name) => RESERVED_CLAIMS.has(name))
  if (reserved !== undefined) throw authError('FORBIDDEN_CLAIM', reserved)
  return json
}
