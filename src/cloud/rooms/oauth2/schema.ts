/** Requests of the token endpoint: a form on the wire. https://developers.google.com/identity/protocols/oauth2/service-account#httprest */
import { z } from 'zod'

export const TokenRequest = z.looseObject({ grant_type: z.string().optional(), assertion: z.string().optional(), refresh_token: z.string().optional() })
export const RevokeRequest = z.looseObject({ token: z.string().optional() })
export const TokenInfoRequest = z.looseObject({ access_token: z.string().optional(), id_token: z.string().optional() })

/** The claims of an assertion, as far as they decide anything. */
export const AssertionClaims = z.looseObject({
  iss: z.string(),
  aud: z.string(),
  exp: z.number(),
  iat: z.number(),
  sub: z.string().optional(),
  scope: z.string().optional(),
  target_audience: z.string().optional(),
})

export const JwtHeader = z.looseObject({ alg: z.string(), kid: z.string().optional() })
