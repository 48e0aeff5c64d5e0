/**
 * The deploy lock: one object that says who deploys, for what, and until when. It is renewed while its holder works, and taken over once it expired.
 * Every change that a deployer makes is preceded by `check`, which reads the object: a deployer that slept through its time changes nothing more.
 */
import { z } from 'zod'
import { KilnError } from '../base/errors.ts'
import { shortId } from '../base/ids.ts'
import { MINUTE_MS, SECOND_MS } from '../base/units.ts'
import type { Clock } from './clock.ts'
import type { ObjectStore } from './objects.ts'

export const lockObject = 'releases/lock/deploy.json'

const LockNote = z.object({ token: z.string(), owner: z.string(), purpose: z.string(), since: z.string(), expiresAt: z.string(), place: z.string().optional() })
export type LockNote = z.infer<typeof LockNote>

export interface LockOptions {
  /** Who: a person, an account, a pipeline. */
  readonly owner: string
  /** What for: "deploy moshi-srv 1.4.0". */
  readonly purpose: string
  /** How long it holds without renewal. Default: two minutes. */
  readonly ttlMs?: number
  /**
   * A place in which only one deployer works at a time, which its caller makes sure of by a lock of its own. A lock that was taken in the same place
   * is that of a dead run, and is taken over without waiting.
   */
  readonly place?: string
}

export interface DeployLock {
  readonly note: LockNote
  /** Renews when it is time. To be called at least once in half the time that the lock holds. @throws KilnError E_LOCKED when it was lost */
  keep(): Promise<void>
  /** Before every change. @throws KilnError E_LOCKED when somebody else holds it, or nobody does */
  check(): Promise<void>
  /** Frees it, if it is still ours. */
  release(): Promise<void>
}

const defaultTtlMs = 2 * MINUTE_MS
/** Clocks of two machines differ a little: a lock is taken over only when it expired this long ago. */
const skewMs = 5 * SECOND_MS

/** Takes the lock or fails at once. @throws KilnError E_LOCKED that names the holder and until when it holds */
export async function acquireLock(store: ObjectStore, clock: Clock, options: LockOptions): Promise<DeployLock> {
  const ttlMs = options.ttlMs ?? defaultTtlMs
  const token = shortId(16)
  const since = new Date(clock.now()).toISOString()
  const fresh = (): LockNote => ({
    token,
    owner: options.owner,
    purpose: options.purpose,
    since,
    expiresAt: new Date(clock.now() + ttlMs).toISOString(),
    ...(options.place === undefined ? {} : { place: options.place }),
  })

  for (let tries = 0; tries < 5; tries += 1) {
    const stored = await store.read(lockObject)
    const holder = stored === undefined ? undefined : parseNote(stored.text)
    const isOfDeadRun = options.place !== undefined && holder?.place === options.place
    if (holder !== undefined && holder.token !== token && !isOfDeadRun && clock.now() <= Date.parse(holder.expiresAt) + skewMs) throw lockedBy(holder)
    const note = fresh()
    const generation = await store.write(lockObject, textOf(note), stored?.generation ?? '0')
    if (generation !== undefined) return held(store, clock, note, generation, ttlMs, fresh)
  }
  const holder = parseNote((await store.read(lockObject))?.text ?? '')
  throw holder === undefined ? new KilnError('E_LOCKED', 'another deploy begins at this moment', { hint: 'run the same command again' }) : lockedBy(holder)
}

/** Who deploys now, if anybody does. */
export async function lockHolder(store: ObjectStore, clock: Clock): Promise<LockNote | undefined> {
  const note = parseNote((await store.read(lockObject))?.text ?? '')
  return note === undefined || clock.now() > Date.parse(note.expiresAt) + skewMs ? undefined : note
}

function held(store: ObjectStore, clock: Clock, first: LockNote, firstGeneration: string, ttlMs: number, fresh: () => LockNote): DeployLock {
  let note = first
  let generation = firstGeneration
  let isLost = false

  async function lost(): Promise<never> {
    isLost = true
    const holder = parseNote((await store.read(lockObject))?.text ?? '')
    const who = holder === undefined || holder.token === first.token ? 'it was taken away' : `${holder.owner} took it over at ${holder.since} (${holder.purpose})`
    throw new KilnError('E_LOCKED', `this deploy lost its lock: ${who}; nothing more was changed`, {
      hint: 'kiln releases shows where the release stands; run the same command again when the other has ended',
    })
  }

  async function renew(): Promise<void> {
    const next = fresh()
    const written = await store.write(lockObject, textOf(next), generation)
    if (written === undefined) {
      // Ours all the same when the answer to our own renewal was lost and the write was repeated.
      const stored = await store.read(lockObject)
      if (stored === undefined || parseNote(stored.text)?.token !== first.token) await lost()
      else generation = stored.generation
      return
    }
    note = next
    generation = written
  }

  async function keep(): Promise<void> {
    if (isLost) await lost()
    if (clock.now() >= Date.parse(note.expiresAt) - ttlMs / 2) await renew()
  }

  return {
    note: first,
    keep,
    async check() {
      await keep()
      const stored = await store.read(lockObject)
      if (stored?.generation !== generation) await lost()
    },
    async release() {
      if (!isLost) await store.remove(lockObject, generation)
    },
  }
}

function parseNote(text: string): LockNote | undefined {
  try {
    return LockNote.parse(JSON.parse(text))
  } catch {
    // A torn note holds nothing: the write that replaces it names its generation.
    return undefined
  }
}

function textOf(note: LockNote): string {
  return `${JSON.stringify(note, undefined, 2)}\n`
}

function lockedBy(holder: LockNote): KilnError {
  return new KilnError('E_LOCKED', `${holder.owner} deploys since ${holder.since} (${holder.purpose}); the lock holds until ${holder.expiresAt} unless it is renewed`, {
    hint: 'wait until it has ended; a deploy that died frees the lock by itself at that time',
  })
}
