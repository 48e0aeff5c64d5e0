/** Props and attributes of a release: which ruleset is in force for a service. */
import { z } from 'zod'

export const FirebaseReleaseProps = z.strictObject({
  projectId: z.string(),
  /** `cloud.firestore` */
  release: z.string(),
  /** The last part of the ruleset's name. */
  rulesetId: z.string(),
})
export type FirebaseReleaseProps = z.output<typeof FirebaseReleaseProps>

export type FirebaseReleaseAttributes = {
  readonly rulesetId: string
}
