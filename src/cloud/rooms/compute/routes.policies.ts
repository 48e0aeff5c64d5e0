/** IAM policies of images, disks and instances: three methods each, in Compute Engine's own form (the policy is the answer, `bindings` may stand beside `policy`). */
import type { Binding, Target } from '../../kernel/policy.ts'
import type { AnyRoute, RouteRequest } from '../../kernel/room.ts'
import { getPolicy, testPermissions } from '../../kernel/policy-routes.ts'
import type { RouteKit } from './routes.kit.ts'
import { PolicyBody, TestPermissionsBody } from './schema.ts'

/** `resource` gives the full name, and throws 404 when it is not there. */
export function policyRoutes(
  kit: RouteKit,
  collection: string,
  path: string,
  target: (request: RouteRequest) => Target,
  resource: (request: RouteRequest) => string,
): readonly AnyRoute[] {
  const { kernel } = kit.compute
  return [
    {
      id: `compute.${collection}.getIamPolicy`,
      method: 'GET',
      path: `${path}/getIamPolicy`,
      permission: `compute.${collection}.getIamPolicy`,
      target,
      handler: (request) => getPolicy(kernel, resource(request), request.query['optionsRequestedPolicyVersion']),
    },
    {
      id: `compute.${collection}.setIamPolicy`,
      method: 'POST',
      path: `${path}/setIamPolicy`,
      permission: `compute.${collection}.setIamPolicy`,
      target,
      body: PolicyBody,
      handler(request) {
        const { policy, bindings, etag } = request.body
        const wanted = (policy?.bindings ?? bindings ?? []).map(toBinding)
        return kernel.policies.set(resource(request), { bindings: wanted, etag: policy?.etag ?? etag ?? undefined, version: policy?.version ?? undefined })
      },
    },
    {
      id: `compute.${collection}.testIamPermissions`,
      method: 'POST',
      path: `${path}/testIamPermissions`,
      permission: 'authenticated',
      target,
      body: TestPermissionsBody,
      handler: (request) => testPermissions(kernel, request.principal, target(request), request.body.permissions ?? []),
    },
  ]
}

function toBinding(binding: { readonly role: string; readonly members?: readonly string[] | null; readonly condition?: unknown }): Binding {
  return { role: binding.role, members: binding.members ?? [], ...(binding.condition ? { condition: binding.condition as Binding['condition'] } : {}) }
}
