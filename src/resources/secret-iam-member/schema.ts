/** Props of a role on a secret. */
import { z } from 'zod'

export const SecretIamMemberProps = z.strictObject({
  projectId: z.string(),
  secretId: z.string(),
  role: z.string(),
  /** `serviceAccount:EMAIL` */
  member: z.string(),
})
export type SecretIamMemberProps = z.output<typeof SecretIamMemberProps>
