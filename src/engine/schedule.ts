/** Runs tasks in dependency order, a bounded number at a time. */
import type { Address } from './types.ts'

export interface Task {
  readonly address: Address
  /** Tasks that must be done first. Addresses that are not among the tasks do not count. */
  readonly after: readonly Address[]
}

export type Outcome =
  | { readonly status: 'done' }
  | { readonly status: 'failed'; readonly error: unknown }
  /** A task that this one waits for failed: `because` is the one that failed itself. */
  | { readonly status: 'skipped'; readonly because: Address }
  /** Not begun when the signal fired. */
  | { readonly status: 'notStarted' }

export interface ScheduleOptions {
  /** At least 1. */
  readonly concurrency: number
  /** When it fires nothing more is begun; what runs is waited for. */
  readonly signal: AbortSignal
  readonly onSkip?: (address: Address, because: Address) => void
}

/** Resolves when nothing runs any more, with an outcome for every task. Never rejects because of a task. The tasks must not form a circle. */
export async function runTasks<T extends Task>(tasks: readonly T[], options: ScheduleOptions, work: (task: T) => Promise<void>): Promise<ReadonlyMap<Address, Outcome>> {
  const known = new Set(tasks.map((task) => task.address))
  const outcomes = new Map<Address, Outcome>()
  const waiting = new Set(tasks)
  const running = new Map<Address, Promise<void>>()

  function settleBlocked(): void {
    for (let changed = true; changed;) {
      changed = false
      for (const task of waiting) {
        const because = blocker(task, outcomes)
        if (because === undefined) continue
        waiting.delete(task)
        outcomes.set(task.address, { status: 'skipped', because })
        options.onSkip?.(task.address, because)
        changed = true
      }
    }
  }

  async function start(task: T): Promise<void> {
    try {
      await work(task)
      outcomes.set(task.address, { status: 'done' })
    } catch (error) {
      outcomes.set(task.address, { status: 'failed', error })
    } finally {
      running.delete(task.address)
    }
  }

  for (;;) {
    settleBlocked()
    for (const task of waiting) {
      if (running.size >= options.concurrency || options.signal.aborted) break
      if (!task.after.every((address) => !known.has(address) || outcomes.get(address)?.status === 'done')) continue
      waiting.delete(task)
      running.set(task.address, start(task))
    }
    if (running.size === 0) break
    await Promise.race(running.values())
  }
  for (const task of waiting) outcomes.set(task.address, { status: 'notStarted' })
  return outcomes
}

function blocker(task: Task, outcomes: ReadonlyMap<Address, Outcome>): Address | undefined {
  for (const address of task.after) {
    const outcome = outcomes.get(address)
    if (outcome?.status === 'failed') return address
    if (outcome?.status === 'skipped') return outcome.because
  }
  return undefined
}
