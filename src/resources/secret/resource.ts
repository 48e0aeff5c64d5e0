/** What a secret is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { SecretProps } from './schema.ts'

export const secretResource: Resource<SecretProps> = {
  kind: 'secret',
  identity: (props) => ({ projectId: props.projectId, secretId: props.secretId }),
  replacing: [],
}
