/** What kinds that put one member into one role of a policy have in common. A kind says whose policy it is. */
import type { z } from 'zod'
import { KilnError } from '../base/errors.ts'
import { SECOND_MS } from '../base/units.ts'
import { waitFor } from '../base/wait.ts'
import type { Clients } from '../client/clients.ts'
import { ApiError, isAbsent, isGone } from '../client/errors.ts'
import type { KindContext, ResourceKind } from '../engine/types.ts'
import { addMember, hasMember, removeMember } from './iam-members.ts'
import type { PolicyAccess } from './iam-members.ts'
import { parseProps, part } from './resource.ts'
import type { Resource } from './resource.ts'

export type IamMemberAttributes = {
  readonly role: string
  readonly member: string
}

export interface IamMemberParts<Props> {
  readonly resource: Resource<Props>
  readonly schema: z.ZodType<Props>
  /** How the policy is read and written. Its identity has `role` and `member`. */
  readonly access: (context: KindContext<Clients>, identity: Readonly<Record<string, string>>) => PolicyAccess
}

/** A kind from its policy. */
export function iamMemberKind<Props extends { readonly role: string; readonly member: string }>(parts: IamMemberParts<Props>): ResourceKind<Props, IamMemberAttributes, Clients> {
  const { resource } = parts
  const kind: ResourceKind<Props, IamMemberAttributes, Clients> = {
    kind: resource.kind,
    identity: resource.identity,
    parse: (props) => parseProps(resource.kind, parts.schema, props),

    async observe(context, identity) {
      const role = part(identity, 'role')
      const member = part(identity, 'member')
      try {
        return hasMember(await parts.access(context, identity).read(), role, member) ? { role, member } : undefined
      } catch (error) {
        if (isAbsent(error)) return undefined
        throw error
      }
    },

    diff: () => [],

    async create(context, props) {
      const { role, member } = props
      await onceKnown(context, member, () => addMember(parts.access(context, resource.identity(props)), role, member))
      return { role, member }
    },

    update: (context, props) => kind.create(context, props),

    async remove(context, identity) {
      try {
        await removeMember(parts.access(context, identity), part(identity, 'role'), part(identity, 'member'))
      } catch (error) {
        if (!isGone(error)) throw error
      }
    },
  }
  return kind
}

/** A new account or pool is known to policies only some seconds later on Google. */
async function onceKnown(context: KindContext<Clients>, member: string, add: () => Promise<void>): Promise<void> {
  let refusal: ApiError | undefined
  const wait = { what: `policies know ${member}`, timeoutMs: 30 * SECOND_MS, intervalMs: 2 * SECOND_MS, signal: context.signal }
  await waitFor(wait, async () => {
    try {
      await add()
      return { done: true, value: undefined }
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 400 || !/does not exist/i.test(error.message)) throw error
      refusal = error
      return { done: false, status: error.message }
    }
  }).catch((error: unknown) => {
    // at the deadline the cloud's own words say more than ours
    throw error instanceof KilnError && error.code === 'E_TIMEOUT' ? (refusal ?? error) : error
  })
}
