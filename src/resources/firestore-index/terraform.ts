/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/firestore_index */
import type { TerraformMapping } from '../terraform.ts'
import type { FirestoreIndexProps } from './schema.ts'

export const firestoreIndexTerraform: TerraformMapping<FirestoreIndexProps> = (name, props) => ({
  type: 'google_firestore_index',
  name,
  body: {
    project: props.projectId,
    database: props.database,
    collection: props.collectionGroup,
    query_scope: props.queryScope,
    fields: props.fields.map((field) =>
      'order' in field ? { field_path: field.fieldPath, order: field.order } : { field_path: field.fieldPath, array_config: field.arrayConfig },
    ),
  },
})
