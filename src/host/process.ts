/** Processes, known by pid and start time together, since pids are used again. */
import { readFile, writeFile } from 'node:fs/promises'
import { waitFor } from '../base/wait.ts'

export interface ProcessIdentity {
  readonly pid: number
  /** Field 22 of /proc/PID/stat: clock ticks since boot (proc(5)), with the machine's boot id before it. */
  readonly startTime: string
}

/** The identity of a live process, or undefined when there is none with this pid (zombies count as gone). */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
    return { pid, startTime: `${bootId}/${fields[19]}` }
  } catch {
    return undefined
  }
}

/** True when exactly this process still runs. */
export async function isRunning(identity: ProcessIdentity): Promise<boolean> {
  const now = await identifyProcess(identity.pid)
  return now !== undefined && now.startTime === identity.startTime
}

/** Ends exactly this process: `signal`, then SIGKILL after `graceMs`. Success when it is already gone. */
export async function endProcess(identity: ProcessIdentity, graceMs = 5000, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (!(await isRunning(identity))) return
  send(identity.pid, signal)
  try {
    await waitGone(identity, graceMs)
  } catch {
    send(identity.pid, 'SIGKILL')
    await waitGone(identity, 10_000)
  }
}

/** Processor time that exactly this process had with all its threads, while it runs; then 0. */
export async function processorMs(identity: ProcessIdentity): Promise<number> {
  if (!(await isRunning(identity))) return 0
  const stat = await readFile(`/proc/${identity.pid}/stat`, 'utf8').catch(() => '')
  // utime and stime, fields 14 and 15 of proc(5): for programs a clock tick is always a hundredth of a second.
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
  return (Number(user ?? 0) + Number(system ?? 0)) * 10
}

/**
 * Sets how much the session of a process gives way to other sessions, from 0 (not at all) to 19. Where Linux groups processes by session (sched(7), "The autogroup feature"), a process's
 * own niceness counts only among those of its session, and unlike that it may be taken back. Does nothing where there are no such groups, or no such process.
 */
export async function setSessionNiceness(pid: number, niceness: number): Promise<void> {
  await writeFile(`/proc/${pid}/autogroup`, String(niceness)).catch(() => {})
}

async function waitGone(identity: ProcessIdentity, timeoutMs: number): Promise<void> {
  await waitFor({ what: `the end of process ${identity.pid}`, timeoutMs, intervalMs: 25 }, async () =>
    (await isRunning(identity)) ? { done: false, status: 'still running' } : { done: true, value: undefined },
  )
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // gone between the check and the signal
  }
}
