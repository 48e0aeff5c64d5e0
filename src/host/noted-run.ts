/**
 * Programs that outlive this process, with a note on disk of which process it is: should this one die, the program goes on and finishes;
 * the next run finds the note, and waits for it or clears up after it.
 */
import { readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { HOUR_MS } from '../base/units.ts'
import { waitFor } from '../base/wait.ts'
import type { Command } from './exec.ts'
import { readTextIfExists, removeAll, writeFileDurable } from './files.ts'
import { isRunning } from './process.ts'
import type { ProcessIdentity } from './process.ts'
import { runSurvivor } from './survivor.ts'
import type { SurvivorOptions, SurvivorResult } from './survivor.ts'

const RunNote = z.object({ process: z.object({ pid: z.number(), startTime: z.string() }), since: z.string() })

/** Runs a program to its own end, with the note in `folder`; one at a time there. @throws KilnError E_TOOL_MISSING */
export async function runNoted(folder: string, command: Command, options: Omit<SurvivorOptions, 'onStart'>): Promise<SurvivorResult> {
  await keepNoteOfDead(folder)
  const result = await runSurvivor(command, { ...options, onStart: (process) => takeNote(folder, process) })
  await removeAll(notePath(folder))
  return result
}

/** The run of a command that died, if there is one: its process, and whether that still works. */
export async function earlierRun(folder: string): Promise<{ readonly process: ProcessIdentity; readonly since: string; readonly alive: boolean } | undefined> {
  try {
    const note = RunNote.parse(JSON.parse(await readFile(notePath(folder), 'utf8')))
    return { ...note, alive: await isRunning(note.process) }
  } catch {
    return undefined
  }
}

/** Waits until the program of a command that died has finished; `name` is what people call it: `Terraform`. */
export async function waitForEarlierRun(
  folder: string,
  { name, signal, note }: { readonly name: string; readonly signal: AbortSignal; readonly note: (text: string) => void },
): Promise<void> {
  const earlier = await earlierRun(folder)
  if (earlier?.alive !== true) return
  note(`${name} of an earlier run still works (pid ${earlier.process.pid}, since ${earlier.since}); waiting for its end`)
  await waitFor({ what: `the end of process ${earlier.process.pid}`, timeoutMs: HOUR_MS, signal }, async () =>
    (await earlierRun(folder))?.alive === true ? { done: false, status: 'still running' } : { done: true, value: undefined },
  )
}

/** Since when the run worked that died before its end, if one did: the note that nobody took away. */
export async function deadRun(folder: string): Promise<{ readonly since: string } | undefined> {
  const text = await readTextIfExists(deadPath(folder))
  return text === undefined ? undefined : RunNote.parse(JSON.parse(text))
}

/** Forgets a run that died. */
export async function forgetDeadRun(folder: string): Promise<void> {
  await removeAll(deadPath(folder))
}

/** Whoever took the note that lies here never came to take it away. */
async function keepNoteOfDead(folder: string): Promise<void> {
  const earlier = await earlierRun(folder)
  if (earlier?.alive === false) await rename(notePath(folder), deadPath(folder))
}

async function takeNote(folder: string, process: ProcessIdentity): Promise<void> {
  await writeFileDurable(notePath(folder), `${JSON.stringify({ process, since: new Date().toISOString() })}\n`, 0o600)
}

function notePath(folder: string): string {
  return join(folder, 'running.json')
}

function deadPath(folder: string): string {
  return join(folder, 'died.json')
}
