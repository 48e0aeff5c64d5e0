/**
 * What a Terraform that was killed may have left: the lock of its state. Only locks of this machine's and this data folder's own dead runs are
 * taken away.
 */
import { hostname, userInfo } from 'node:os'
import { deadRun, forgetDeadRun } from '../host/noted-run.ts'
import { MINUTE_MS, SECOND_MS } from '../base/units.ts'
import { lockOf } from './errors.ts'
import type { Diagnostic } from './messages.ts'

interface Helpers {
  readonly signal: AbortSignal
  readonly note: (text: string) => void
}

/** True when the state was locked by a dead run of ours and is free now. */
export async function clearedLock(
  diagnostics: readonly Diagnostic[],
  options: Helpers & { readonly folder: string; readonly module: string; readonly run: (args: readonly string[]) => Promise<{ readonly exitCode: number }> },
): Promise<boolean> {
  const lock = diagnostics.map((diagnostic) => lockOf(`${diagnostic.summary}\n${diagnostic.detail}`)).find((found) => found !== undefined)
  if (lock === undefined || lock.id === '' || lock.who !== `${userName()}@${hostname()}`) return false
  const dead = await deadRun(options.folder)
  if (dead === undefined || !isOf(dead.since, lock.created)) return false
  options.note(`${options.module}: an earlier run of this machine died and left the state locked; taking the lock away`)
  const unlocked = await options.run(['force-unlock', '-force', lock.id])
  if (unlocked.exitCode !== 0) return false
  await forgetDeadRun(options.folder)
  return true
}

/** A run locks the state soon after its start: a lock of another time is somebody else's. */
function isOf(startedAt: string, lockedAt: string): boolean {
  const afterMs = lockTime(lockedAt) - Date.parse(startedAt)
  return afterMs > -CLOCK_SLACK_MS && afterMs < LONGEST_START_MS
}

const CLOCK_SLACK_MS = 5 * SECOND_MS
const LONGEST_START_MS = 5 * MINUTE_MS

/** `2026-11-27 07:31:49.583464952 +0000 UTC`, as Go prints times. */
function lockTime(text: string): number {
  const parts = /^(\S+) (\d\d:\d\d:\d\d)/.exec(text)
  return parts === null ? Number.NaN : Date.parse(`${parts[1]}T${parts[2]}Z`)
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return ''
  }
}
