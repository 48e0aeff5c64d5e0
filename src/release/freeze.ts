/** Freeze windows: times at which no release goes out. Pure. */
import { KilnError } from '../base/errors.ts'

/** Once, between two RFC 3339 times; or every week, on these days, from `from` to `to` (`HH:MM`; past midnight when `to` is not later) in a time zone. */
export type FreezeWindow =
  | { readonly from: string; readonly to: string; readonly why: string }
  | { readonly days: readonly Weekday[]; readonly from: string; readonly to: string; readonly timeZone?: string; readonly why: string }

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const
export type Weekday = (typeof weekdays)[number]

/** The first window that holds at this time (milliseconds since 1970). @throws KilnError E_CONFIG_INVALID for a window that cannot be understood */
export function frozenBy(windows: readonly FreezeWindow[], nowMs: number): FreezeWindow | undefined {
  return windows.find((window) => ('days' in window ? holdsWeekly(window, nowMs) : instant(window.from) <= nowMs && nowMs < instant(window.to)))
}

/** @throws KilnError E_FROZEN that says why and until when */
export function requireThawed(windows: readonly FreezeWindow[], nowMs: number): void {
  const window = frozenBy(windows, nowMs)
  if (window === undefined) return
  const until = 'days' in window ? `${window.to} (${window.timeZone ?? 'UTC'})` : window.to
  throw new KilnError('E_FROZEN', `releases are frozen until ${until}: ${window.why}`, {
    hint: 'wait, or change the freeze windows of the config; `kiln rollback` is allowed at any time',
  })
}

function holdsWeekly(window: Extract<FreezeWindow, { days: readonly Weekday[] }>, nowMs: number): boolean {
  const from = minutes(window.from)
  const to = minutes(window.to)
  const { day, minute } = localTime(nowMs, window.timeZone ?? 'UTC')
  if (from < to) return window.days.includes(weekdays[day] ?? 'Sun') && from <= minute && minute < to
  const yesterday = weekdays[(day + 6) % 7] ?? 'Sun'
  return (window.days.includes(weekdays[day] ?? 'Sun') && from <= minute) || (window.days.includes(yesterday) && minute < to)
}

function localTime(nowMs: number, timeZone: string): { readonly day: number; readonly minute: number } {
  let parts: Intl.DateTimeFormatPart[]
  try {
    parts = new Intl.DateTimeFormat('en-US', { timeZone, weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).formatToParts(nowMs)
  } catch (error) {
    throw new KilnError('E_CONFIG_INVALID', `a freeze window has the time zone ${JSON.stringify(timeZone)}, which is not known`, {
      hint: 'use a name such as Europe/Zurich',
      cause: error,
    })
  }
  const part = (type: string): string => parts.find((each) => each.type === type)?.value ?? ''
  return { day: weekdays.findIndex((name) => name === part('weekday')), minute: Number(part('hour')) * 60 + Number(part('minute')) }
}

function minutes(text: string): number {
  const [, hours, rest] = /^([01]\d|2[0-4]):([0-5]\d)$/.exec(text) ?? []
  if (hours === undefined) throw new KilnError('E_CONFIG_INVALID', `a freeze window has the time ${JSON.stringify(text)}; expected HH:MM`)
  return Number(hours) * 60 + Number(rest)
}

function instant(text: string): number {
  const at = Date.parse(text)
  if (Number.isNaN(at)) throw new KilnError('E_CONFIG_INVALID', `a freeze window has the time ${JSON.stringify(text)}; expected one such as 2026-12-24T18:00:00Z`)
  return at
}
