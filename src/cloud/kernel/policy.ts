/**
 * IAM policies and the decision. A policy belongs to a resource (its full name below the service: `projects/moshi-3`,
 * `projects/moshi-3/locations/us-central1/repositories/pypi`, `buckets/moshi-storage`); a permission is granted by a binding on the resource, on its project, or
 * on the organisation, which holds only the owner of this pocket cloud.
 */
import { newEtag } from '../../base/ids.ts'
import type { Database, Migrations } from '../../store/database.ts'
import { ApiError, invalidArgument, permissionDenied } from './api-error.ts'
import { conditionHolds, parseCondition, requestAttributes } from './conditions.ts'
import { ownerPrincipal } from './principal.ts'
import type { Principal } from './principal.ts'
import { findRole, roleGrants, rolesWith, samePermission } from './roles/index.ts'

export interface Binding {
  readonly role: string
  readonly members: readonly string[]
  readonly condition?: Readonly<Record<string, unknown>>
}

export interface Policy {
  /** 3 when a binding has a condition, else 1. */
  readonly version: number
  readonly etag: string
  readonly bindings: readonly Binding[]
}

/** What a permission is asked on: the project decides which services are enabled and is the parent of `resource`. */
export interface Target {
  readonly projectId?: string
  /** Full name below the service of what has the policy; default: the project itself. */
  readonly resource?: string
  /** Full name of what is really meant, where that has no policy of its own: `projects/_/buckets/b/objects/o`. Conditions see it. */
  readonly name?: string
  /** The name comes later in the request: conditions count as met here, and the handler asks again with the name. */
  readonly isNameUnknown?: boolean
}

/** A role that a project made for itself, as the decision needs it. */
export interface CustomRole {
  readonly permissions: readonly string[]
  /** False for deleted and disabled ones: they stay in policies and grant nothing. */
  readonly isUsable: boolean
}

export const policyMigrations: Migrations = {
  namespace: 'kernel.policies',
  steps: ['CREATE TABLE policies (resource TEXT PRIMARY KEY, etag TEXT NOT NULL, bindings TEXT NOT NULL) STRICT'],
}

export interface Policies {
  /** With conditions; see policy-routes.ts for readers that do not know them. */
  get(resource: string): Policy
  /**
   * Read-modify-write: `policy.etag`, when given, must be the current one; conditions need version 3.
   * @throws ApiError 409 ABORTED, 400 for unknown roles or members and for conditions that cannot be.
   */
  set(resource: string, policy: { readonly bindings?: readonly Binding[] | undefined; readonly etag?: string | undefined; readonly version?: number | undefined }): Policy
  /** Adds a member to a role without a client's etag (the creator of a project becomes its owner). */
  grant(resource: string, role: string, member: string): void
  remove(resource: string): void
  /** Gives the policy of one resource to another name; the one that had this name before loses its own. */
  move(from: string, to: string): void
  /** Rewrites a member everywhere: a deleted account becomes `deleted:serviceAccount:…?uid=…`, so that a later account of the same e-mail inherits nothing. */
  renameMember(from: string, to: string): void
  /** Adds a check of members that are new in a policy: an error text for those that cannot be (an account that does not exist), else undefined. */
  checkMembers(check: (member: string) => string | undefined): void
  /** Says where roles such as `projects/P/roles/R` are looked up. */
  useCustomRoles(find: (name: string) => CustomRole | undefined): void
  can(principal: Principal, permission: string, target: Target): boolean
  /** @throws ApiError 403 that names permission, resource, caller, and roles that would do. */
  require(principal: Principal, permission: string, target: Target): void
}

export interface PoliciesOptions {
  readonly projectNumber?: (projectId: string) => string | undefined
  readonly nowMs?: () => number
}

const MEMBER = /^(allUsers|allAuthenticatedUsers|(user|serviceAccount|group|domain|projectOwner|projectEditor|projectViewer):[^\s]+|principal(Set)?:\/\/\S.*|deleted:[^\s]+)$/
const BASIC_ROLE = /^roles\/(owner|editor|viewer)$/
const CUSTOM_ROLE = /^projects\/([^/]+)\/roles\/[^/]+$/

