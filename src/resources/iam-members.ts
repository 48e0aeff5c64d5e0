/** One member in one role of a policy: read, change, write with the etag, and again when somebody else was faster. */
import { shortId } from '../base/ids.ts'
import { sleep } from '../base/wait.ts'
import { isConflict, isPreconditionFailed } from '../client/errors.ts'
import type { IamBinding, IamPolicy } from '../client/iam-types.ts'

export interface PolicyAccess {
  readonly read: () => Promise<IamPolicy>
  readonly write: (policy: IamPolicy) => Promise<unknown>
  readonly signal: AbortSignal
}

const mostTries = 8

/** True when the policy gives the role to the member without a condition. */
export function hasMember(policy: IamPolicy, role: string, member: string): boolean {
  return (policy.bindings ?? []).some((binding) => isPlain(binding, role) && binding.members?.includes(member) === true)
}

/** Adds the member to the role; there already is fine. @throws KilnError of the last conflict after eight tries. */
export async function addMember(access: PolicyAccess, role: string, member: string): Promise<void> {
  await change(access, (policy) => {
    if (hasMember(policy, role, member)) return undefined
    const bindings = policy.bindings ?? []
    if (!bindings.some((binding) => isPlain(binding, role))) return [...bindings, { role, members: [member] }]
    return bindings.map((binding) => (isPlain(binding, role) ? { ...binding, members: [...(binding.members ?? []), member] } : binding))
  })
}

/** Takes the member out of the role; gone already is fine. */
export async function removeMember(access: PolicyAccess, role: string, member: string): Promise<void> {
  await change(access, (policy) => {
    if (!hasMember(policy, role, member)) return undefined
    return (policy.bindings ?? [])
      .map((binding) => (isPlain(binding, role) ? { ...binding, members: (binding.members ?? []).filter((entry) => entry !== member) } : binding))
      .filter((binding) => (binding.members ?? []).length > 0)
  })
}

async function change(access: PolicyAccess, edit: (policy: IamPolicy) => readonly IamBinding[] | undefined): Promise<void> {
  for (let count = 1; ; count += 1) {
    const policy = await access.read()
    const bindings = edit(policy)
    if (bindings === undefined) return
    try {
      await access.write({ ...policy, bindings })
      return
    } catch (error) {
      if ((!isConflict(error) && !isPreconditionFailed(error)) || count >= mostTries) throw error
      // several members of one policy are written at the same time: spread the next tries
      await sleep(25 * 2 ** count * (0.5 + Number.parseInt(shortId(3), 36) / 36 ** 3), access.signal)
    }
  }
}

function isPlain(binding: IamBinding, role: string): boolean {
  return binding.role === role && (binding.condition === undefined || binding.condition === null)
}

/** A policy in the shape that Google's clients take. Version 3, so that conditions of other bindings are kept. */
export function policySchema(policy: IamPolicy) {
  const bindings = (policy.bindings ?? []).map((binding) => ({
    role: binding.role ?? '',
    members: [...(binding.members ?? [])],
    ...(binding.condition === undefined || binding.condition === null ? {} : { condition: binding.condition }),
  }))
  return { version: 3, etag: policy.etag ?? null, bindings }
}
