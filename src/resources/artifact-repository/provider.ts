/** Python repositories. https://cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories */
import type { Repository } from '../../client/artifact-registry.ts'
import type { Clients } from '../../client/clients.ts'
import { isAbsent, isConflict, isGone } from '../../client/errors.ts'
import { waitForOperation } from '../../client/operations.ts'
import type { KindContext, ResourceKind } from '../../engine/types.ts'
import { compare, compareMaps, mergeMaps, parseProps, part } from '../resource.ts'
import { artifactRepositoryResource, repositoryName } from './resource.ts'
import { ArtifactRepositoryProps } from './schema.ts'
import type { ArtifactRepositoryAttributes } from './schema.ts'

export const artifactRepositoryKind: ResourceKind<ArtifactRepositoryProps, ArtifactRepositoryAttributes, Clients> = {
  kind: artifactRepositoryResource.kind,
  identity: artifactRepositoryResource.identity,
  parse: (props) => parseProps(artifactRepositoryResource.kind, ArtifactRepositoryProps, props),

  async observe(context, identity) {
    try {
      return toAttributes(identity, await context.clients.artifactRegistry.getRepository(repositoryName(identity), { signal: context.signal }))
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },

  diff: (props, observed) => [
    ...compare(artifactRepositoryResource, { format: [observed.format, props.format], description: [observed.description, props.description] }),
    ...compareMaps('labels', observed.labels, props.labels),
  ],

  async create(context, props) {
    const identity = artifactRepositoryResource.identity(props)
    try {
      const started = await context.clients.artifactRegistry.createRepository(
        `projects/${props.projectId}/locations/${props.location}`,
        props.repository,
        { format: props.format, description: props.description, labels: props.labels },
        { signal: context.signal },
      )
      await finish(context, started, `create the repository ${props.repository}`)
    } catch (error) {
      if (!isConflict(error)) throw error
    }
    return await read(context, identity)
  },

  async update(context, props, observed) {
    const labels = mergeMaps(observed.labels, props.labels)
    const repository = await context.clients.artifactRegistry.patchRepository(
      observed.name,
      'description,labels',
      { description: props.description, labels },
      { signal: context.signal },
    )
    return toAttributes(artifactRepositoryResource.identity(props), repository)
  },

  async remove(context, identity) {
    try {
      const started = await context.clients.artifactRegistry.deleteRepository(repositoryName(identity), { signal: context.signal })
      await finish(context, started, `delete the repository ${part(identity, 'repository')}`)
    } catch (error) {
      if (!isGone(error)) throw error
    }
  },
}

async function finish(context: KindContext<Clients>, started: Parameters<typeof waitForOperation>[0], what: string): Promise<void> {
  await waitForOperation(started, (name) => context.clients.artifactRegistry.getOperation(name, { signal: context.signal }), { what, signal: context.signal })
}

async function read(context: KindContext<Clients>, identity: Readonly<Record<string, string>>): Promise<ArtifactRepositoryAttributes> {
  return toAttributes(identity, await context.clients.artifactRegistry.getRepository(repositoryName(identity), { signal: context.signal }))
}

function toAttributes(identity: Readonly<Record<string, string>>, repository: Repository): ArtifactRepositoryAttributes {
  return {
    name: repositoryName(identity),
    format: repository.format ?? '',
    description: repository.description ?? '',
    labels: repository.labels ?? {},
    url: `https://${part(identity, 'location')}-python.pkg.dev/${part(identity, 'projectId')}/${part(identity, 'repository')}/`,
  }
}
