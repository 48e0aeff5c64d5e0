/**
 * Update policies and versions of managed groups: checks, defaults, and numbers from percentages. Pure.
 * https://cloud.google.com/compute/docs/reference/rest/v1/instanceGroupManagers (fields updatePolicy and versions)
 */
import type { compute_v1 } from '@googleapis/compute/build/v1.js'
import { invalidArgument } from '../../../kernel/api-error.ts'
import type { ManagedVersion } from './store.ts'

type UpdatePolicy = compute_v1.Schema$InstanceGroupManagerUpdatePolicy
type FixedOrPercent = compute_v1.Schema$FixedOrPercent

/** From the least to the most disruptive. */
export const updateActions = ['NONE', 'REFRESH', 'RESTART', 'REPLACE'] as const
export type UpdateAction = (typeof updateActions)[number]

/** Percentages are for groups of at least this size. */
const MIN_PERCENT_SIZE = 10

export function toUpdateAction(value: string | null | undefined, otherwise: UpdateAction): UpdateAction {
  return updateActions.find((action) => action === value) ?? otherwise
}

/** The more disruptive one. */
export function strongerAction(left: UpdateAction, right: UpdateAction): UpdateAction {
  return updateActions.indexOf(left) >= updateActions.indexOf(right) ? left : right
}

/** The number that a fixed or percent value means for a group of this size; remainders are rounded up. */
export function calculated(value: FixedOrPercent | null | undefined, targetSize: number): number {
  if (value?.percent !== undefined && value.percent !== null) return Math.ceil((value.percent * targetSize) / 100)
  return value?.fixed ?? 0
}

/** As the API shows it. */
export function withCalculated(value: FixedOrPercent, targetSize: number): FixedOrPercent {
  return { ...value, calculated: calculated(value, targetSize) }
}

function requireFixedOrPercent(value: FixedOrPercent, field: string): FixedOrPercent {
  const { fixed, percent } = value
  const hasFixed = fixed !== undefined && fixed !== null
  const hasPercent = percent !== undefined && percent !== null
  if (hasFixed && hasPercent) throw invalidArgument(`Invalid value for field '${field}': '${JSON.stringify(value)}'. Only one of fixed and percent can be set.`)
  if (hasFixed && (!Number.isInteger(fixed) || fixed < 0)) throw invalidArgument(`Invalid value for field '${field}.fixed': '${fixed}'. Must be a whole number of 0 or more.`)
  if (hasPercent && (!Number.isInteger(percent) || percent < 0 || percent > 100))
    throw invalidArgument(`Invalid value for field '${field}.percent': '${percent}'. Must be between 0 and 100.`)
  return hasPercent ? { percent } : { fixed: fixed ?? 0 }
}

function requireOneOf(value: string, allowed: readonly string[], field: string): string {
  if (allowed.includes(value)) return value
  throw invalidArgument(`Invalid value for field '${field}': '${value}'. Must be one of ${allowed.join(', ')}.`)
}

/**
 * The policy as it is kept: what was sent, over what was there, with Google's defaults; without `calculated`.
 * @throws ApiError 400 for values that Google refuses.
 */
export function mergeUpdatePolicy(sent: UpdatePolicy | null | undefined, before: UpdatePolicy | undefined, targetSize: number): UpdatePolicy {
  const at = 'resource.updatePolicy'
  // Terraform sends empty texts for what is not set.
  const merged = { ...before, ...Object.fromEntries(Object.entries(sent ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== '')) } as UpdatePolicy
  const maxSurge = requireFixedOrPercent(merged.maxSurge ?? { fixed: 1 }, `${at}.maxSurge`)
  const maxUnavailable = requireFixedOrPercent(merged.maxUnavailable ?? { fixed: 1 }, `${at}.maxUnavailable`)
  const policy: UpdatePolicy = {
    ...merged,
    type: requireOneOf(merged.type ?? 'OPPORTUNISTIC', ['PROACTIVE', 'OPPORTUNISTIC'], `${at}.type`),
    minimalAction: requireOneOf(merged.minimalAction ?? 'REPLACE', updateActions, `${at}.minimalAction`),
    ...(merged.mostDisruptiveAllowedAction
      ? { mostDisruptiveAllowedAction: requireOneOf(merged.mostDisruptiveAllowedAction, updateActions, `${at}.mostDisruptiveAllowedAction`) }
      : {}),
    replacementMethod: requireOneOf(merged.replacementMethod ?? 'SUBSTITUTE', ['SUBSTITUTE', 'RECREATE'], `${at}.replacementMethod`),
    maxSurge,
    maxUnavailable,
  }
  for (const [field, value] of [
    ['maxSurge', sent?.maxSurge],
    ['maxUnavailable', sent?.maxUnavailable],
  ] as const) {
    if ((value?.percent ?? 0) > 0 && targetSize < MIN_PERCENT_SIZE)
      throw invalidArgument(`Invalid value for field '${at}.${field}': '${JSON.stringify(value)}'. Percent values are for groups of at least ${MIN_PERCENT_SIZE} instances.`)
  }
  const allowed = policy.mostDisruptiveAllowedAction
  if (allowed && strongerAction(toUpdateAction(policy.minimalAction, 'REPLACE'), toUpdateAction(allowed, 'REPLACE')) !== allowed)
    throw invalidArgument(`Invalid value for field '${at}.mostDisruptiveAllowedAction': '${allowed}'. It is less disruptive than minimalAction ${policy.minimalAction}.`)
  const isZero = (value: FixedOrPercent): boolean => (value.fixed ?? value.percent ?? 0) === 0
  if (isZero(maxSurge) && isZero(maxUnavailable))
    throw invalidArgument(
      `Invalid value for field '${at}.maxUnavailable': '${JSON.stringify(maxUnavailable)}'. At least one of maxSurge and maxUnavailable must be greater than 0.`,
    )
  if (policy.replacementMethod === 'RECREATE' && !isZero(maxSurge))
    throw invalidArgument(`Invalid value for field '${at}.maxSurge': '${JSON.stringify(maxSurge)}'. maxSurge must be equal to 0 when replacement method is set to RECREATE`)
  return policy
}

