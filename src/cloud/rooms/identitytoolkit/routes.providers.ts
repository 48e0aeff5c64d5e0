/** Routes of identity providers. https://cloud.google.com/identity-platform/docs/reference/rest/v2/projects.defaultSupportedIdpConfigs */
import type { Kernel } from '../../kernel/kernel.ts'
import { page } from '../../kernel/paging.ts'
import type { AnyRoute, Route, RouteRequest } from '../../kernel/room.ts'
import { param } from './routes.config.ts'
import { ProviderBody } from './schema.ts'
import type { ProviderService } from './service.providers.ts'
import type { StoredProvider } from './store.ts'

const PROVIDERS = '/v2/projects/:project/defaultSupportedIdpConfigs'
const PROVIDER = `${PROVIDERS}/:idp`
const ID = 'identitytoolkit.projects.defaultSupportedIdpConfigs'

export function providerRoutes(kernel: Kernel, providers: ProviderService): readonly AnyRoute[] {
  const show = (request: RouteRequest<unknown>, provider: StoredProvider): Record<string, unknown> => ({
    name: `projects/${kernel.projects.find(provider.projectId)?.projectNumber ?? provider.projectId}/defaultSupportedIdpConfigs/${provider.idpId}`,
    enabled: provider.enabled,
    clientId: provider.clientId,
    ...(kernel.policies.can(request.principal, 'firebaseauth.configs.getSecret', { projectId: provider.projectId }) ? { clientSecret: provider.clientSecret } : {}),
  })
  const create: Route<ProviderBody> = {
    id: `${ID}.create`,
    method: 'POST',
    path: PROVIDERS,
    permission: 'firebaseauth.configs.update',
    body: ProviderBody,
    handler: (request) => show(request, providers.create(param(request, 'project'), request.query['idpId'], request.body)),
  }
  const patch: Route<ProviderBody> = {
    id: `${ID}.patch`,
    method: 'PATCH',
    path: PROVIDER,
    permission: 'firebaseauth.configs.update',
    body: ProviderBody,
    handler: (request) => show(request, providers.change(param(request, 'project'), param(request, 'idp'), request.body, request.query['updateMask'])),
  }
  return [
    create,
    {
      id: `${ID}.list`,
      method: 'GET',
      path: PROVIDERS,
      permission: 'firebaseauth.configs.get',
      handler(request) {
        const { items, nextPageToken } = page(providers.list(param(request, 'project')), request.query, (provider) => provider.idpId)
        return { defaultSupportedIdpConfigs: items.length === 0 ? undefined : items.map((provider) => show(request, provider)), nextPageToken }
      },
    },
    {
      id: `${ID}.get`,
      method: 'GET',
      path: PROVIDER,
      permission: 'firebaseauth.configs.get',
      handler: (request) => show(request, providers.get(param(request, 'project'), param(request, 'idp'))),
    },
    patch,
    {
      id: `${ID}.delete`,
      method: 'DELETE',
      path: PROVIDER,
      permission: 'firebaseauth.configs.update',
      handler(request) {
        providers.remove(param(request, 'project'), param(request, 'idp'))
        return {}
      },
    },
  ]
}
