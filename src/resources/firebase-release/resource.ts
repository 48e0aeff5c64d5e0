/** What a release of rules is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { FirebaseReleaseProps } from './schema.ts'

export const firebaseReleaseResource: Resource<FirebaseReleaseProps> = {
  kind: 'firebase-release',
  identity: (props) => ({ projectId: props.projectId, release: props.release }),
  replacing: [],
}
