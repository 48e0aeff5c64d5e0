/** What a ruleset is, without a cloud: rulesets never change and Google chooses their names, so that the content is the identity. */
import { sha256Hex } from '../../base/ids.ts'
import type { Resource } from '../resource.ts'
import type { FirebaseRulesetProps } from './schema.ts'

export const firebaseRulesetResource: Resource<FirebaseRulesetProps> = {
  kind: 'firebase-ruleset',
  identity: (props) => ({ projectId: props.projectId, release: props.release, file: props.file, sha256: sha256Hex(props.content) }),
  replacing: [],
}
