/** Workload identity pools. https://cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools */
import { invalidArgument, notFound } from '../../kernel/api-error.ts'
import { poolPath } from '../../../oidc/provider.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { toLongRunning } from '../../kernel/operations.ts'
import { getPolicy, GetPolicyBody, setPolicy, SetPolicyBody, testPermissions, TestPermissionsBody } from '../../kernel/policy-routes.ts'
import type { Target } from '../../kernel/policy.ts'
import type { Principal } from '../../kernel/principal.ts'
import type { AnyRoute, Route, RouteRequest } from '../../kernel/room.ts'
import { PoolBody } from './schema.pools.ts'
import type { PoolService } from './service.pools.ts'
import { UNDELETE_DAYS } from './store.pools.ts'
import type { PoolRecord } from './store.pools.ts'

export const POOLS = '/v1/projects/:project/locations/:location/workloadIdentityPools'
const POOL = `${POOLS}/:pool`
const POOL_VERB = `${POOLS}/:pool(^[^:/]+)::`
const ID = 'iam.projects.locations.workloadIdentityPools'
/** The work is done before the operation is written, so that it only carries the answer. */
export const OPERATION = 'workloadIdentity'

type Named = Pick<RouteRequest, 'params'>

export function createPoolRoutes(kernel: Kernel, pools: PoolService): readonly AnyRoute[] {
  kernel.operations.register('iam', OPERATION, async (answer: unknown) => answer)
  const target = poolTarget(kernel)
  const names = ({ params }: Named): [string, string] => {
    requireGlobal(params['location'])
    return [params['project'] ?? '', params['pool'] ?? '']
  }
  const answer = (request: Pick<RouteRequest, 'principal'>, pool: PoolRecord): Promise<unknown> =>
    finished(kernel, request.principal, pool.projectId, nameOf(kernel, pool), 'WorkloadIdentityPool', toPool(kernel, pool))

  const create: Route<ReturnType<typeof PoolBody.parse>> = {
    id: `${ID}.create`,
    method: 'POST',
    path: POOLS,
    permission: 'iam.workloadIdentityPools.create',
    target,
    body: PoolBody,
    handler(request) {
      const { displayName, description, disabled, mode } = request.body
      requireGlobal(request.params['location'])
      return answer(request, pools.createPool(request.params['project'] ?? '', request.query['workloadIdentityPoolId'] ?? '', { displayName, description, disabled, mode }))
    },
  }
  const patch: Route<ReturnType<typeof PoolBody.parse>> = {
    id: `${ID}.patch`,
    method: 'PATCH',
    path: POOL,
    permission: 'iam.workloadIdentityPools.update',
    target,
    body: PoolBody,
    handler(request) {
      const has = fieldMask(request.query['updateMask'], ['displayName', 'description', 'disabled', 'mode', 'inlineCertificateIssuanceConfig', 'inlineTrustConfig'], request.body)
      const { displayName = '', description = '', disabled = false } = request.body
      return answer(
        request,
        pools.updatePool(...names(request), {
          ...(has('displayName') ? { displayName } : {}),
          ...(has('description') ? { description } : {}),
          ...(has('disabled') ? { disabled } : {}),
        }),
      )
    },
  }
  return [
    create,
    patch,
    {
      id: `${ID}.list`,
      method: 'GET',
      path: POOLS,
      permission: 'iam.workloadIdentityPools.list',
      target,
      handler({ params, query }) {
        requireGlobal(params['location'])
        const { items, nextPageToken } = pools.listPools(params['project'] ?? '', query, isTrue(query['showDeleted']))
        return { workloadIdentityPools: items.map((pool) => toPool(kernel, pool)), nextPageToken }
      },
    },
    { id: `${ID}.get`, method: 'GET', path: POOL, permission: 'iam.workloadIdentityPools.get', target, handler: (request) => toPool(kernel, pools.getPool(...names(request))) },
    {
      id: `${ID}.delete`,
      method: 'DELETE',
      path: POOL,
      permission: 'iam.workloadIdentityPools.delete',
      target,
      handler: (request) => answer(request, pools.removePool(...names(request))),
    },
    {
      id: `${ID}.undelete`,
      method: 'POST',
      path: `${POOL_VERB}undelete`,
      permission: 'iam.workloadIdentityPools.undelete',
      target,
      handler: (request) => answer(request, pools.undeletePool(...names(request))),
    },
    {
      id: `${ID}.listAttestationRules`,
      method: 'GET',
      path: `${POOL_VERB}listAttestationRules`,
      permission: 'iam.workloadIdentityPools.getAttestationRules',
      target,
      // Rules belong to pools of mode TRUST_DOMAIN, which cannot be made here.
      handler(request) {
        pools.getPool(...names(request))
        return { attestationRules: [] }
      },
    },
    operationRoute(kernel, `${ID}.operations.get`, `${POOL}/operations/:operation`),
    ...policyRoutes(kernel, target, (request) => policyName(pools.getPool(...names(request)))),
  ]
}

/** The permission is asked on the pool, which has a policy of its own, and on its project. */
export function poolTarget(kernel: Kernel): (request: Named) => Target {
  return ({ params }) => {
    const projectId = kernel.projects.find(params['project'] ?? '')?.projectId ?? params['project'] ?? ''
    const pool = params['pool']
    return pool === undefined ? { projectId } : { projectId, resource: policyName({ projectId, poolId: pool }) }
  }
}

