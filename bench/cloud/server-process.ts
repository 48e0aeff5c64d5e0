/** A server under measurement: a process of this run on a loopback port, which ends with it. */
import { spawn } from 'node:child_process'
import { open, readFile, readdir } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { once } from 'node:events'
import { waitFor } from '../../src/base/wait.ts'
import { readTextIfExists } from '../../src/host/files.ts'
import { accepts } from '../../src/host/ports.ts'
import { endProcess, identifyProcess } from '../../src/host/process.ts'
import { tailLines } from '../../src/host/exec.ts'
import type { Program } from './tools.ts'

export interface ServerProcess {
  readonly name: string
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** User and system time so far, of the process and its children. */
  cpuMs(): Promise<number>
  /** Resident memory, of the process and its children. */
  memoryBytes(): Promise<{ readonly now: number; readonly peak: number }>
  stop(): Promise<void>
}

export interface ServerStart {
  readonly name: string
  readonly program: Program
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd: string
  /** Where its output goes. */
  readonly log: string
  /** Where it will listen; or `ready` reads it from its first line. */
  readonly port: number | { readonly ready: (line: string) => number }
}

const START_TIMEOUT_MS = 60_000
/** Clock ticks of /proc/PID/stat: 100 on every Linux that Node runs on (proc(5), sysconf(3)). */
const TICKS_PER_SECOND = 100

/** Resolves when the server accepts connections. @throws Error with the end of its output when it ends before */
export async function startServer(start: ServerStart, signal: AbortSignal): Promise<ServerProcess> {
  const log = await open(start.log, 'a', 0o600)
  // However this program ends, the server gets the signal to end.
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', '--', start.program.program, ...start.args], {
    cwd: start.cwd,
    env: { ...process.env, ...start.program.env, ...start.env },
    stdio: ['ignore', typeof start.port === 'number' ? log.fd : 'pipe', log.fd],
    // Ctrl-C goes to the foreground group; the servers are ended in order, by `stop`.
    detached: true,
  })
  const ended = new Promise<never>((_resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, by) => {
      void readTextIfExists(start.log).then((text) => reject(new Error(`${start.name} ended (${by ?? `exit code ${code}`}):\n${tailLines(text ?? '', 20)}`)), reject)
    })
  })
  ended.catch(() => {})
  await log.close()
  const pid = child.pid ?? 0
  const identity = await identifyProcess(pid)
  const stop = async (): Promise<void> => {
    if (identity !== undefined) await endProcess(identity, 20_000)
  }
  try {
    const port = await Promise.race([ended, portOf(start, child.stdout)])
    const url = `http://127.0.0.1:${port}`
    const listening = waitFor({ what: `${start.name} on port ${port}`, timeoutMs: START_TIMEOUT_MS, intervalMs: 50, signal }, async () =>
      (await accepts(port)) ? { done: true, value: undefined } : { done: false, status: 'nobody listens' },
    )
    await Promise.race([ended, listening])
    return {
      name: start.name,
      url,
      stop,
      ...processFacts(pid),
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** What the processes of a server use so far. */
export function processFacts(pid: number): Pick<ServerProcess, 'cpuMs' | 'memoryBytes'> {
  return {
    async cpuMs() {
      const stats = await Promise.all((await family(pid)).map(async (each) => (await readFile(`/proc/${each}/stat`, 'utf8')).replace(/^.*\) /s, '').split(' ')))
      // utime and stime are fields 14 and 15, counted from 1; two fields are cut off here.
      return (stats.reduce((sum, fields) => sum + Number(fields[11]) + Number(fields[12]), 0) * 1000) / TICKS_PER_SECOND
    },
    async memoryBytes() {
      const texts = await Promise.all((await family(pid)).map((each) => readFile(`/proc/${each}/status`, 'utf8')))
      const sum = (field: string): number => texts.reduce((total, text) => total + Number(new RegExp(String.raw`^${field}:\s+(\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024, 0)
      return { now: sum('VmRSS'), peak: sum('VmHWM') }
    },
  }
}

async function portOf(start: ServerStart, stdout: NodeJS.ReadableStream | null): Promise<number> {
  if (typeof start.port === 'number' || stdout === null) return Number(start.port)
  const lines = createInterface({ input: stdout })
  const [line] = (await once(lines, 'line')) as [string]
  lines.close()
  stdout.resume()
  return start.port.ready(line)
}

/** A process and its children (nginx has workers). */
async function family(pid: number): Promise<readonly number[]> {
  const children = await Promise.all((await readdir(`/proc/${pid}/task`)).map((task) => readFile(`/proc/${pid}/task/${task}/children`, 'utf8')))
  return [
    pid,
    ...children
      .join(' ')
      .trim()
      .split(/\s+/)
      .filter((each) => each !== '')
      .map(Number),
  ]
}
