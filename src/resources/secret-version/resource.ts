/** What a secret's value is, without a cloud. */
import { part } from '../resource.ts'
import type { Resource } from '../resource.ts'
import type { OldVersion, SecretVersionProps } from './schema.ts'

export const secretVersionResource: Resource<SecretVersionProps> = {
  kind: 'secret-version',
  identity: (props) => ({ projectId: props.projectId, secretId: props.secretId }),
  replacing: [],
}

/** `projects/P/secrets/S`; also what salts the digests of its values. */
export function secretName(identity: Readonly<Record<string, string>>): string {
  return `projects/${part(identity, 'projectId')}/secrets/${part(identity, 'secretId')}`
}

/** Old versions that should not be as they are. */
export function outdated(props: Pick<SecretVersionProps, 'oldVersions'>, older: readonly OldVersion[]): readonly OldVersion[] {
  if (props.oldVersions === 'keep') return []
  return props.oldVersions === 'destroy' ? older : older.filter((one) => one.state === 'ENABLED')
}
