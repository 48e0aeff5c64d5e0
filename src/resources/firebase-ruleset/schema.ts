/** Props and attributes of a ruleset: one version of a rules file. */
import { z } from 'zod'

export const FirebaseRulesetProps = z.strictObject({
  projectId: z.string(),
  /** The release that it is for, such as `cloud.firestore`: where the one in force is looked for first. */
  release: z.string(),
  /** The file's name as the console shows it. */
  file: z.string().default('firestore.rules'),
  content: z.string(),
})
export type FirebaseRulesetProps = z.output<typeof FirebaseRulesetProps>

export type FirebaseRulesetAttributes = {
  /** The last part of `projects/P/rulesets/ID`; Google chooses it. */
  readonly rulesetId: string
}
