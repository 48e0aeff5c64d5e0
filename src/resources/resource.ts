/** What all resource kinds share: props from schemas, identities, labels, and comparing what is with what should be. */
import { z } from 'zod'
import { KilnError } from '../base/errors.ts'
import { sameJson } from '../base/json.ts'
import type { Difference } from '../engine/types.ts'

/** The facts of a kind that need no cloud. */
export interface Resource<Props> {
  /** The kind's name, the first part of its addresses. */
  readonly kind: string
  readonly identity: (props: Props) => Readonly<Record<string, string>>
  /** Difference paths that cannot be changed in place (a prefix: `image` covers `image.id`). */
  readonly replacing: readonly string[]
}

/** Labels that every resource of a stack carries where its service knows labels. */
export const managedByLabel = 'managed-by'
export const stackLabel = 'kiln-stack'

export const Labels = z.record(z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/), z.string().regex(/^[a-z0-9_-]{0,63}$/)).default({})
export type Labels = z.infer<typeof Labels>

/** True when labels or object metadata say that Kiln made the thing. */
export function isOurs(labels: Readonly<Record<string, string>> | null | undefined): boolean {
  return labels?.[managedByLabel] === 'kiln'
}

/** Checks props. @throws KilnError E_PLAN that names the resource kind and the key path. */
export function parseProps<T>(kind: string, schema: z.ZodType<T>, props: unknown): T {
  const result = schema.safeParse(props)
  if (result.success) return result.data
  const problems = result.error.issues.map((issue) => `${issue.path.join('.') || 'props'}: ${issue.message}`)
  throw new KilnError('E_PLAN', `the props of a ${kind} are not valid: ${problems.join('; ')}`)
}

/** A member of an identity. @throws KilnError E_DATA_BROKEN when the inventory lost it. */
export function part(identity: Readonly<Record<string, string>>, name: string): string {
  const value = identity[name]
  if (value === undefined) throw new KilnError('E_DATA_BROKEN', `the inventory has a resource without its ${name}`)
  return value
}

/** The differences among pairs of [observed, desired] by path; members that are equal as JSON give none. */
export function compare(resource: { readonly replacing: readonly string[] }, pairs: Readonly<Record<string, readonly [observed: unknown, desired: unknown]>>): Difference[] {
  const differences: Difference[] = []
  for (const [path, [from, to]] of Object.entries(pairs)) {
    if (sameJson(from ?? null, to ?? null)) continue
    differences.push({ path, from, to, ...(resource.replacing.includes(path) ? { forcesReplacement: true } : {}) })
  }
  return differences
}

/** One difference for each key of a map that is missing, extra or other. `ignored` names keys that others put there. */
export function compareMaps(
  path: string,
  observed: Readonly<Record<string, string>>,
  desired: Readonly<Record<string, string>>,
  ignored: (key: string) => boolean = isForeignLabel,
): Difference[] {
  const keys = new Set([...Object.keys(observed), ...Object.keys(desired)])
  const differences: Difference[] = []
  for (const key of [...keys].sort()) {
    if (observed[key] === desired[key] || (desired[key] === undefined && ignored(key))) continue
    differences.push({ path: `${path}.${key}`, from: observed[key], to: desired[key] })
  }
  return differences
}

/** The desired map, with the keys that others own kept as they are. */
export function mergeMaps(
  observed: Readonly<Record<string, string>>,
  desired: Readonly<Record<string, string>>,
  ignored: (key: string) => boolean = isForeignLabel,
): Record<string, string> {
  const kept = Object.entries(observed).filter(([key]) => desired[key] === undefined && ignored(key))
  return { ...Object.fromEntries(kept), ...desired }
}

/** Google puts labels with this prefix on things itself. */
export function isForeignLabel(key: string): boolean {
  return key.startsWith('goog-')
}

/** True when a difference lies at or under a path. */
export function touches(differences: readonly Difference[], path: string): boolean {
  return differences.some((difference) => difference.path === path || difference.path.startsWith(`${path}.`))
}

/** `https://www.googleapis.com/compute/v1/projects/p/global/images/i` -> `projects/p/global/images/i`: hosts and versions of links differ. */
export function resourcePath(link: string): string {
  const at = link.indexOf('projects/')
  return at < 0 ? link : link.slice(at)
}
