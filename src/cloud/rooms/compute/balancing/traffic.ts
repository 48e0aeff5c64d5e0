/**
 * How many requests each backend service answered, by the class of the answer: HAProxy's counters, read again and again, as counts between two readings.
 * Kept in memory for an hour. What a worker counts after the last reading before a reload is lost.
 */

export interface RequestCountPoint {
  readonly startMs: number
  readonly endMs: number
  readonly count: number
}

export interface RequestCountSeries {
  /** 100 … 500; 0: none of these. */
  readonly codeClass: number
  /** In the order of time. */
  readonly points: readonly RequestCountPoint[]
}

export interface Traffic {
  /** An answer to `show stat`. */
  note(stat: string, nowMs: number): void
  /** The next reading is of a worker that began to count now. */
  restarted(nowMs: number): void
  /** Of one backend section. */
  of(backend: string): readonly RequestCountSeries[]
}

const KEPT_MS = 3_600_000
/** Columns of HAProxy's statistics (management manual, 9.1 "CSV format") and the class that each counts. */
const columns: ReadonlyMap<string, number> = new Map([
  ['hrsp_1xx', 100],
  ['hrsp_2xx', 200],
  ['hrsp_3xx', 300],
  ['hrsp_4xx', 400],
  ['hrsp_5xx', 500],
  ['hrsp_other', 0],
])

export function createTraffic(): Traffic {
  const totals = new Map<string, number>()
  const series = new Map<string, Map<number, RequestCountPoint[]>>()
  /** Undefined: nothing was read yet, and what the counters have is of an unknown time. */
  let lastMs: number | undefined

  function add(backend: string, codeClass: number, point: RequestCountPoint): void {
    const classes = series.get(backend) ?? new Map<number, RequestCountPoint[]>()
    const points = classes.get(codeClass) ?? []
    while (points[0] !== undefined && points[0].endMs < point.endMs - KEPT_MS) points.shift()
    points.push(point)
    classes.set(codeClass, points)
    series.set(backend, classes)
  }

  return {
    note(stat, nowMs) {
      for (const { backend, codeClass, total } of parseStat(stat)) {
        const key = `${backend} ${codeClass}`
        const before = totals.get(key) ?? 0
        totals.set(key, total)
        if (lastMs === undefined) continue
        // Fewer than before: somebody else reloaded it.
        const count = total >= before ? total - before : total
        if (count > 0) add(backend, codeClass, { startMs: lastMs, endMs: nowMs, count })
      }
      lastMs = nowMs
    },
    restarted(nowMs) {
      totals.clear()
      lastMs = nowMs
    },
    of: (backend) => [...(series.get(backend) ?? [])].map(([codeClass, points]) => ({ codeClass, points })).toSorted((left, right) => left.codeClass - right.codeClass),
  }
}

/** The rows of backends. */
function parseStat(text: string): readonly { readonly backend: string; readonly codeClass: number; readonly total: number }[] {
  const [head = '', ...lines] = text.split('\n')
  const names = head.replace(/^# /, '').split(',')
  const rows = lines.map((line) => line.split(','))
  const backendRows = rows.filter((row) => row[names.indexOf('svname')] === 'BACKEND')
  return backendRows.flatMap((row) =>
    [...columns].map(([column, codeClass]) => ({ backend: row[names.indexOf('pxname')] ?? '', codeClass, total: Number(row[names.indexOf(column)] || 0) })),
  )
}
