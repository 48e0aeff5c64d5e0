/** What a project's sign-in is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { IdentityPlatformProps } from './schema.ts'

export const identityPlatformResource: Resource<IdentityPlatformProps> = {
  kind: 'identity-platform',
  identity: (props) => ({ projectId: props.projectId }),
  replacing: [],
}

/** What Identity Platform itself allows in a new project. */
export function ownDomains(projectId: string): readonly string[] {
  return ['localhost', `${projectId}.firebaseapp.com`, `${projectId}.web.app`]
}
