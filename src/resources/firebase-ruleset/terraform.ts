/** https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/firebaserules_ruleset */
import type { TerraformMapping } from '../terraform.ts'
import type { FirebaseRulesetProps } from './schema.ts'

export const firebaseRulesetTerraform: TerraformMapping<FirebaseRulesetProps> = (name, props) => ({
  type: 'google_firebaserules_ruleset',
  name,
  body: {
    project: props.projectId,
    source: { files: [{ name: props.file, content: props.content }] },
    lifecycle: { create_before_destroy: true },
  },
})