export function createPolicies(database: Database, options: PoliciesOptions = {}): Policies {
  database.migrate(policyMigrations)
  const memberChecks: ((member: string) => string | undefined)[] = []
  let findCustomRole: (name: string) => CustomRole | undefined = () => undefined

  const get = database.remember((resource): Policy => {
    const row = database.get<{ etag: string; bindings: string }>('SELECT etag, bindings FROM policies WHERE resource = ?', resource)
    // ACAB is the base64 etag that Google gives for a policy that was never set.
    return row === undefined ? { version: 1, etag: 'ACAB', bindings: [] } : toPolicy(row.etag, JSON.parse(row.bindings) as Binding[])
  })

  function write(resource: string, bindings: readonly Binding[]): Policy {
    const etag = newEtag()
    database.run(
      'INSERT INTO policies VALUES (?, ?, ?) ON CONFLICT (resource) DO UPDATE SET etag = excluded.etag, bindings = excluded.bindings',
      resource,
      etag,
      JSON.stringify(bindings),
    )
    return toPolicy(etag, bindings)
  }

  function refuseUnknown(member: string): void {
    for (const check of memberChecks) {
      const problem = check(member)
      if (problem !== undefined) throw invalidArgument(problem)
    }
  }

  function grants(role: string, permission: string): boolean {
    if (!CUSTOM_ROLE.test(role)) return roleGrants(role, permission)
    const custom = findCustomRole(role)
    return custom !== undefined && custom.isUsable && custom.permissions.some((held) => samePermission(held, permission))
  }

  /** The bindings that would grant a permission, by the policy they are in; whether their conditions hold is another question. */
  function* grantingBindings(principal: Principal, permission: string, target: Target): Generator<readonly [resource: string, binding: Binding]> {
    const names = [target.resource, target.projectId === undefined ? undefined : `projects/${target.projectId}`]
    for (const name of new Set(names)) {
      if (name === undefined) continue
      for (const binding of get(name).bindings) {
        if (binding.members.some((member) => matches(member, principal)) && grants(binding.role, permission)) yield [name, binding]
      }
    }
  }

  function attributes(permission: string, target: Target): Readonly<Record<string, unknown>> {
    const projectNumber = target.projectId === undefined ? undefined : options.projectNumber?.(target.projectId)
    return requestAttributes(permission, target, (options.nowMs ?? Date.now)(), projectNumber)
  }

  function can(principal: Principal, permission: string, target: Target): boolean {
    if (principal.member === ownerPrincipal.member) return true
    for (const [, { condition }] of grantingBindings(principal, permission, target)) {
      if (condition === undefined || target.isNameUnknown === true || conditionHolds(condition, attributes(permission, target))) return true
    }
    return false
  }

  /** What a 403 adds for a caller who has the role, but only under a condition. */
  function unmetConditions(principal: Principal, permission: string, target: Target): string {
    const unmet = [...grantingBindings(principal, permission, target)].map(
      ([name, { role, condition }]) => `${role} on ${name} under the condition ${JSON.stringify(condition?.['title'])} (${String(condition?.['expression'])})`,
    )
    return unmet.length === 0 ? '' : ` It has ${unmet.slice(0, 3).join(', ')}, which does not hold for this request.`
  }

  /** @throws ApiError 400 */
  function checkBinding(resource: string, binding: Binding, isKnown: boolean): Binding {
    const { role } = binding
    if (role.includes('_withcond_'))
      throw invalidArgument(`The role ${role} is a conditional one that was read without its condition: read the policy with requestedPolicyVersion 3.`)
    const project = CUSTOM_ROLE.exec(role)?.[1]
    if (project !== undefined) {
      const owner = /^projects\/([^/]+)/.exec(resource)?.[1]
      if (!isKnown && (findCustomRole(role) === undefined || (owner !== undefined && owner !== project)))
        throw invalidArgument(`Role (${role}) does not exist in the resource's hierarchy.`)
    } else if (findRole(role) === undefined) throw invalidArgument(`Role ${role} is not supported for this resource.`)
    for (const member of binding.members ?? []) {
      if (!MEMBER.test(member)) throw invalidArgument(`The member ${member} is of an unknown type. Please set a valid type prefix for the member.`)
    }
    if (binding.condition === undefined) return { role, members: binding.members ?? [] }
    if (BASIC_ROLE.test(role)) throw invalidArgument("LintValidationUnits/BindingRoleAllowConditionCheck Error: Conditions can't be set on primitive roles")
    if ((binding.members ?? []).some((member) => member === 'allUsers' || member === 'allAuthenticatedUsers'))
      throw invalidArgument('Conditions cannot be set on bindings with the members allUsers or allAuthenticatedUsers.')
    return { role, members: binding.members ?? [], condition: { ...parseCondition(binding.condition, role) } }
  }

  return {
    get,
    set(resource, policy) {
      return database.transaction(() => {
        const current = get(resource)
        const hasEtag = policy.etag !== undefined && policy.etag !== ''
        if (hasEtag && policy.etag !== current.etag)
          throw new ApiError('ABORTED', 'There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.', { reason: 'aborted' })
        const asked = policy.bindings ?? []
        if (policy.version !== 3 && (asked.some((binding) => binding.condition !== undefined) || (hasEtag && current.version === 3)))
          throw invalidArgument('A policy with conditional role bindings must be written with version 3 (policy.version), and read with requestedPolicyVersion 3 before.')
        const knownRoles = new Set(current.bindings.map((binding) => binding.role))
        const bindings = merge(asked.map((binding) => checkBinding(resource, binding, knownRoles.has(binding.role))))
        const known = new Set(current.bindings.flatMap((binding) => binding.members))
        for (const member of new Set(bindings.flatMap((binding) => binding.members))) {
          if (!known.has(member)) refuseUnknown(member)
        }
        return write(resource, bindings)
      })
    },
    grant(resource, role, member) {
      database.transaction(() => write(resource, merge([...get(resource).bindings, { role, members: [member] }])))
    },
    remove: (resource) => void database.run('DELETE FROM policies WHERE resource = ?', resource),
    move: (from, to) => void database.run('UPDATE OR REPLACE policies SET resource = ? WHERE resource = ?', to, from),
    renameMember(from, to) {
      database.transaction(() => {
        for (const row of database.all<{ resource: string; bindings: string }>('SELECT resource, bindings FROM policies WHERE instr(bindings, ?) > 0', JSON.stringify(from))) {
          const bindings = JSON.parse(row.bindings) as Binding[]
          write(row.resource, merge(bindings.map((binding) => ({ ...binding, members: binding.members.map((member) => (member === from ? to : member)) }))))
        }
      })
    },
    checkMembers: (check) => void memberChecks.push(check),
    useCustomRoles: (find) => void (findCustomRole = find),
    can,
    require(principal, permission, target) {
      if (can(principal, permission, target)) return
      const resource = target.resource ?? `projects/${target.projectId ?? '-'}`
      throw permissionDenied(permission, resource, principal.email, rolesWith(permission), unmetConditions(principal, permission, target))
    },
  }
}

function toPolicy(etag: string, bindings: readonly Binding[]): Policy {
  return { version: bindings.some((binding) => binding.condition !== undefined) ? 3 : 1, etag, bindings }
}

/** Identities of outside issuers are not among allAuthenticatedUsers. https://cloud.google.com/iam/docs/principals-overview */
function matches(member: string, principal: Principal): boolean {
  if (member === principal.member || member === 'allUsers') return true
  if (member === 'allAuthenticatedUsers') return /^(user|serviceAccount):/.test(principal.member)
  return principal.sets?.includes(member) ?? false
}

/** One binding for each role and condition, sorted, without empty ones. */
function merge(bindings: readonly Binding[]): Binding[] {
  const merged = new Map<string, { readonly binding: Binding; readonly members: Set<string> }>()
  for (const binding of bindings) {
    const key = JSON.stringify([binding.role, binding.condition ?? null])
    const entry = merged.get(key) ?? { binding, members: new Set<string>() }
    for (const member of binding.members) entry.members.add(member)
    merged.set(key, entry)
  }
  return [...merged]
    .filter(([, { members }]) => members.size > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { binding, members }]) => ({ role: binding.role, members: [...members].sort(), ...(binding.condition === undefined ? {} : { condition: binding.condition }) }))
}
