/** Props and attributes of an identity provider that Google knows by name. Its secret is in none of them. */
import { z } from 'zod'

export const IdentityProviderProps = z.strictObject({
  projectId: z.string(),
  /** `google.com` */
  idpId: z.string(),
  clientId: z.string(),
  /** Where the client's secret is: `env:NAME`, or `file:` with an absolute path. Read when it is sent, and only then. */
  secretFrom: z.string().regex(/^(env:.|file:\/)/),
  /** What `secretDigest` made of it when the plan was made; missing when there was none: then a live one stays as it is. */
  digest: z.string().optional(),
})
export type IdentityProviderProps = z.output<typeof IdentityProviderProps>

export type IdentityProviderAttributes = {
  readonly enabled: boolean
  readonly clientId: string
  readonly digest: string
}
