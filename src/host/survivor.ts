/**
 * Programs that must end in their own time, whatever happens to this process: Terraform writes its state when it ends.
 * They run in a session of their own, so that a terminal's Ctrl-C reaches them once, through us, and write to a file, so that they do not
 * die of a broken pipe when we are gone.
 */
import { spawn } from 'node:child_process'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { StringDecoder } from 'node:string_decoder'
import { systemErrorCode } from '../base/errors.ts'
import { sleep } from '../base/wait.ts'
import { missingTool } from './exec.ts'
import type { Command } from './exec.ts'
import { identifyProcess } from './process.ts'
import type { ProcessIdentity } from './process.ts'

export interface SurvivorOptions {
  /** Gets stdout and stderr; made anew, readable by the owner only. */
  readonly logFile: string
  /** Called with each line as it comes. */
  readonly onLine?: (line: string) => void
  /** Called once it runs, before its first line. */
  readonly onStart?: (identity: ProcessIdentity) => Promise<void>
  /** When it fires the program gets SIGINT, once, and is waited for. */
  readonly signal?: AbortSignal
}

export interface SurvivorResult {
  readonly exitCode: number
  readonly endedBy: NodeJS.Signals | undefined
  /** The signal fired while it ran. */
  readonly interrupted: boolean
}

/** How often the log is looked at. */
const POLL_MS = 50

/** Runs a program to its own end. @throws KilnError E_TOOL_MISSING */
export async function runSurvivor(command: Command, options: SurvivorOptions): Promise<SurvivorResult> {
  const log = await open(options.logFile, 'w+', 0o600)
  try {
    const child = spawn(command.program, [...command.args], {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: command.cleanEnv === true ? { ...command.env } : { ...process.env, ...command.env },
      ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    })
    const ended = new Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>((resolve, reject) => {
      child.once('exit', (code, signal) => resolve({ code, signal }))
      child.once('error', (error) => reject(systemErrorCode(error) === 'ENOENT' ? missingTool(command.program) : error))
    })
    const state = { over: false }
    const settled = ended.then(
      () => (state.over = true),
      () => (state.over = true),
    )
    const identity = child.pid === undefined ? undefined : await identifyProcess(child.pid)
    if (identity !== undefined) await options.onStart?.(identity)
    let interrupted = false
    const interrupt = (): void => {
      interrupted = true
      if (!state.over) child.kill('SIGINT')
    }
    if (options.signal?.aborted === true) interrupt()
    else options.signal?.addEventListener('abort', interrupt, { once: true })
    try {
      const lines = createLineReader(log, options.onLine)
      while (!state.over) {
        await lines.readOn()
        await Promise.race([settled, sleep(POLL_MS)])
      }
      await lines.readOn()
      lines.end()
      const { code, signal } = await ended
      return { exitCode: code ?? 128, endedBy: signal ?? undefined, interrupted }
    } finally {
      options.signal?.removeEventListener('abort', interrupt)
    }
  } finally {
    await log.close()
  }
}

/** Reads what was added to a file, by whole lines. */
function createLineReader(file: FileHandle, onLine: ((line: string) => void) | undefined): { readonly readOn: () => Promise<void>; readonly end: () => void } {
  const decoder = new StringDecoder('utf8')
  const buffer = Buffer.alloc(64 * 1024)
  let position = 0
  let rest = ''
  return {
    async readOn() {
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, position)
        if (bytesRead === 0) return
        position += bytesRead
        const parts = (rest + decoder.write(buffer.subarray(0, bytesRead))).split('\n')
        rest = parts.pop() ?? ''
        for (const line of parts) onLine?.(line)
      }
    },
    end() {
      if (rest !== '') onLine?.(rest)
      rest = ''
    },
  }
}
