/** Control plane, part two: what is in a repository. https://cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories.packages */
import { toLongRunning } from '../../kernel/operations.ts'
import type { Operation } from '../../kernel/operations.ts'
import { page } from '../../kernel/paging.ts'
import type { AnyRoute, RouteRequest } from '../../kernel/room.ts'
import { sendFile } from './python/send-file.ts'
import { OPERATION_METADATA, REPOSITORY_PATH, repositoryPath, repositoryTarget } from './routes.ts'
import type { FileService } from './service.files.ts'
import { filterResources } from './service.packages.ts'
import type { PackageService, Resource } from './service.packages.ts'
import type { RepositoryService } from './service.repositories.ts'
import type { RepositoryRecord } from './store.ts'

const DOWNLOAD_VERB = ':download'

export function packageRoutes(repositories: RepositoryService, packages: PackageService, files: FileService): readonly AnyRoute[] {
  const target = repositoryTarget(repositories)

  function repositoryOf(request: RouteRequest): RepositoryRecord {
    return repositories.get(repositoryPath(request))
  }

  function listPage(request: RouteRequest, member: string, resources: readonly Resource[]): Record<string, unknown> {
    const found = page(filterResources(resources, request.query['filter']), request.query, (resource) => resource.name)
    return { [member]: found.items, nextPageToken: found.nextPageToken }
  }

  function render(operation: Operation): Record<string, unknown> {
    return toLongRunning(operation, `projects/${operation.projectId}/${operation.scope}/operations/`, OPERATION_METADATA)
  }

  /** A file's id holds a slash, so the verb is looked for at the end of the rest of the path. */
  function getFile(request: RouteRequest): unknown {
    const repository = repositoryOf(request)
    const rest = request.params['*'] ?? ''
    if (!rest.endsWith(DOWNLOAD_VERB)) return packages.renderFile(repository, packages.findFile(repository, rest))
    request.require('artifactregistry.files.download', { projectId: repository.projectId, resource: repositories.nameOf(repository) })
    const file = packages.findFile(repository, rest.slice(0, -DOWNLOAD_VERB.length))
    if (request.query['alt'] !== 'media') return {}
    return sendFile(request, { sha256: file.sha256, sizeBytes: file.sizeBytes, type: 'application/octet-stream', modifiedTime: file.uploadTime }, (range) =>
      files.open(file, range),
    )
  }

  const id = 'artifactregistry.projects.locations.repositories'
  return [
    {
      id: `${id}.packages.list`,
      method: 'GET',
      path: `${REPOSITORY_PATH}/packages`,
      permission: 'artifactregistry.packages.list',
      target,
      handler: (request) => listPage(request, 'packages', packages.packages(repositoryOf(request))),
    },
    {
      id: `${id}.packages.get`,
      method: 'GET',
      path: `${REPOSITORY_PATH}/packages/:package`,
      permission: 'artifactregistry.packages.get',
      target,
      handler: (request) => packages.getPackage(repositoryOf(request), request.params['package'] ?? ''),
    },
    {
      id: `${id}.packages.delete`,
      method: 'DELETE',
      path: `${REPOSITORY_PATH}/packages/:package`,
      permission: 'artifactregistry.packages.delete',
      target,
      handler: (request) => render(packages.deletePackage(repositoryOf(request), request.params['package'] ?? '', request.principal)),
    },
    {
      id: `${id}.packages.versions.list`,
      method: 'GET',
      path: `${REPOSITORY_PATH}/packages/:package/versions`,
      permission: 'artifactregistry.versions.list',
      target,
      handler: (request) => listPage(request, 'versions', packages.versions(repositoryOf(request), request.params['package'] ?? '')),
    },
    {
      id: `${id}.packages.versions.get`,
      method: 'GET',
      path: `${REPOSITORY_PATH}/packages/:package/versions/:version`,
      permission: 'artifactregistry.versions.get',
      target,
      handler: (request) => packages.getVersion(repositoryOf(request), request.params['package'] ?? '', request.params['version'] ?? ''),
    },
    {
      id: `${id}.packages.versions.delete`,
      method: 'DELETE',
      path: `${REPOSITORY_PATH}/packages/:package/versions/:version`,
      permission: 'artifactregistry.versions.delete',
      target,
      handler: (request) => render(packages.deleteVersion(repositoryOf(request), request.params['package'] ?? '', request.params['version'] ?? '', request.principal)),
    },
    {
      id: `${id}.files.list`,
      method: 'GET',
      path: `${REPOSITORY_PATH}/files`,
      permission: 'artifactregistry.files.list',
      target,
      handler: (request) => listPage(request, 'files', packages.files(repositoryOf(request))),
    },
    { id: `${id}.files.get`, method: 'GET', path: `${REPOSITORY_PATH}/files/*`, permission: 'artifactregistry.files.get', target, handler: getFile },
    // Google's media clients put a prefix before the version.
    { id: `${id}.files.download`, method: 'GET', path: `/download${REPOSITORY_PATH}/files/*`, permission: 'artifactregistry.files.download', target, handler: getFile },
    {
      id: `${id}.files.delete`,
      method: 'DELETE',
      path: `${REPOSITORY_PATH}/files/*`,
      permission: 'artifactregistry.files.delete',
      target,
      handler: (request) => render(packages.deleteFile(repositoryOf(request), request.params['*'] ?? '', request.principal)),
    },
    {
      id: `${id}.pythonPackages.list`,
      method: 'GET',
      path: `${REPOSITORY_PATH}/pythonPackages`,
      permission: 'artifactregistry.pythonpackages.list',
      target,
      handler: (request) => listPage(request, 'pythonPackages', packages.pythonPackages(repositoryOf(request))),
    },
    {
      id: `${id}.pythonPackages.get`,
      method: 'GET',
      path: `${REPOSITORY_PATH}/pythonPackages/:package`,
      permission: 'artifactregistry.pythonpackages.get',
      target,
      handler: (request) => packages.getPythonPackage(repositoryOf(request), request.params['package'] ?? ''),
    },
  ]
}
