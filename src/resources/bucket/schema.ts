/** Props and attributes of a Cloud Storage bucket. */
import { z } from 'zod'
import { Labels } from '../resource.ts'

export const BucketProps = z.strictObject({
  projectId: z.string(),
  /** Unique in all of Google Cloud. */
  name: z.string(),
  /** A region or multi-region, in lower case. */
  location: z.string().transform((location) => location.toLowerCase()),
  labels: Labels,
})
export type BucketProps = z.output<typeof BucketProps>

export type BucketAttributes = {
  readonly name: string
  /** `gs://NAME` */
  readonly url: string
  readonly location: string
  readonly labels: Readonly<Record<string, string>>
  /** Access by IAM alone, without ACLs of single objects. */
  readonly uniformAccess: boolean
}
