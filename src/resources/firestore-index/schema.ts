/** Props and attributes of a composite index of Firestore. */
import { z } from 'zod'

const FieldPath = z.string()

export const FirestoreIndexProps = z.strictObject({
  projectId: z.string(),
  database: z.string().default('(default)'),
  collectionGroup: z.string(),
  queryScope: z.enum(['COLLECTION', 'COLLECTION_GROUP']).default('COLLECTION'),
  fields: z
    .array(
      z.union([z.strictObject({ fieldPath: FieldPath, order: z.enum(['ASCENDING', 'DESCENDING']) }), z.strictObject({ fieldPath: FieldPath, arrayConfig: z.literal('CONTAINS') })]),
    )
    .min(1),
})
export type FirestoreIndexProps = z.output<typeof FirestoreIndexProps>

export type FirestoreIndexAttributes = {
  /** `projects/P/databases/D/collectionGroups/C/indexes/I`; Google chooses I. */
  readonly name: string
  /** CREATING, READY or NEEDS_REPAIR */
  readonly state: string
}
