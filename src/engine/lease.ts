/**
 * One command at a time changes a stack. The kernel holds the lock and frees it when its process dies, however it dies;
 * a note beside it says who that is.
 */
import { readFile } from 'node:fs/promises'
import { hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import { KilnError } from '../base/errors.ts'
import { removeAll, writeFileDurable } from '../host/files.ts'
import type { KilnHome } from '../host/home.ts'
import { identifyProcess, isRunning } from '../host/process.ts'
import type { ProcessIdentity } from '../host/process.ts'
import { tryProcessLock } from '../store/process-lock.ts'
import { checkStackName } from './inventory.ts'

export interface LeaseHolder {
  readonly user: string
  readonly host: string
  readonly process: ProcessIdentity
  /** The command: "up", "destroy". */
  readonly verb: string
  /** RFC 3339. */
  readonly since: string
}

export interface Lease {
  readonly holder: LeaseHolder
  /** Gives the stack free. May be called again. */
  release(): Promise<void>
}

/**
 * Takes the lease of a stack, or fails at once. A holder that died is followed without waiting.
 * @throws KilnError E_LOCKED that says who holds it since when.
 */
export async function acquireLease(home: Pick<KilnHome, 'engine'>, stack: string, verb: string): Promise<Lease> {
  const base = join(home.engine, checkStackName(stack))
  const notePath = `${base}.lease.json`
  const lock = tryProcessLock(`${base}.lease`)
  if (lock === undefined) throw lockedBy(stack, await readHolder(notePath))
  try {
    const holder = await describeSelf(verb)
    await writeFileDurable(notePath, `${JSON.stringify(holder)}\n`)
    let held = true
    return {
      holder,
      async release() {
        if (!held) return
        held = false
        await removeAll(notePath)
        lock.release()
      },
    }
  } catch (error) {
    lock.release()
    throw error
  }
}

/** Who holds the lease of a stack right now, if anybody does. */
export async function leaseHolder(home: Pick<KilnHome, 'engine'>, stack: string): Promise<LeaseHolder | undefined> {
  return readHolder(join(home.engine, `${checkStackName(stack)}.lease.json`))
}

async function describeSelf(verb: string): Promise<LeaseHolder> {
  const process_ = await identifyProcess(process.pid)
  return { user: userName(), host: hostname(), process: process_ ?? { pid: process.pid, startTime: '' }, verb, since: new Date().toISOString() }
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // an account without a name, as in some containers
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}

/** The note's content, if its writer still lives. A note of the one before may lie there while the next holder has not written yet. */
async function readHolder(path: string): Promise<LeaseHolder | undefined> {
  try {
    const holder = JSON.parse(await readFile(path, 'utf8')) as LeaseHolder
    return (await isRunning(holder.process)) ? holder : undefined
  } catch {
    return undefined
  }
}

function lockedBy(stack: string, holder: LeaseHolder | undefined): KilnError {
  const who =
    holder === undefined
      ? 'another Kiln process that has only just begun'
      : `\`kiln ${holder.verb}\` of ${holder.user} on ${holder.host} (pid ${holder.process.pid}) since ${holder.since}`
  return new KilnError('E_LOCKED', `the stack ${stack} is in use by ${who}`, { hint: 'wait until it has ended; if it hangs, end that process, and this command works at once' })
}
