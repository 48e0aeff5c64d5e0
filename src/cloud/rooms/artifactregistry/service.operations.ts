/**
 * The operations of this room. What they report has been done, durably, in the transaction that starts them; the work that is left is
 * to give back the space, which may be repeated any time.
 */
import type { Kernel } from '../../kernel/kernel.ts'
import type { Operation } from '../../kernel/operations.ts'
import type { Principal } from '../../kernel/principal.ts'
import type { RepositoryRecord } from './store.ts'

export interface ArtifactOperations {
  /** `repository` is the answer in Google's shape. */
  created(record: RepositoryRecord, principal: Principal, repository: Readonly<Record<string, unknown>>): Operation
  /** `target` is the path of what is gone below the repository, empty for the repository itself. */
  deleted(noun: DeletedNoun, record: RepositoryRecord, principal: Principal, target: string): Operation
}

export type DeletedNoun = 'Repository' | 'Package' | 'Version' | 'File'

const PREFIX = 'google.devtools.artifactregistry.v1'
const deletedNouns: readonly DeletedNoun[] = ['Repository', 'Package', 'Version', 'File']

/** Registers the handlers. */
export function createArtifactOperations(kernel: Kernel): ArtifactOperations {
  const { operations, blobs } = kernel
  operations.register('artifactregistry', `${PREFIX}.CreateRepository`, async (args: { repository: Readonly<Record<string, unknown>> }) => ({
    '@type': `type.googleapis.com/${PREFIX}.Repository`,
    ...args.repository,
  }))
  for (const noun of deletedNouns) {
    operations.register('artifactregistry', `${PREFIX}.Delete${noun}`, async () => {
      await blobs.collect()
      return { '@type': 'type.googleapis.com/google.protobuf.Empty' }
    })
  }

  function start(type: string, record: RepositoryRecord, principal: Principal, below: string, args: unknown): Operation {
    return operations.start({
      room: 'artifactregistry',
      type: `${PREFIX}.${type}`,
      projectId: record.projectId,
      scope: `locations/${record.location}`,
      target: `locations/${record.location}/repositories/${record.repositoryId}${below}`,
      principal,
      args,
    })
  }

  return {
    created: (record, principal, repository) => start('CreateRepository', record, principal, '', { repository }),
    deleted: (noun, record, principal, target) => start(`Delete${noun}`, record, principal, target, {}),
  }
}
