/**
 * At most one process starts the machine of a folder at a time. The lock is a listening socket in Linux's abstract name space (unix(7)):
 * taking it is atomic, and the kernel gives it back when its holder ends in whatever way, so there are no stale locks.
 */
import { createServer } from 'node:net'
import { resolve } from 'node:path'
import { systemErrorCode } from '../../base/errors.ts'
import { sha256Hex } from '../../base/ids.ts'
import { waitFor } from '../../base/wait.ts'

/**
 * Runs `work` while holding the lock of `folder`. Waits for other starters.
 * @throws KilnError E_LOCKED when another process holds it for longer than `timeoutMs`.
 */
export async function withStartLock<T>(folder: string, timeoutMs: number, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  const name = `\0kiln-vm-start-${process.getuid?.() ?? 0}-${sha256Hex(resolve(folder)).slice(0, 24)}`
  const options = { what: `the start lock of ${folder}`, timeoutMs, intervalMs: 20, code: 'E_LOCKED' as const, hint: 'another Kiln process is starting this machine' }
  const release = await waitFor(signal === undefined ? options : { ...options, signal }, async () => {
    const taken = await tryListen(name)
    return taken === undefined ? { done: false, status: 'held by another process' } : { done: true, value: taken }
  })
  try {
    return await work()
  } finally {
    await release()
  }
}

async function tryListen(name: string): Promise<(() => Promise<void>) | undefined> {
  const server = createServer((socket) => socket.destroy())
  try {
    await new Promise<void>((done, reject) => server.once('error', reject).listen(name, done))
  } catch (error) {
    if (systemErrorCode(error) === 'EADDRINUSE') return undefined
    throw error
  }
  return () => new Promise((done) => server.close(() => done()))
}
