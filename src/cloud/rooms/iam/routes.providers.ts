/** Providers of workload identity pools. https://cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools.providers */
import { ApiError } from '../../kernel/api-error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { AnyRoute, Route, RouteRequest } from '../../kernel/room.ts'
import { deletion, fieldMask, finished, isTrue, nameOf, operationRoute, POOLS, poolTarget, requireGlobal } from './routes.pools.ts'
import { ProviderBody } from './schema.pools.ts'
import type { PoolService, ProviderEdit } from './service.pools.ts'
import type { ProviderRecord } from './store.pools.ts'

const PROVIDERS = `${POOLS}/:pool/providers`
const PROVIDER = `${PROVIDERS}/:provider`
const ID = 'iam.projects.locations.workloadIdentityPools.providers'
const FIELDS = ['displayName', 'description', 'disabled', 'attributeMapping', 'attributeCondition', 'oidc']

type Body = ReturnType<typeof ProviderBody.parse>

export function createProviderRoutes(kernel: Kernel, pools: PoolService): readonly AnyRoute[] {
  const target = poolTarget(kernel)
  const names = ({ params }: Pick<RouteRequest, 'params'>): [string, string, string] => {
    requireGlobal(params['location'])
    return [params['project'] ?? '', params['pool'] ?? '', params['provider'] ?? '']
  }
  const answer = (request: Pick<RouteRequest, 'principal'>, provider: ProviderRecord): Promise<unknown> =>
    finished(kernel, request.principal, provider.projectId, providerName(kernel, provider), 'WorkloadIdentityPoolProvider', toProvider(kernel, provider))

  const create: Route<Body> = {
    id: `${ID}.create`,
    method: 'POST',
    path: PROVIDERS,
    permission: 'iam.workloadIdentityPoolProviders.create',
    target,
    body: ProviderBody,
    handler(request) {
      const [project, pool] = names(request)
      refuseOtherKinds(request.body)
      return answer(
        request,
        pools.createProvider(
          project,
          pool,
          request.query['workloadIdentityPoolProviderId'] ?? '',
          toEdit(request.body, () => true),
        ),
      )
    },
  }
  const patch: Route<Body> = {
    id: `${ID}.patch`,
    method: 'PATCH',
    path: PROVIDER,
    permission: 'iam.workloadIdentityPoolProviders.update',
    target,
    body: ProviderBody,
    handler(request) {
      refuseOtherKinds(request.body)
      const has = fieldMask(request.query['updateMask'], FIELDS, request.body)
      return answer(request, pools.updateProvider(...names(request), toEdit(cleared(request.body), has)))
    },
  }
  return [
    create,
    patch,
    {
      id: `${ID}.list`,
      method: 'GET',
      path: PROVIDERS,
      permission: 'iam.workloadIdentityPoolProviders.list',
      target,
      handler(request) {
        const [project, pool] = names(request)
        const { items, nextPageToken } = pools.listProviders(project, pool, request.query, isTrue(request.query['showDeleted']))
        return { workloadIdentityPoolProviders: items.map((provider) => toProvider(kernel, provider)), nextPageToken }
      },
    },
    {
      id: `${ID}.get`,
      method: 'GET',
      path: PROVIDER,
      permission: 'iam.workloadIdentityPoolProviders.get',
      target,
      handler: (request) => toProvider(kernel, pools.getProvider(...names(request))),
    },
    {
      id: `${ID}.delete`,
      method: 'DELETE',
      path: PROVIDER,
      permission: 'iam.workloadIdentityPoolProviders.delete',
      target,
      handler: (request) => answer(request, pools.removeProvider(...names(request))),
    },
    {
      id: `${ID}.undelete`,
      method: 'POST',
      path: `${PROVIDERS}/:provider(^[^:/]+)::undelete`,
      permission: 'iam.workloadIdentityPoolProviders.undelete',
      target,
      handler: (request) => answer(request, pools.undeleteProvider(...names(request))),
    },
    operationRoute(kernel, `${ID}.operations.get`, `${PROVIDER}/operations/:operation`),
  ]
}

/** @throws ApiError 501: only OpenID Connect is here */
function refuseOtherKinds({ aws, saml, x509 }: Body): void {
  const other = Object.entries({ aws, saml, x509 }).find(([, value]) => value !== undefined && value !== null)?.[0]
  if (other !== undefined) throw new ApiError('UNIMPLEMENTED', `Providers of kind ${other} are not implemented by the pocket cloud: use oidc.`)
}

/** A field that the mask names and the body lacks is cleared. */
function cleared(body: Body): Body {
  const { displayName = '', description = '', disabled = false, attributeMapping = {}, attributeCondition = '', oidc } = body
  return {
    ...body,
    displayName,
    description,
    disabled,
    attributeMapping,
    attributeCondition,
    oidc: { issuerUri: oidc?.issuerUri ?? '', allowedAudiences: oidc?.allowedAudiences ?? [], jwksJson: oidc?.jwksJson ?? '' },
  }
}

function toEdit(body: Body, has: (field: string) => boolean): ProviderEdit {
  const { displayName, description, disabled, attributeMapping, attributeCondition, oidc } = body
  return {
    ...(has('displayName') && displayName !== undefined ? { displayName } : {}),
    ...(has('description') && description !== undefined ? { description } : {}),
    ...(has('disabled') && disabled !== undefined ? { disabled } : {}),
    ...(has('attributeMapping') && attributeMapping !== undefined ? { attributeMapping } : {}),
    ...(has('attributeCondition') && attributeCondition !== undefined ? { attributeCondition } : {}),
    oidc: {
      ...(has('oidc.issuerUri') && oidc?.issuerUri !== undefined ? { issuerUri: oidc.issuerUri } : {}),
      ...(has('oidc.allowedAudiences') && oidc?.allowedAudiences !== undefined ? { allowedAudiences: oidc.allowedAudiences } : {}),
      ...(has('oidc.jwksJson') && oidc?.jwksJson !== undefined ? { jwksJson: oidc.jwksJson } : {}),
    },
  }
}

function providerName(kernel: Kernel, provider: ProviderRecord): string {
  return `${nameOf(kernel, provider)}/providers/${provider.providerId}`
}

function toProvider(kernel: Kernel, provider: ProviderRecord): Record<string, unknown> {
  const { displayName, description, disabled, attributeMapping, attributeCondition, oidc, deletedAt } = provider
  const { issuerUri, allowedAudiences, jwksJson } = oidc
  return {
    name: providerName(kernel, provider),
    ...(displayName === '' ? {} : { displayName }),
    ...(description === '' ? {} : { description }),
    ...deletion(deletedAt),
    ...(disabled ? { disabled } : {}),
    attributeMapping,
    ...(attributeCondition === '' ? {} : { attributeCondition }),
    oidc: { issuerUri, ...(allowedAudiences.length === 0 ? {} : { allowedAudiences }), ...(jwksJson === undefined ? {} : { jwksJson }) },
  }
}
