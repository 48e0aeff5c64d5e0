/**
 * Test helper: stop at every single call in turn, run again, expect the same end state. For the engine's own tests and for the contract suite of resource kinds.
 * A stop is as hard as a kill: from that call on, nothing that goes through the gate happens any more.
 */
import { isDeepStrictEqual } from 'node:util'

/** Thrown by every gated call from the stop on. */
export class Stopped extends Error {
  constructor(call: number, moment: 'before' | 'after') {
    super(`stopped ${moment} call ${call}`)
    this.name = 'Stopped'
  }
}

/** Counts the calls that go through it and stops at one of them: before its effect, or after the effect but before the answer. */
export class Gate {
  calls = 0
  stopped = false
  readonly stopAt: number
  readonly moment: 'before' | 'after'

  constructor(stopAt = Number.POSITIVE_INFINITY, moment: 'before' | 'after' = 'before') {
    this.stopAt = stopAt
    this.moment = moment
  }

  /** Calls `work`, which may answer at once or with a promise. */
  pass<T>(work: () => T): T {
    this.enter()
    const result = work()
    if (!(result instanceof Promise)) {
      this.leave()
      return result
    }
    return result.then((value: unknown) => {
      this.leave()
      return value
    }) as T
  }

  private enter(): void {
    if (this.stopped) throw new Stopped(this.stopAt, this.moment)
    this.calls += 1
    if (this.calls === this.stopAt && this.moment === 'before') this.stop()
  }

  private leave(): void {
    if (this.calls >= this.stopAt) this.stop()
  }

  private stop(): never {
    this.stopped = true
    throw new Stopped(this.stopAt, this.moment)
  }
}

/** A view of any object (clients, an inventory) whose methods go through the gate; objects in it are wrapped too. What a method does inside counts as one call. */
export function gated<T extends object>(target: T, gate: Gate): T {
  return new Proxy(target, {
    get(object, key) {
      const member: unknown = Reflect.get(object, key)
      if (typeof member === 'function') return (...args: unknown[]): unknown => gate.pass((): unknown => Reflect.apply(member, object, args))
      return typeof member === 'object' && member !== null ? gated(member, gate) : member
    },
  })
}

export interface EveryStop<World> {
  /** A new, empty world: the cloud and whatever must outlive a kill. */
  readonly fresh: () => World | Promise<World>
  /** One whole run. Every effect on the world goes through the gate. */
  readonly run: (world: World, gate: Gate) => Promise<void>
  /** What must be equal in the end. */
  readonly state: (world: World) => unknown
}

/**
 * Runs once without a stop; then, for each of its calls and both moments, a stopped run followed by a whole one, and compares the end states.
 * @returns the number of calls of the run that was not stopped. @throws Error that names the call after which the states differ.
 */
export async function convergesFromEveryStop<World>(scenario: EveryStop<World>): Promise<number> {
  const healthy = await scenario.fresh()
  const counter = new Gate()
  await scenario.run(healthy, counter)
  const expected = scenario.state(healthy)
  for (let call = 1; call <= counter.calls; call += 1) {
    for (const moment of ['before', 'after'] as const) {
      const world = await scenario.fresh()
      const gate = new Gate(call, moment)
      const error = await scenario.run(world, gate).then(
        () => undefined,
        (reason: unknown) => reason,
      )
      if (!gate.stopped || error === undefined) throw new Error(`the run did not notice that it was stopped ${moment} call ${call} of ${counter.calls}`)
      await scenario.run(world, new Gate())
      const state = scenario.state(world)
      if (!isDeepStrictEqual(state, expected)) {
        throw new Error(
          `another end state after a stop ${moment} call ${call} of ${counter.calls}:\n${JSON.stringify(state, null, 2)}\nexpected:\n${JSON.stringify(expected, null, 2)}`,
        )
      }
    }
  }
  return counter.calls
}