function policyRoutes(kernel: Kernel, target: (request: Named) => Target, resource: (request: Named) => string): readonly AnyRoute[] {
  const get: Route<ReturnType<typeof GetPolicyBody.parse>> = {
    id: `${ID}.getIamPolicy`,
    method: 'POST',
    path: `${POOL_VERB}getIamPolicy`,
    permission: 'iam.workloadIdentityPools.getIamPolicy',
    target,
    body: GetPolicyBody,
    handler: (request) => getPolicy(kernel, resource(request), request.body.options?.requestedPolicyVersion),
  }
  const set: Route<ReturnType<typeof SetPolicyBody.parse>> = {
    id: `${ID}.setIamPolicy`,
    method: 'POST',
    path: `${POOL_VERB}setIamPolicy`,
    permission: 'iam.workloadIdentityPools.setIamPolicy',
    target,
    body: SetPolicyBody,
    handler: (request) => setPolicy(kernel, resource(request), request.body),
  }
  const test: Route<ReturnType<typeof TestPermissionsBody.parse>> = {
    id: `${ID}.testIamPermissions`,
    method: 'POST',
    path: `${POOL_VERB}testIamPermissions`,
    permission: 'authenticated',
    target,
    body: TestPermissionsBody,
    handler: (request) => testPermissions(kernel, request.principal, target(request), request.body.permissions),
  }
  return [get, set, test]
}

/** `GET …/operations/X`, of the pool or of a provider. */
export function operationRoute(kernel: Kernel, id: string, path: string): AnyRoute {
  return {
    id,
    method: 'GET',
    path,
    permission: 'iam.workloadIdentityPools.get',
    target: poolTarget(kernel),
    handler({ params, path: asked }) {
      const operation = kernel.operations.get(params['operation'] ?? '')
      const projectId = kernel.projects.find(params['project'] ?? '')?.projectId
      if (operation?.room !== 'iam' || operation.projectId !== projectId) throw notFound(`Requested entity was not found: ${asked.split('?')[0] ?? ''}`)
      return toLongRunning(operation, `${operation.target}/operations/`)
    },
  }
}

/** The operation of a change that is made already, once it is finished. */
export async function finished(kernel: Kernel, principal: Principal, projectId: string, name: string, kind: string, answer: object): Promise<unknown> {
  const args = { '@type': `type.googleapis.com/google.iam.v1.${kind}`, ...answer }
  const operation = kernel.operations.start({ room: 'iam', type: OPERATION, projectId, scope: 'global', target: name, principal, args })
  return toLongRunning((await kernel.operations.wait(operation.name, 5000)) ?? operation, `${name}/operations/`)
}

/** Which fields a patch is about: those of the mask, or without one those of the body. @throws ApiError 400 for a field that there is not */
export function fieldMask(mask: string | undefined, known: readonly string[], body: Readonly<Record<string, unknown>>): (field: string) => boolean {
  const fields = (mask ?? '')
    .split(',')
    .map((field) => field.trim().replace(/_([a-z])/g, (_whole, letter: string) => letter.toUpperCase()))
    .filter((field) => field !== '')
  if (fields.length === 0)
    return (field) =>
      field.split('.').reduce<unknown>((value, key) => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined), body) !== undefined
  const unknown = fields.find((field) => field !== '*' && !known.includes(field.split('.')[0] ?? ''))
  if (unknown !== undefined) throw invalidArgument(`Invalid field in update_mask: ${unknown}`)
  return (field) => fields.some((asked) => asked === '*' || asked === field || field.startsWith(`${asked}.`) || asked.startsWith(`${field}.`))
}

/** @throws ApiError 400: pools live nowhere else */
export function requireGlobal(location: string | undefined): void {
  if (location !== 'global') throw invalidArgument(`Location ${JSON.stringify(location)} is not valid: workload identity pools are in the location global.`)
}

/** gcloud writes booleans as Python does. */
export function isTrue(value: string | undefined): boolean {
  return value?.toLowerCase() === 'true'
}

/** `{}` or when it disappears for good. */
export function deletion(deletedAt: string | undefined): { readonly state: string; readonly expireTime?: string } {
  return deletedAt === undefined ? { state: 'ACTIVE' } : { state: 'DELETED', expireTime: new Date(Date.parse(deletedAt) + UNDELETE_DAYS * 86_400_000).toISOString() }
}

/** With the project's number, as Google answers. */
export function nameOf(kernel: Kernel, { projectId, poolId }: Pick<PoolRecord, 'projectId' | 'poolId'>): string {
  return poolPath({ projectNumber: kernel.projects.find(projectId)?.projectNumber ?? projectId, poolId })
}

function policyName({ projectId, poolId }: Pick<PoolRecord, 'projectId' | 'poolId'>): string {
  return `projects/${projectId}/locations/global/workloadIdentityPools/${poolId}`
}

function toPool(kernel: Kernel, pool: PoolRecord): Record<string, unknown> {
  const { displayName, description, disabled, mode, deletedAt } = pool
  return {
    name: nameOf(kernel, pool),
    ...(displayName === '' ? {} : { displayName }),
    ...(description === '' ? {} : { description }),
    ...deletion(deletedAt),
    ...(disabled ? { disabled } : {}),
    ...(mode === undefined ? {} : { mode }),
  }
}
