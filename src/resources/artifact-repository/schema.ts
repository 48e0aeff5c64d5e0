/** Props and attributes of a Python repository in Artifact Registry. */
import { z } from 'zod'
import { Labels } from '../resource.ts'

export const ArtifactRepositoryProps = z.strictObject({
  projectId: z.string(),
  location: z.string(),
  repository: z.string(),
  format: z.enum(['PYTHON']).default('PYTHON'),
  description: z.string().default(''),
  labels: Labels,
})
export type ArtifactRepositoryProps = z.infer<typeof ArtifactRepositoryProps>

export type ArtifactRepositoryAttributes = {
  /** `projects/P/locations/L/repositories/R` */
  readonly name: string
  readonly format: string
  readonly description: string
  readonly labels: Readonly<Record<string, string>>
  /** `https://L-python.pkg.dev/P/R/` as Google names it; `transport.url` says where that is here. */
  readonly url: string
}
