/**
 * The moment in which the cloud begins to answer. The port is open before: programs that know it from last time, and VMs that went on, would be refused. But a request
 * that met a room before it has adopted what runs would be told wrong things, so that it waits for the start of all rooms.
 */
import { SECOND_MS } from '../../base/units.ts'
import { ApiError } from './api-error.ts'

/** Longer than adopting many machines takes. */
const LONGEST_WAIT_MS = 60 * SECOND_MS

export interface Opening {
  isOpen(): boolean
  /** All rooms have started: who waits goes on, and nobody waits any more. */
  open(): void
  /** The start failed, or the cloud ends: who waits is told. */
  close(): void
  /**
   * Resolves at once when it is open. The wait has an end, so that a room whose start waited for an answer of its own cloud would get this error and not wait forever.
   * @throws ApiError UNAVAILABLE, on which Google's clients try again
   */
  wait(): Promise<void>
}

export function createOpening(longestWaitMs: number = LONGEST_WAIT_MS): Opening {
  let state: 'starting' | 'open' | 'closed' = 'starting'
  const waiting = new Set<() => void>()
  function settle(to: 'open' | 'closed'): void {
    state = to
    for (const wake of waiting) wake()
    waiting.clear()
  }
  return {
    isOpen: () => state === 'open',
    open: () => settle('open'),
    close: () => settle('closed'),
    async wait() {
      if (state === 'starting') {
        await new Promise<void>((resolve) => {
          const wake = (): void => {
            clearTimeout(timer)
            waiting.delete(wake)
            resolve()
          }
          const timer = setTimeout(wake, longestWaitMs)
          waiting.add(wake)
        })
      }
      if (state !== 'open') throw new ApiError('UNAVAILABLE', state === 'closed' ? 'The pocket cloud is ending.' : 'The pocket cloud is still starting. Try again.')
    },
  }
}
