/**
 * IAM policies and the decision. A policy belongs to a resource (its full name below the service: `projects/moshi-3`,
 * `projects/moshi-3/locations/us-central1/repositories/pypi`, `buckets/moshi-storage`); a permission is granted by a binding on the resource, on its project, or
 * on the organisation, which holds only the owner of this pocket cloud.
 */
import { newEtag } from '../../base/ids.ts'
import type { Database, Migrations } from '../../store/database.ts'
import { ApiError, invalidArgument, permissionDenied } from './api-error.ts'
import { ownerPrincipal } from './principal.ts'
import type { Principal } from './principal.ts'
import { findRole, roleGrants, rolesWith } from './roles/index.ts'

export interface Binding {
  readonly role: string
  readonly members: readonly string[]
  readonly condition?: Readonly<Record<string, unknown>>
}

export interface Policy {
  readonly version: number
  readonly etag: string
  readonly bindings: readonly Binding[]
}

/** What a permission is asked on: the project decides which services are enabled and is the parent of `resource`. */
export interface Target {
  readonly projectId?: string
  /** Full name below the service; default: the project itself. */
  readonly resource?: string
}

export const policyMigrations: Migrations = {
  namespace: 'kernel.policies',
  steps: ['CREATE TABLE policies (resource TEXT PRIMARY KEY, etag TEXT NOT NULL, bindings TEXT NOT NULL) STRICT'],
}

export interface Policies {
  get(resource: string): Policy
  /** Read-modify-write: `policy.etag`, when given, must be the current one. @throws ApiError 409 ABORTED, 400 for unknown roles or members. */
  set(resource: string, policy: { readonly bindings?: readonly Binding[]; readonly etag?: string; readonly version?: number }): Policy
  /** Adds a member to a role without a client's etag (the creator of a project becomes its owner). */
  grant(resource: string, role: string, member: string): void
  remove(resource: string): void
  /** Gives the policy of one resource to another name; the one that had this name before loses its own. */
  move(from: string, to: string): void
  /** Rewrites a member everywhere: a deleted account becomes `deleted:serviceAccount:…?uid=…`, so that a later account of the same e-mail inherits nothing. */
  renameMember(from: string, to: string): void
  /** Adds a check of members that are new in a policy: an error text for those that cannot be (an account that does not exist), else undefined. */
  checkMembers(check: (member: string) => string | undefined): void
  can(principal: Principal, permission: string, target: Target): boolean
  /** @throws ApiError 403 that names permission, resource, caller, and roles that would do. */
  require(principal: Principal, permission: string, target: Target): void
}

const MEMBER = /^(allUsers|allAuthenticatedUsers|(user|serviceAccount|group|domain|projectOwner|projectEditor|projectViewer):[^\s]+|principal(Set)?:\/\/[^\s]+|deleted:[^\s]+)$/

export function createPolicies(database: Database): Policies {
  database.migrate(policyMigrations)
  const memberChecks: ((member: string) => string | undefined)[] = []

  function get(resource: string): Policy {
    const row = database.get<{ etag: string; bindings: string }>('SELECT etag, bindings FROM policies WHERE resource = ?', resource)
    // ACAB is the base64 etag that Google gives for a policy that was never set.
    return row === undefined ? { version: 1, etag: 'ACAB', bindings: [] } : { version: 1, etag: row.etag, bindings: JSON.parse(row.bindings) as Binding[] }
  }

  function write(resource: string, bindings: readonly Binding[]): Policy {
    const etag = newEtag()
    database.run(
      'INSERT INTO policies VALUES (?, ?, ?) ON CONFLICT (resource) DO UPDATE SET etag = excluded.etag, bindings = excluded.bindings',
      resource,
      etag,
      JSON.stringify(bindings),
    )
    return { version: 1, etag, bindings }
  }

  function refuseUnknown(member: string): void {
    for (const check of memberChecks) {
      const problem = check(member)
      if (problem !== undefined) throw invalidArgument(problem)
    }
  }

  function can(principal: Principal, permission: string, target: Target): boolean {
    if (principal.member === ownerPrincipal.member) return true
    const names = [target.resource, target.projectId === undefined ? undefined : `projects/${target.projectId}`]
    return names.some(
      (name) => name !== undefined && get(name).bindings.some((binding) => binding.members.some((member) => matches(member, principal)) && roleGrants(binding.role, permission)),
    )
  }

  return {
    get,
    set(resource, policy) {
      return database.transaction(() => {
        const current = get(resource)
        if (policy.etag !== undefined && policy.etag !== '' && policy.etag !== current.etag) {
          throw new ApiError('ABORTED', 'There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.', { reason: 'aborted' })
        }
        const bindings = normalize(policy.bindings ?? [])
        const known = new Set(current.bindings.flatMap((binding) => binding.members))
        for (const member of new Set(bindings.flatMap((binding) => binding.members))) {
          if (!known.has(member)) refuseUnknown(member)
        }
        return write(resource, bindings)
      })
    },
    grant(resource, role, member) {
      database.transaction(() => write(resource, normalize([...get(resource).bindings, { role, members: [member] }])))
    },
    remove: (resource) => void database.run('DELETE FROM policies WHERE resource = ?', resource),
    move: (from, to) => void database.run('UPDATE OR REPLACE policies SET resource = ? WHERE resource = ?', to, from),
    renameMember(from, to) {
      database.transaction(() => {
        for (const row of database.all<{ resource: string; bindings: string }>('SELECT resource, bindings FROM policies WHERE instr(bindings, ?) > 0', JSON.stringify(from))) {
          const bindings = JSON.parse(row.bindings) as Binding[]
          write(row.resource, normalize(bindings.map((binding) => ({ ...binding, members: binding.members.map((member) => (member === from ? to : member)) }))))
        }
      })
    },
    checkMembers: (check) => void memberChecks.push(check),
    can,
    require(principal, permission, target) {
      if (can(principal, permission, target)) return
      throw permissionDenied(permission, target.resource ?? `projects/${target.projectId ?? '-'}`, principal.email, rolesWith(permission))
    },
  }
}

function matches(member: string, principal: Principal): boolean {
  return member === principal.member || member === 'allUsers' || member === 'allAuthenticatedUsers'
}

/** Merges bindings of the same role, drops empty ones, and checks names. */
function normalize(bindings: readonly Binding[]): Binding[] {
  const members = new Map<string, Set<string>>()
  for (const binding of bindings) {
    if (binding.condition !== undefined) throw invalidArgument(`Conditional role bindings are not supported by the pocket cloud (role ${binding.role}).`)
    // Custom roles cannot be made here, so that a binding to one would grant nothing without a word.
    if (findRole(binding.role) === undefined) throw invalidArgument(`Role ${binding.role} is not supported for this resource.`)
    const set = members.get(binding.role) ?? new Set<string>()
    for (const member of binding.members ?? []) {
      if (!MEMBER.test(member)) throw invalidArgument(`The member ${member} is of an unknown type. Please set a valid type prefix for the member.`)
      set.add(member)
    }
    members.set(binding.role, set)
  }
  return [...members]
    .filter(([, set]) => set.size > 0)
    .map(([role, set]) => ({ role, members: [...set].sort() }))
    .sort((a, b) => (a.role < b.role ? -1 : 1))
}
