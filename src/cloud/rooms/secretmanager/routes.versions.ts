/** Routes of secret versions. https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions */
import { invalidArgument } from '../../kernel/api-error.ts'
import { page } from '../../kernel/paging.ts'
import type { Target } from '../../kernel/policy.ts'
import type { AnyRoute, Route, RouteRequest } from '../../kernel/room.ts'
import { param, parseFilter } from './routes.secrets.ts'
import { AddVersionBody, EtagBody } from './schema.ts'
import type { SecretService } from './service.secrets.ts'
import type { VersionService } from './service.versions.ts'
import type { SecretVersion, VersionState } from './store.ts'

const SECRET = '/v1/projects/:project/secrets/:secret'
const VERSION_VERB = `${SECRET}/versions/:version(^[^:/]+)::`

export function versionRoutes(secrets: SecretService, versions: VersionService): readonly AnyRoute[] {
  const target = (request: RouteRequest): Target => secrets.target(param(request, 'project'), param(request, 'secret'))

  function present(version: SecretVersion): Record<string, unknown> {
    const { replication } = secrets.get(version.projectId, version.secretId).config
    const replicas = replication?.userManaged?.replicas.map(({ location }) => ({ location }))
    return {
      name: versions.nameOf(version),
      createTime: version.createTime,
      destroyTime: version.destroyTime,
      state: version.state,
      replicationStatus: replicas === undefined ? { automatic: {} } : { userManaged: { replicas } },
      etag: version.etag,
      clientSpecifiedPayloadChecksum: version.hasClientChecksum || undefined,
    }
  }

  const change = (verb: 'enable' | 'disable' | 'destroy', state: VersionState): Route<EtagBody> => ({
    id: `secretmanager.projects.secrets.versions.${verb}`,
    method: 'POST',
    path: `${VERSION_VERB}${verb}`,
    permission: `secretmanager.versions.${verb}`,
    target,
    body: EtagBody,
    handler: (request) => present(versions.setState(param(request, 'project'), param(request, 'secret'), param(request, 'version'), state, request.body.etag)),
  })
  const add: Route<AddVersionBody> = {
    id: 'secretmanager.projects.secrets.addVersion',
    method: 'POST',
    path: '/v1/projects/:project/secrets/:secret(^[^:/]+)::addVersion',
    permission: 'secretmanager.versions.add',
    target,
    body: AddVersionBody,
    handler: (request) => present(versions.add(param(request, 'project'), param(request, 'secret'), request.body)),
  }

  return [
    add,
    {
      id: 'secretmanager.projects.secrets.versions.list',
      method: 'GET',
      path: `${SECRET}/versions`,
      permission: 'secretmanager.versions.list',
      target,
      handler(request) {
        const states = parseFilter(request.query['filter']).map((term) => {
          if (term.field !== 'state') throw invalidArgument(`Versions cannot be filtered by ${term.field} here.`)
          return term.value.toUpperCase()
        })
        const found = versions.list(param(request, 'project'), param(request, 'secret')).filter((version) => states.every((state) => version.state === state))
        const { items, nextPageToken } = page(found, request.query, newestFirst, { size: 25_000, max: 25_000 })
        return { versions: items.length === 0 ? undefined : items.map(present), nextPageToken, totalSize: found.length }
      },
    },
    {
      id: 'secretmanager.projects.secrets.versions.get',
      method: 'GET',
      path: `${SECRET}/versions/:version`,
      permission: 'secretmanager.versions.get',
      target,
      handler: (request) => present(versions.get(param(request, 'project'), param(request, 'secret'), param(request, 'version'))),
    },
    {
      id: 'secretmanager.projects.secrets.versions.access',
      method: 'GET',
      path: `${VERSION_VERB}access`,
      permission: 'secretmanager.versions.access',
      target,
      handler(request) {
        const { version, payload } = versions.access(param(request, 'project'), param(request, 'secret'), param(request, 'version'))
        return { name: versions.nameOf(version), payload }
      },
    },
    change('enable', 'ENABLED'),
    change('disable', 'DISABLED'),
    change('destroy', 'DESTROYED'),
  ]
}

/** A key whose ascending order is the descending order of version numbers, for paging. */
function newestFirst(version: SecretVersion): string {
  return String(Number.MAX_SAFE_INTEGER - version.version).padStart(16, '0')
}
