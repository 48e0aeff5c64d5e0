/** Props of a role on a Python repository. */
import { z } from 'zod'

export const ArtifactRepositoryIamMemberProps = z.strictObject({
  projectId: z.string(),
  location: z.string(),
  repository: z.string(),
  role: z.string(),
  /** `serviceAccount:EMAIL` */
  member: z.string(),
})
export type ArtifactRepositoryIamMemberProps = z.infer<typeof ArtifactRepositoryIamMemberProps>
