/** Props of a role on a bucket. */
import { z } from 'zod'

export const BucketIamMemberProps = z.strictObject({
  bucket: z.string(),
  role: z.string(),
  /** `serviceAccount:EMAIL` */
  member: z.string(),
})
export type BucketIamMemberProps = z.output<typeof BucketIamMemberProps>
