/** Control plane, part one: locations, repositories, their IAM policies, operations. https://cloud.google.com/artifact-registry/docs/reference/rest */
import type { z } from 'zod'
import { invalidArgument, notFound } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { toLongRunning } from '../../kernel/operations.ts'
import type { Operation } from '../../kernel/operations.ts'
import { page } from '../../kernel/paging.ts'
import { getPolicy, setPolicy, SetPolicyBody, testPermissions, TestPermissionsBody } from '../../kernel/policy-routes.ts'
import type { Target } from '../../kernel/policy.ts'
import type { AnyRoute, Route, RouteRequest } from '../../kernel/room.ts'
import { locations } from './locations.ts'
import { Repository } from './schema.ts'
import type { RepositoryPath, RepositoryService } from './service.repositories.ts'

export const LOCATION_PATH = '/v1/projects/:project/locations/:location'
/** A plain repository, and the form that leaves a custom verb behind it free. */
export const REPOSITORY_PATH = `${LOCATION_PATH}/repositories/:repository`
const REPOSITORY_VERB_PATH = `${LOCATION_PATH}/repositories/:repository(^[^:/]+)`

/** Every operation of this service carries this. */
export const OPERATION_METADATA = { '@type': 'type.googleapis.com/google.devtools.artifactregistry.v1.OperationMetadata' }

/** The repository that a request of the control plane is about. */
export function repositoryPath(request: RouteRequest): RepositoryPath {
  return { project: request.params['project'] ?? '', location: request.params['location'] ?? '', repository: request.params['repository'] ?? '' }
}

/** Asks permissions on the repository of the path. */
export function repositoryTarget(repositories: RepositoryService): (request: RouteRequest) => Target {
  return (request) => ({ projectId: request.params['project'] ?? '', resource: repositories.resourceName(repositoryPath(request)) })
}

