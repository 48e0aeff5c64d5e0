/** Sizes and durations, always with the unit in the name. */
export const KIB = 1024
export const MIB = 1024 * KIB
export const GIB = 1024 * MIB
export const SECOND_MS = 1000
export const MINUTE_MS = 60 * SECOND_MS
export const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS

/** `1536` -> `1.5 KiB`. Whole bytes below one KiB, one decimal above. */
export function formatBytes(sizeBytes: number): string {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = sizeBytes
  let index = 0
  while (value >= 1024 && index < names.length - 1) {
    value /= 1024
    index += 1
  }
  return index === 0 ? `${value} B` : `${value.toFixed(1)} ${names[index]}`
}

/** `1500` -> `1.5 s`, `65000` -> `1 min 5 s`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < SECOND_MS) return `${Math.round(durationMs)} ms`
  if (durationMs < MINUTE_MS) return `${(durationMs / SECOND_MS).toFixed(1)} s`
  const seconds = Math.round(durationMs / SECOND_MS)
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}
