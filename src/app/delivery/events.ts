/** The engine's events as lines of a pipeline's log. */
import { describeError } from '../../base/errors.ts'
import { formatDuration } from '../../base/units.ts'
import type { EngineEvent } from '../../engine/types.ts'

/** Notes what starts, tells something, ends or fails; what is as it should be is not told. */
export function noteEvents(note: (text: string) => void): (event: EngineEvent) => void {
  return (event) => {
    if (event.type === 'start' && event.action !== 'noop') note(`${event.action} ${event.address}`)
    else if (event.type === 'note') note(`${event.address}: ${event.text}`)
    else if (event.type === 'done' && event.action !== 'noop') note(`${event.action} ${event.address}: done (${formatDuration(event.durationMs)})`)
    else if (event.type === 'failed') note(`${event.action} ${event.address}: ${describeError(event.error)}`)
    else if (event.type === 'skipped') note(`${event.address} skipped: ${event.because} failed`)
  }
}