export function controlRoutes(kernel: Kernel, repositories: RepositoryService): readonly AnyRoute[] {
  const target = repositoryTarget(repositories)

  function projectIdOf(request: RouteRequest): string {
    const project = request.params['project'] ?? ''
    return kernel.projects.find(project)?.projectId ?? project
  }

  function renderOperation(operation: Operation): Record<string, unknown> {
    return toLongRunning(operation, `projects/${operation.projectId}/${operation.scope}/operations/`, OPERATION_METADATA)
  }

  function renderLocation(request: RouteRequest, locationId: string): Record<string, unknown> {
    return { name: `projects/${projectIdOf(request)}/locations/${locationId}`, locationId, displayName: locationId }
  }

  function checkLocation(request: RouteRequest): string {
    const location = request.params['location'] ?? ''
    if (!locations.includes(location)) throw notFound(`Requested entity was not found: location ${JSON.stringify(location)} is not known to Artifact Registry.`)
    return location
  }

  const createRepository: Route<Repository> = {
    id: 'artifactregistry.projects.locations.repositories.create',
    method: 'POST',
    path: `${LOCATION_PATH}/repositories`,
    permission: 'artifactregistry.repositories.create',
    body: Repository,
    handler(request) {
      const location = checkLocation(request)
      // Terraform sends the name in snake case, gcloud in camel case.
      const repository = request.query['repositoryId'] ?? request.query['repository_id']
      if (repository === undefined || repository === '') throw invalidArgument('The query parameter repositoryId is missing.')
      return renderOperation(repositories.create({ project: request.params['project'] ?? '', location, repository }, request.body, request.principal))
    },
  }

  const patchRepository: Route<Repository> = {
    id: 'artifactregistry.projects.locations.repositories.patch',
    method: 'PATCH',
    path: REPOSITORY_PATH,
    permission: 'artifactregistry.repositories.update',
    target,
    body: Repository,
    handler: (request) => repositories.render(repositories.patch(repositoryPath(request), request.body, request.query['updateMask'] ?? request.query['update_mask'])),
  }

  const setIamPolicy: Route<z.infer<typeof SetPolicyBody>> = {
    id: 'artifactregistry.projects.locations.repositories.setIamPolicy',
    method: 'POST',
    path: `${REPOSITORY_VERB_PATH}::setIamPolicy`,
    permission: 'artifactregistry.repositories.setIamPolicy',
    target,
    body: SetPolicyBody,
    handler(request) {
      repositories.get(repositoryPath(request))
      return setPolicy(kernel, repositories.resourceName(repositoryPath(request)), request.body)
    },
  }

  const testIamPermissions: Route<z.infer<typeof TestPermissionsBody>> = {
    id: 'artifactregistry.projects.locations.repositories.testIamPermissions',
    method: 'POST',
    path: `${REPOSITORY_VERB_PATH}::testIamPermissions`,
    permission: 'authenticated',
    target,
    body: TestPermissionsBody,
    handler(request) {
      const on = { projectId: projectIdOf(request), resource: repositories.resourceName(repositoryPath(request)) }
      return testPermissions(kernel, request.principal, on, request.body.permissions)
    },
  }

  return [
    {
      id: 'artifactregistry.projects.locations.list',
      method: 'GET',
      path: '/v1/projects/:project/locations',
      permission: 'artifactregistry.locations.list',
      handler(request) {
        const found = page(locations, request.query, (location) => location)
        return { locations: found.items.map((location) => renderLocation(request, location)), nextPageToken: found.nextPageToken }
      },
    },
    {
      id: 'artifactregistry.projects.locations.get',
      method: 'GET',
      path: LOCATION_PATH,
      permission: 'artifactregistry.locations.get',
      handler: (request) => renderLocation(request, checkLocation(request)),
    },
    createRepository,
    patchRepository,
    {
      id: 'artifactregistry.projects.locations.repositories.list',
      method: 'GET',
      path: `${LOCATION_PATH}/repositories`,
      permission: 'artifactregistry.repositories.list',
      handler(request) {
        const found = page(repositories.list(request.params['project'] ?? '', checkLocation(request)), request.query, (record) => record.repositoryId)
        return { repositories: found.items.map((record) => repositories.render(record)), nextPageToken: found.nextPageToken }
      },
    },
    {
      id: 'artifactregistry.projects.locations.repositories.get',
      method: 'GET',
      path: REPOSITORY_PATH,
      permission: 'artifactregistry.repositories.get',
      target,
      handler: (request) => repositories.render(repositories.get(repositoryPath(request))),
    },
    {
      id: 'artifactregistry.projects.locations.repositories.delete',
      method: 'DELETE',
      path: REPOSITORY_PATH,
      permission: 'artifactregistry.repositories.delete',
      target,
      handler: (request) => renderOperation(repositories.remove(repositoryPath(request), request.principal)),
    },
    {
      id: 'artifactregistry.projects.locations.repositories.getIamPolicy',
      method: 'GET',
      path: `${REPOSITORY_VERB_PATH}::getIamPolicy`,
      permission: 'artifactregistry.repositories.getIamPolicy',
      target,
      handler(request) {
        repositories.get(repositoryPath(request))
        return getPolicy(kernel, repositories.resourceName(repositoryPath(request)), request.query['options.requestedPolicyVersion'])
      },
    },
    setIamPolicy,
    testIamPermissions,
    {
      id: 'artifactregistry.projects.locations.operations.get',
      method: 'GET',
      path: `${LOCATION_PATH}/operations/:operation`,
      permission: 'authenticated',
      handler(request) {
        const operation = kernel.operations.get(request.params['operation'] ?? '')
        const isHere = operation?.room === 'artifactregistry' && operation.projectId === projectIdOf(request) && operation.scope === `locations/${request.params['location']}`
        // Whoever started it may follow it to its end, also when the repository that gave the right is gone.
        if (!isHere || operation.user !== request.principal.email) request.require('artifactregistry.repositories.get', { projectId: projectIdOf(request) })
        if (!isHere) throw notFound(`Requested entity was not found: operation ${JSON.stringify(request.params['operation'])} does not exist.`)
        return renderOperation(operation)
      },
    },
  ]
}
