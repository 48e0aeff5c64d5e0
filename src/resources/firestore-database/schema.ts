/** Props and attributes of a Firestore database. */
import { z } from 'zod'

export const FirestoreDatabaseProps = z.strictObject({
  projectId: z.string(),
  database: z.string().default('(default)'),
  /** A region or a multi-region; it can never be changed. */
  location: z.string(),
  /** While it is on, nobody can delete the database. */
  deleteProtection: z.boolean().default(true),
})
export type FirestoreDatabaseProps = z.output<typeof FirestoreDatabaseProps>

export type FirestoreDatabaseAttributes = {
  /** `projects/P/databases/D` */
  readonly name: string
  readonly database: string
  readonly location: string
  readonly type: string
  readonly deleteProtection: boolean
}
