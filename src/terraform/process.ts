/**
 * One run of the program, to its end: messages parsed, and a note on disk of which process it is. Should this process die, the program goes
 * on and finishes; the next run finds the note, and waits for it or clears up after it.
 */
import { readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { readTextIfExists, removeAll, writeFileDurable } from '../host/files.ts'
import { isRunning } from '../host/process.ts'
import type { ProcessIdentity } from '../host/process.ts'
import { runSurvivor } from '../host/survivor.ts'
import { parseMessage } from './messages.ts'
import type { Diagnostic, UiMessage } from './messages.ts'
import type { TerraformProgram } from './program.ts'

export interface ProcessOptions {
  readonly program: TerraformProgram
  /** Folder of the `.tf` files. */
  readonly dir: string
  /** Folder of ours for this module: logs, plan, note. */
  readonly workDir: string
  readonly env: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

export interface ProcessResult {
  readonly exitCode: number
  readonly interrupted: boolean
  readonly diagnostics: readonly Diagnostic[]
  /** Lines that are no messages: what a crash or a wrapper prints. */
  readonly text: readonly string[]
  readonly logFile: string
}

const RunNote = z.object({ process: z.object({ pid: z.number(), startTime: z.string() }), since: z.string() })

/** Runs a subcommand. Never throws for what the program does. @throws KilnError E_TOOL_MISSING */
export async function runTerraform(options: ProcessOptions, args: readonly string[], onMessage?: (message: UiMessage) => void): Promise<ProcessResult> {
  const verb = args[0] ?? 'run'
  const logFile = join(options.workDir, `${verb}.log`)
  const diagnostics: Diagnostic[] = []
  const text: string[] = []
  await keepNoteOfDead(options.workDir)
  const result = await runSurvivor(
    { program: options.program.path, args, cwd: options.dir, env: cleanEnvironment(options.env), cleanEnv: true },
    {
      logFile,
      signal: options.signal,
      onStart: (process) => takeNote(options.workDir, process),
      onLine(line) {
        const message = parseMessage(line)
        if (message === undefined) return
        if (message.type === 'text') text.push(message.text)
        else {
          if (message.type === 'diagnostic') diagnostics.push(message.diagnostic)
          onMessage?.(message)
        }
      },
    },
  )
  await removeAll(notePath(options.workDir))
  return { exitCode: result.exitCode, interrupted: result.interrupted, diagnostics, text, logFile }
}

/** The run of a command that died, if there is one: its process, and whether that still works. */
export async function earlierRun(workDir: string): Promise<{ readonly process: ProcessIdentity; readonly since: string; readonly alive: boolean } | undefined> {
  try {
    const note = RunNote.parse(JSON.parse(await readFile(notePath(workDir), 'utf8')))
    return { ...note, alive: await isRunning(note.process) }
  } catch {
    return undefined
  }
}

/** Since when the run worked that died before its end, if one did: the note that nobody took away. */
export async function deadRun(workDir: string): Promise<{ readonly since: string } | undefined> {
  const text = await readTextIfExists(deadPath(workDir))
  return text === undefined ? undefined : RunNote.parse(JSON.parse(text))
}

/** Forgets a run that died: its lock is gone. */
export async function forgetDeadRun(workDir: string): Promise<void> {
  await removeAll(deadPath(workDir))
}

/** Whoever took the note that lies here never came to take it away. */
async function keepNoteOfDead(workDir: string): Promise<void> {
  const earlier = await earlierRun(workDir)
  if (earlier?.alive === false) await rename(notePath(workDir), deadPath(workDir))
}

async function takeNote(workDir: string, process: ProcessIdentity): Promise<void> {
  await writeFileDurable(notePath(workDir), `${JSON.stringify({ process, since: new Date().toISOString() })}\n`, 0o600)
}

function notePath(workDir: string): string {
  return join(workDir, 'running.json')
}

function deadPath(workDir: string): string {
  return join(workDir, 'died.json')
}

/** Variables of the user's that would add arguments or change the output that is read here. Provider configuration, proxies and credentials pass. */
const misleading = /^TF_(CLI_ARGS.*|WORKSPACE|LOG.*|DATA_DIR|INPUT|IN_AUTOMATION|APPEND_USER_AGENT)$/

/** The environment of this process without what misleads, and with ours. */
export function cleanEnvironment(own: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const kept = Object.entries(process.env).flatMap(([name, value]) => (value === undefined || misleading.test(name) ? [] : [[name, value] as const]))
  return { ...Object.fromEntries(kept), TF_IN_AUTOMATION: '1', TF_INPUT: '0', CHECKPOINT_DISABLE: '1', NO_COLOR: '1', ...own }
}
