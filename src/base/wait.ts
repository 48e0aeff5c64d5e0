/** Waiting on conditions with deadlines. Nothing in Kiln sleeps and hopes. */
import { setTimeout as delay } from 'node:timers/promises'
import { KilnError } from './errors.ts'
import type { ErrorCode } from './error-codes.ts'
import { formatDuration } from './units.ts'

export interface WaitOptions {
  /** What is awaited, for the message: "the VM answers /healthz". */
  readonly what: string
  readonly timeoutMs: number
  readonly intervalMs?: number
  readonly signal?: AbortSignal
  /** The code to throw at the deadline. */
  readonly code?: ErrorCode
  readonly hint?: string
}

/** A probe says done with a value, or not yet with a status that is shown if the deadline passes. */
export type Probe<T> = { readonly done: true; readonly value: T } | { readonly done: false; readonly status: string }

/**
 * Calls `probe` until it is done. Errors of the probe end the wait.
 * @throws KilnError (`code`, default E_TIMEOUT) at the deadline, with the last status; the abort reason when aborted.
 */
export async function waitFor<T>(options: WaitOptions, probe: () => Promise<Probe<T>>): Promise<T> {
  const deadline = performance.now() + options.timeoutMs
  let status = 'no answer yet'
  for (;;) {
    options.signal?.throwIfAborted()
    const result = await probe()
    if (result.done) return result.value
    status = result.status
    if (performance.now() >= deadline) {
      throw new KilnError(
        options.code ?? 'E_TIMEOUT',
        `${options.what} did not come true within ${formatDuration(options.timeoutMs)}; last seen: ${status}`,
        options.hint === undefined ? {} : { hint: options.hint },
      )
    }
    await sleep(options.intervalMs ?? 250, options.signal)
  }
}

/** Resolves after `durationMs`; rejects with the abort reason as soon as the signal fires. */
export async function sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(durationMs, undefined, signal === undefined ? {} : { signal })
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}
