/** Props and attributes of a project. */
import { z } from 'zod'
import { Labels } from '../resource.ts'

export const ProjectProps = z.strictObject({
  /** The id, unique in all of Google Cloud. */
  projectId: z.string(),
  /** The name shown in the console. */
  displayName: z.string(),
  labels: Labels,
})
export type ProjectProps = z.infer<typeof ProjectProps>

export type ProjectAttributes = {
  readonly projectId: string
  readonly projectNumber: string
  readonly displayName: string
  readonly labels: Readonly<Record<string, string>>
}
