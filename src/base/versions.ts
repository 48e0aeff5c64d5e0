/** Versions of programs: `1.11.4`. */

/** Negative when `left` is older. Pre-releases count as their release. */
export function compareVersions(left: string, right: string): number {
  const parts = (text: string): readonly number[] => (text.split('-')[0] ?? '').split('.').map(Number)
  const [a, b] = [parts(left), parts(right)]
  for (let index = 0; index < 3; index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
