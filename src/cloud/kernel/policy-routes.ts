/** The three IAM methods that nearly every Google resource has, as functions for a room's handlers. https://cloud.google.com/iam/docs/reference/rest/v1/Policy */
import { z } from 'zod'
import { invalidArgument } from './api-error.ts'
import { withoutCondition } from './conditions.ts'
import type { Kernel } from './kernel.ts'
import type { Policy, Target } from './policy.ts'
import type { Principal } from './principal.ts'

export const BindingBody = z.looseObject({
  role: z.string(),
  members: z.array(z.string()).default([]), // gcloud and Terraform may send null for none.
  condition: z
    .looseObject({})
    .nullish()
    .transform((condition) => condition ?? undefined),
})
export const SetPolicyBody = z.looseObject({
  policy: z.looseObject({ version: z.number().optional(), etag: z.string().optional(), bindings: z.array(BindingBody).default([]) }),
})
export const GetPolicyBody = z.looseObject({ options: z.looseObject({ requestedPolicyVersion: z.number().optional() }).optional() })
export const TestPermissionsBody = z.looseObject({ permissions: z.array(z.string()).default([]) })

/** The policy of a resource, with its conditions only for readers who ask for version 3. @throws ApiError 400 for a policy version that does not exist. */
export function getPolicy(kernel: Kernel, resource: string, requestedVersion?: number | string): Policy {
  checkVersion(requestedVersion)
  const policy = kernel.policies.get(resource)
  if (policy.version < 3 || Number(requestedVersion) === 3) return policy
  // Readers that do not ask for version 3 would write conditional bindings back as unconditional ones.
  return {
    ...policy,
    version: 1,
    bindings: policy.bindings.map(({ role, members, condition }) => ({ role: condition === undefined ? role : withoutCondition(role, condition), members })),
  }
}

/** Replaces a policy when the etag in it, if any, is the current one. @throws ApiError 409 ABORTED, 400 */
export function setPolicy(kernel: Kernel, resource: string, body: z.infer<typeof SetPolicyBody>): Policy {
  checkVersion(body.policy.version)
  return kernel.policies.set(resource, body.policy)
}

/** Those of the permissions that the caller has, in Google's answer form. */
export function testPermissions(kernel: Kernel, principal: Principal, target: Target, permissions: readonly string[]): { permissions?: readonly string[] } {
  if (permissions.length > 100) throw invalidArgument('At most 100 permissions can be tested in one request.')
  const wild = permissions.find((permission) => permission.includes('*'))
  if (wild !== undefined) throw invalidArgument(`Permission ${wild} is not valid: wildcards are not allowed.`)
  const held = permissions.filter((permission) => kernel.policies.can(principal, permission, target))
  return held.length === 0 ? {} : { permissions: held }
}

function checkVersion(version: number | string | undefined): void {
  if (version === undefined || [0, 1, 3].includes(Number(version))) return
  throw invalidArgument(`Policy version must be 0, 1, or 3: ${version}`)
}
