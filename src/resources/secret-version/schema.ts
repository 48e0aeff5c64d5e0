/** Props and attributes of a secret's value. The value itself is in none of them. */
import { z } from 'zod'

export const SecretVersionProps = z.strictObject({
  projectId: z.string(),
  secretId: z.string(),
  /** Where the value is: `env:NAME`, or `file:` with an absolute path. Read when a version is added, and only then. */
  from: z.string().regex(/^(env:.|file:\/)/),
  /** What `secretDigest` made of the value when the plan was made; missing when there was none: then a live value stays as it is. */
  digest: z.string().optional(),
  /** What happens to the versions before the newest one. */
  oldVersions: z.enum(['disable', 'destroy', 'keep']).default('disable'),
})
export type SecretVersionProps = z.output<typeof SecretVersionProps>

export interface OldVersion {
  readonly version: string
  readonly state: string
}

export type SecretVersionAttributes = {
  /** The number of the newest version, which `latest` means. */
  readonly version: string
  readonly state: string
  /** Missing when the newest version cannot be read. */
  readonly digest?: string
  /** Older versions whose value is still there, oldest first. */
  readonly older: readonly OldVersion[]
}
