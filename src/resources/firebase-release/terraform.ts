/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/firebaserules_release */
import type { TerraformMapping } from '../terraform.ts'
import type { FirebaseReleaseProps } from './schema.ts'

export const firebaseReleaseTerraform: TerraformMapping<FirebaseReleaseProps> = (name, props) => ({
  type: 'google_firebaserules_release',
  name,
  body: { project: props.projectId, name: props.release, ruleset_name: `projects/${props.projectId}/rulesets/${props.rulesetId}` },
})
