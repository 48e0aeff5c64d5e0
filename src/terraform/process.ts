/** One run of the program, to its end, whatever happens to this process: messages parsed. */
import { join } from 'node:path'
import { environmentWithout } from '../host/exec.ts'
import { runNoted } from '../host/noted-run.ts'
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

/** Runs a subcommand. Never throws for what the program does. @throws KilnError E_TOOL_MISSING */
export async function runTerraform(options: ProcessOptions, args: readonly string[], onMessage?: (message: UiMessage) => void): Promise<ProcessResult> {
  const verb = args[0] ?? 'run'
  const logFile = join(options.workDir, `${verb}.log`)
  const diagnostics: Diagnostic[] = []
  const text: string[] = []
  const result = await runNoted(
    options.workDir,
    { program: options.program.path, args, cwd: options.dir, env: cleanEnvironment(options.env), cleanEnv: true },
    {
      logFile,
      signal: options.signal,
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
  return { exitCode: result.exitCode, interrupted: result.interrupted, diagnostics, text, logFile }
}

/** Variables of the user's that would add arguments or change the output that is read here. Provider configuration, proxies and credentials pass. */
const misleading = /^TF_(CLI_ARGS.*|WORKSPACE|LOG.*|DATA_DIR|INPUT|IN_AUTOMATION|APPEND_USER_AGENT)$/

/** The environment of this process without what misleads, and with ours. */
export function cleanEnvironment(own: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return { ...environmentWithout(misleading), TF_IN_AUTOMATION: '1', TF_INPUT: '0', CHECKPOINT_DISABLE: '1', NO_COLOR: '1', ...own }
}
