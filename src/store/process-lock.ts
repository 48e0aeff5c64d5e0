/**
 * A lock that one process holds and that the kernel frees when the process dies, however it dies. Made of SQLite's own
 * file lock (an exclusive transaction that is never committed), so it needs no native add-on and no stale-lock guessing.
 */
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

export interface ProcessLock {
  release(): void
}

/** Takes the lock file, or returns undefined at once when another live process holds it. */
export function tryProcessLock(path: string): ProcessLock | undefined {
  mkdirSync(dirname(path), { recursive: true })
  const connection = new DatabaseSync(path, { timeout: 0 })
  try {
    connection.exec('PRAGMA journal_mode=DELETE; PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    connection.close()
    if (error instanceof Error && /locked|busy/i.test(error.message)) return undefined
    throw error
  }
  return { release: () => connection.close() }
}