/** Identifies a version within a group: a template under another name is another version. */
export function versionKey(version: ManagedVersion): string {
  return `${version.instanceTemplate}\n${version.name ?? ''}`
}

export interface VersionWish {
  readonly key: string
  readonly version: ManagedVersion
  /** How many instances of the group should have it. */
  readonly want: number
}

/**
 * The versions as they are kept; templates are already links in Google's form.
 * @throws ApiError 400 when not exactly one version takes the rest, or two are the same.
 */
export function requireVersions(versions: readonly compute_v1.Schema$InstanceGroupManagerVersion[]): compute_v1.Schema$InstanceGroupManagerVersion[] {
  const at = 'resource.versions'
  const kept = versions.map((version, index) => ({
    ...(version.name ? { name: version.name } : {}),
    instanceTemplate: version.instanceTemplate ?? '',
    // gcloud sends back what it read, where the version of the rest has a calculated size alone.
    ...(hasSize(version.targetSize) ? { targetSize: requireFixedOrPercent(version.targetSize, `${at}[${index}].targetSize`) } : {}),
  }))
  if (kept.filter((version) => version.targetSize === undefined).length !== 1)
    throw invalidArgument(`Invalid value for field '${at}': '${kept.length} versions'. Exactly one version must leave targetSize unset.`)
  if (new Set(kept.map(toManagedVersionKey)).size !== kept.length)
    throw invalidArgument(`Invalid value for field '${at}': '${kept.length} versions'. Every version can appear at most once.`)
  const names = kept.flatMap((version) => (version.name === undefined ? [] : [version.name]))
  if (new Set(names).size !== names.length) throw invalidArgument(`Invalid value for field '${at}': 'name'. Names of versions must be unique within the group.`)
  return kept
}

function hasSize(value: FixedOrPercent | null | undefined): value is FixedOrPercent {
  return typeof value?.fixed === 'number' || typeof value?.percent === 'number'
}

function toManagedVersionKey(version: compute_v1.Schema$InstanceGroupManagerVersion): string {
  return versionKey(toManagedVersion(version))
}

function toManagedVersion(version: compute_v1.Schema$InstanceGroupManagerVersion): ManagedVersion {
  return { instanceTemplate: version.instanceTemplate ?? '', ...(version.name ? { name: version.name } : {}) }
}

/** The version that takes all instances which no other version asks for. */
export function restVersion(versions: readonly compute_v1.Schema$InstanceGroupManagerVersion[]): ManagedVersion {
  return toManagedVersion(versions.find((version) => !version.targetSize) ?? versions[0] ?? {})
}

/** How many instances each version wants; together the target size. */
export function versionWishes(versions: readonly compute_v1.Schema$InstanceGroupManagerVersion[], targetSize: number): readonly VersionWish[] {
  let left = targetSize
  const sized = new Map<string, number>()
  for (const version of versions) {
    if (!version.targetSize) continue
    const want = Math.min(left, calculated(version.targetSize, targetSize))
    left -= want
    sized.set(toManagedVersionKey(version), want)
  }
  return versions.map((version) => ({ key: toManagedVersionKey(version), version: toManagedVersion(version), want: sized.get(toManagedVersionKey(version)) ?? left }))
}
