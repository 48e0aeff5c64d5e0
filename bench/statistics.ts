/** Numbers of several runs. */

/** The middle value, or the mean of the two in the middle. @throws RangeError for no values */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)]
  const lower = sorted[Math.ceil(sorted.length / 2) - 1]
  if (upper === undefined || lower === undefined) throw new RangeError('no values')
  return (lower + upper) / 2
}

/** `12.345` -> `12.3`, `123.4` -> `123`. */
export function formatRatio(ratio: number): string {
  return `${ratio >= 100 ? ratio.toFixed(0) : ratio.toFixed(1)} x`
}

/** Milliseconds as seconds: `450` -> `0.45 s`, `75100` -> `75.1 s`. */
export function formatSeconds(durationMs: number): string {
  const seconds = durationMs / 1000
  return `${seconds < 1 ? seconds.toFixed(2) : seconds.toFixed(1)} s`
}
