/** Props of a role on a project. */
import { z } from 'zod'

export const ProjectIamMemberProps = z.strictObject({
  projectId: z.string(),
  role: z.string(),
  /** `serviceAccount:EMAIL` */
  member: z.string(),
})
export type ProjectIamMemberProps = z.infer<typeof ProjectIamMemberProps>
