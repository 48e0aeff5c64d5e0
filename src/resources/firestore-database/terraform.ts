/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/firestore_database */
import type { TerraformMapping } from '../terraform.ts'
import type { FirestoreDatabaseProps } from './schema.ts'

/** With `ABANDON`, the provider's default, a destroy would leave the database behind even without protection. */
export const firestoreDatabaseTerraform: TerraformMapping<FirestoreDatabaseProps> = (name, props) => ({
  type: 'google_firestore_database',
  name,
  body: {
    project: props.projectId,
    name: props.database,
    location_id: props.location,
    type: 'FIRESTORE_NATIVE',
    delete_protection_state: props.deleteProtection ? 'DELETE_PROTECTION_ENABLED' : 'DELETE_PROTECTION_DISABLED',
    deletion_policy: 'DELETE',
  },
})
