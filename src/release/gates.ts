/** Judging what is there: pure functions over one look at a group. */
import type { BackendHealth, GroupError, GroupFacts, MemberFacts } from './fleet.ts'

/** One look at a group. */
export interface GroupView {
  /** Undefined: there is no such group. */
  readonly group: GroupFacts | undefined
  readonly members: readonly MemberFacts[]
  readonly errors: readonly GroupError[]
  /** Undefined: nothing balances. */
  readonly backend: readonly BackendHealth[] | undefined
}

export interface Expectation {
  readonly template: string
  /** How many instances must have it. */
  readonly count: number
  /** Whether the group must have no other instances, and be stable as a whole; not so while a canary is out, when the others may be sick. */
  readonly isWhole: boolean
}

/** Those that have a template. */
export function membersOn(view: GroupView, template: string): readonly MemberFacts[] {
  return view.members.filter((member) => member.template === template)
}

/** What is not right with one instance; undefined when nothing is. Health must be said by all who are asked: silence is not health. */
export function memberProblem(view: GroupView, member: MemberFacts): string | undefined {
  const errors = member.errors.length === 0 ? '' : ` (${member.errors.join('; ')})`
  if (member.action !== 'NONE') return `${member.name} is ${member.action}${errors}`
  if (member.status !== 'RUNNING') return `${member.name} is ${member.status ?? 'not there'}${errors}`
  if (view.group?.hasHealthCheck === true && member.health !== 'HEALTHY') return `${member.name} is ${member.health ?? 'UNKNOWN'} by the group's health check`
  if (view.backend === undefined) return undefined
  const state = view.backend.find(({ instance }) => instance === member.name)?.state ?? 'UNKNOWN'
  return state === 'HEALTHY' ? undefined : `${member.name} is ${state} at the load balancer`
}

/** Instances with the template that nothing is wrong with. */
export function goodMembers(view: GroupView, template: string): readonly MemberFacts[] {
  return membersOn(view, template).filter((member) => memberProblem(view, member) === undefined)
}

/** Everything that keeps the group from being as expected; empty when it has really converged. */
export function convergeProblems(view: GroupView, expected: Expectation): readonly string[] {
  if (view.group === undefined) return ['the group is not there']
  const own = membersOn(view, expected.template)
  const problems = own.flatMap((member) => memberProblem(view, member) ?? [])
  if (own.length < expected.count) problems.push(`${own.length} of ${expected.count} instances have the template ${expected.template}`)
  if (!expected.isWhole) return problems
  const others = view.members.length - own.length
  if (others > 0) problems.push(`${others} instances have another template`)
  if (own.length > expected.count) problems.push(`there are ${own.length} instances and ${expected.count} are wanted`)
  if (!view.group.isReached) problems.push('the group has not reached its versions')
  if (!view.group.isStable) problems.push('the group is not stable')
  return problems
}

/** Why waiting longer has no sense; undefined when it may have. `sinceMs`: errors of earlier rollouts of the same template do not count. */
export function hopeless(view: GroupView, template: string, sinceMs: number, mostErrors: number): string | undefined {
  const errors = view.errors.filter((error) => error.template === template && Date.parse(error.at) >= sinceMs)
  const newest = errors.toSorted((left, right) => (left.at < right.at ? 1 : -1))[0]
  if (newest === undefined || errors.length < mostErrors) return undefined
  return `${errors.length} errors of the group, the last of ${newest.instance} (${newest.action}): ${newest.code}: ${newest.message}`
}

/** Whether too many requests failed. */
export function tooManyFailed(seen: { readonly requests: number; readonly failed: number }, mostShare: number): boolean {
  return seen.failed > 0 && seen.failed / Math.max(1, seen.requests) > mostShare
}
