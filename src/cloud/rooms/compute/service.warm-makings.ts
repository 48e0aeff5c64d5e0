/**
 * The making of memory snapshots: in the background, one at a time, by a machine that nobody uses and that gives way to all others. What is wanted is noted in a file until
 * it is there, so that the next daemon goes on with what this one could not end.
 */
import { mkdir, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { sha256Hex } from '../../../base/ids.ts'
import { canonicalJson } from '../../../base/json.ts'
import { GIB, MIB, MINUTE_MS, SECOND_MS } from '../../../base/units.ts'
import { requireFreeSpace } from '../../../host/files.ts'
import type { SeedMachine, VmSpec } from '../../../vm/driver.ts'
import type { Compute } from './service.ts'
import type { Files } from './service.files.ts'
import type { MakingCost, Wish } from './service.warm-files.ts'
import type { WarmUsers } from './service.warm-users.ts'

/** Why a snapshot is made: a machine began without it, or machines run an older image of its family. */
export type Reason = 'start' | 'family'

export interface Makings {
  nameOf(wish: Wish): Promise<string>
  /**
   * Has the snapshot made unless it is there, is being made, or could not be made before. Returns as soon as that is noted. One that is not urgent (default: that of a machine that
   * began without) waits for an idle processor.
   */
  want(wish: Wish, reason: Reason, isUrgent?: boolean): Promise<void>
  /** Goes on with what an earlier daemon could not end. */
  resume(): Promise<void>
  /** Waits for a snapshot that will be there sooner than a machine that boots, as long as `isWanted` holds; returns at once for any other. @throws the abort reason */
  join(name: string, isWanted: () => boolean, signal: AbortSignal): Promise<void>
  /** A machine that began with the snapshot did not get anywhere. */
  addFailure(name: string): Promise<void>
  /** A newer image of their family comes before these raw files: ends their makings that nobody waits for. Gives what is wanted all the same, since machines began with it. */
  supersede(fileIds: readonly string[]): Promise<readonly Wish[]>
  /** Ends all that are under way; what they were for stays wanted. */
  giveWay(): Promise<void>
  /** The same, and none begins any more. */
  stop(): Promise<void>
}

/** A boot under emulation on a busy host, which gives way to all others. */
const MAKE_TIMEOUT_MS = 30 * MINUTE_MS
/** An image whose snapshot could not be made so often is left alone. */
const MAX_FAILURES = 2
/** What making a snapshot takes as long as none tells it: a boot under emulation. */
const DEFAULT_COST: MakingCost = { madeInMs: 30 * SECOND_MS, processorMs: 20 * SECOND_MS }
/** Of the processor time that making a snapshot takes, the part after which waiting for it is quicker than booting, which takes as long and then has a server to start. */
const NEAR_PART = 1 / 3
/** One that takes so much longer than the last one is not worth waiting for any more. */
const PATIENCE = 3
const LOOK_MS = 50
/** Processors that are idle over this time, and how long that is awaited. */
const ENOUGH_IDLE = 0.75
const IDLE_LOOK_MS = 2 * SECOND_MS
const IDLE_PATIENCE_MS = 2 * MINUTE_MS

interface Making {
  readonly wish: Wish
  readonly stop: AbortController
  /** It will not be forgotten any more. */
  readonly noted: Promise<void>
  readonly ended: Promise<void>
  /** Why it ended before its time: whether it is still wanted then. */
  isForgotten: boolean
  hasEnded: boolean
  reason: Reason
  /** Machines are about to be replaced: it does not wait for an idle processor. */
  isUrgent: boolean
  waiters: number
  /** Until then it waits for those before it. */
  hasTurn: boolean
  machine: SeedMachine | undefined
}

export function createMakings(compute: Compute, files: Files, users: WarmUsers): Makings {
  const { deps, kernel } = compute
  const { warm } = files
  const makings = new Map<string, Making>()
  let stopped = false

  async function nameOf({ fileId, ...shape }: Wish): Promise<string> {
    return `${fileId}-${sha256Hex(canonicalJson({ fileId, ...shape, driver: await deps.driver.snapshots?.fingerprint() })).slice(0, 16)}`
  }

  async function make(name: string, making: Making): Promise<void> {
    const { wish, stop } = making
    const { signal } = stop
    const { snapshots } = deps.driver
    if (snapshots === undefined) return
    const parts = warm.unfinished(name)
    const start = performance.now()
    await mkdir(compute.folders.warm, { recursive: true, mode: 0o700 })
    await rm(parts.disk, { force: true })
    try {
      await files.makeOverlay(parts.disk, wish.fileId, wish.sizeGb)
      const onBegun = (machine: SeedMachine): void => void (making.machine = machine)
      const { processorMs } = await snapshots.make(parts.machine, seedSpec(name, wish, parts.disk), parts, { timeoutMs: MAKE_TIMEOUT_MS, signal, onBegun })
      signal.throwIfAborted()
      await warm.publish(name, { madeInMs: Math.round(performance.now() - start), processorMs })
    } finally {
      for (const path of [parts.disk, parts.memory, parts.state]) await rm(path, { force: true })
      await rm(parts.machine, { recursive: true, force: true })
    }
    await warm.prune(deps.warmLimitBytes, name, users.filesInUse())
  }

  /** @throws Error when disk or memory is short */
  async function requireRoom({ memoryMib }: Wish): Promise<void> {
    // The memory file has holes for what the guest does not touch, but nobody knows how much that will be.
    await requireFreeSpace(compute.folders.warm, memoryMib * MIB + GIB, 'a memory snapshot')
    if ((await deps.availableMemoryMib()) < memoryMib) throw new Error('the host has not enough memory for it now')
  }

  async function note(name: string, change: (failures: number) => { readonly failures: number; readonly wanted?: Wish }): Promise<void> {
    await compute.exclusive(`notes ${name}`, async () => warm.note(name, change((await warm.notes(name)).failures)))
  }

  /** One at a time. One that is ended before its turn does not wait for those before it, which others may want. */
  function inTurn(making: Making, work: () => Promise<void>): Promise<void> {
    const { signal } = making.stop
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        if (!making.hasTurn) reject(signal.reason as Error)
      }
      if (signal.aborted) giveUp()
      signal.addEventListener('abort', giveUp, { once: true })
      compute
        .exclusive('warm', async () => {
          signal.throwIfAborted()
          making.hasTurn = true
          await work()
        })
        .then(resolve, reject)
    })
  }

  /** What nobody is about to need begins when a processor has nothing to do: a machine that has just begun is still booting, and others with it. */
  async function whenIdle(making: Making): Promise<void> {
    const { signal } = making.stop
    const start = performance.now()
    let [at, idleMs] = [start, await deps.idleMs?.()]
    while (idleMs !== undefined && !making.isUrgent && !signal.aborted && at - start < IDLE_PATIENCE_MS) {
      await sleep(IDLE_LOOK_MS, undefined, { signal }).catch(() => {})
      const [now, later] = [performance.now(), (await deps.idleMs?.()) ?? 0]
      if (later - idleMs >= ENOUGH_IDLE * (now - at)) return
      ;[at, idleMs] = [now, later]
    }
  }

  async function work(name: string, making: Making): Promise<void> {
    const { wish, stop } = making
    const start = performance.now()
    try {
      await making.noted
      await whenIdle(making)
      await inTurn(making, async () => {
        try {
          await requireRoom(wish)
        } catch (error) {
          // Not the image's failure: it stays wanted.
          kernel.log.warn({ err: error, snapshot: name }, 'there is no room for a memory snapshot now')
          return
        }
        await make(name, making)
        await note(name, (failures) => ({ failures }))
        kernel.log.info({ snapshot: name, reason: making.reason, durationMs: Math.round(performance.now() - start) }, 'a memory snapshot was made')
      })
    } catch (error) {
      if (stop.signal.aborted) {
        if (making.isForgotten) await note(name, (failures) => ({ failures }))
        return
      }
      kernel.log.warn({ err: error, snapshot: name }, 'a memory snapshot could not be made')
      await note(name, (failures) => ({ failures: failures + 1 }))
    }
  }

  function begin(name: string, wish: Wish, reason: Reason, isUrgent: boolean): Making {
    const { promise: ended, resolve } = Promise.withResolvers<void>()
    const noted = note(name, (failures) => ({ failures, wanted: wish }))
    const making: Making = {
      wish,
      stop: new AbortController(),
      noted,
      ended,
      isForgotten: false,
      hasEnded: false,
      reason,
      isUrgent,
      waiters: 0,
      hasTurn: false,
      machine: undefined,
    }
    makings.set(name, making)
    work(name, making)
      .catch((error: unknown) => kernel.log.error({ err: error, snapshot: name }, 'what is known of a memory snapshot could not be written'))
      .finally(() => {
        making.hasEnded = true
        makings.delete(name)
        resolve()
      })
    return making
  }

  async function end(doomed: readonly Making[], isForgotten: (making: Making) => boolean): Promise<void> {
    for (const making of doomed) {
      making.isForgotten = isForgotten(making)
      making.stop.abort(new Error('this snapshot is not made now'))
    }
    await Promise.all(doomed.map((making) => making.ended))
  }

  function endAll(): Promise<void> {
    return end([...makings.values()], () => false)
  }

  files.onDrop((fileId) =>
    end(
      [...makings.values()].filter((making) => making.wish.fileId === fileId),
      () => true,
    ),
  )

  async function want(wish: Wish, reason: Reason, isUrgent = reason === 'family'): Promise<void> {
    const name = await nameOf(wish)
    if ((await warm.isWhole(name)) || (await warm.notes(name)).failures >= MAX_FAILURES) return
    // From here to its beginning nothing is waited for, so that two never make the same, nor one of an image that went.
    const running = makings.get(name)
    if (running !== undefined && reason === 'start') running.reason = 'start'
    if (running !== undefined && isUrgent) running.isUrgent = true
    if (running === undefined && !stopped && files.isSource(wish.fileId)) await begin(name, wish, reason, isUrgent).noted
  }

  return {
    nameOf,
    want,
    async resume() {
      for (const wish of await warm.wanted()) await want(wish, 'start')
    },
    async join(name, isWanted, signal) {
      const making = makings.get(name)
      if (making?.machine === undefined) return
      const cost = (await warm.lastCost()) ?? DEFAULT_COST
      if ((await making.machine.processorMs()) < cost.processorMs * NEAR_PART) return
      const start = performance.now()
      making.waiters += 1
      try {
        await making.machine.hurry()
        while (!making.hasEnded && performance.now() - start < PATIENCE * cost.madeInMs && isWanted()) {
          signal.throwIfAborted()
          await Promise.race([making.ended, sleep(LOOK_MS)])
        }
      } finally {
        making.waiters -= 1
      }
    },
    addFailure: (name) => note(name, (failures) => ({ failures: failures + 1 })),
    async supersede(fileIds) {
      const older = [...makings.values()].filter((making) => making.waiters === 0 && fileIds.includes(making.wish.fileId))
      await end(older, (making) => making.reason === 'family')
      return older.filter((making) => making.reason === 'start').map((making) => making.wish)
    },
    giveWay: endAll,
    async stop() {
      stopped = true
      await endAll()
    },
  }
}

/** A machine that is nobody, of which only what a snapshot depends on counts. */
function seedSpec(name: string, wish: Wish, diskPath: string): VmSpec {
  return {
    name: `snapshot-${name}`,
    cpus: wish.cpus,
    memoryMib: wish.memoryMib,
    disks: [{ path: diskPath, format: 'qcow2', deviceName: wish.deviceName, boot: true }],
    internalAddress: '',
    subnetCidr: '',
    macAddress: '',
    forwards: [],
    // Each machine of this room has a metadata server.
    metadataSocket: '',
    outbound: false,
  }
}
