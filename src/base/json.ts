/** Canonical JSON: the same value always gives the same text, so that it can be hashed or compared. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined }

/** JSON text with object keys sorted at every level and without `undefined` members. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sortKeys(value))
}

/** True when two values have the same canonical JSON. */
export function sameJson(left: unknown, right: unknown): boolean {
  return canonicalJson(left) === canonicalJson(right)
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys)
  if (value === null || typeof value !== 'object') return value
  const sorted: Record<string, unknown> = {}
  for (const [key, member] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (member !== undefined) sorted[key] = sortKeys(member)
  }
  return sorted
}
