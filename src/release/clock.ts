/** Time, as releases see it: injected, so that tests of an hour of watching take no time. */
import { sleep } from '../base/wait.ts'

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** @throws the abort reason when aborted */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = { now: () => Date.now(), sleep }

/** RFC 3339, in UTC. */
export function timestamp(clock: Clock): string {
  return new Date(clock.now()).toISOString()
}
