/** Running programs. Argument lists only, never a shell string; failures carry the command line and the tail of the output. */
import { execa } from 'execa'
import { KilnError } from '../base/errors.ts'

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly cwd?: string
  /** Added to the environment of this process, unless `cleanEnv`. */
  readonly env?: Readonly<Record<string, string>>
  /** Start from an empty environment plus `env`. */
  readonly cleanEnv?: boolean
  readonly input?: string | Uint8Array
}

export interface RunOptions {
  readonly signal?: AbortSignal
  /** Called with each line of stdout and stderr as it comes. */
  readonly onLine?: (line: string) => void
  /** Exit codes that are not failures. Default: only 0. */
  readonly okCodes?: readonly number[]
  readonly timeoutMs?: number
  /** What ends the child when `signal` aborts. Default SIGTERM; SIGKILL for programs that ignore it (unshare --fork). */
  readonly killSignal?: 'SIGTERM' | 'SIGKILL'
  /** What this run was for: "building the wheel". Starts the error message. */
  readonly what?: string
}

export interface RunResult {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
}

/** The command as a line that can be pasted into a shell. */
export function commandLine(command: Command): string {
  return [command.program, ...command.args].map(quote).join(' ')
}

function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

/** The environment of this process without the variables whose name matches, for a program that they would mislead. */
export function environmentWithout(misleading: RegExp): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (value === undefined || misleading.test(name) ? [] : [[name, value] as const])))
}

/**
 * Runs a command to its end. The child gets SIGTERM, then SIGKILL after 5 s, when the signal aborts.
 * @throws KilnError E_TOOL_MISSING if the program is not there; E_TOOL_FAILED with the last 40 lines of output;
 *   E_CANCELLED when aborted.
 */
export async function run(command: Command, options: RunOptions = {}): Promise<RunResult> {
  const child = execa(command.program, [...command.args], {
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    env: command.env ?? {},
    extendEnv: command.cleanEnv !== true,
    ...(command.input === undefined ? { stdin: 'ignore' as const } : { input: command.input }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
    killSignal: options.killSignal ?? 'SIGTERM',
    forceKillAfterDelay: 5000,
    reject: false,
    all: true,
    stripFinalNewline: false,
    maxBuffer: 64 * 1024 * 1024,
  })
  const watch = options.onLine === undefined ? undefined : forwardLines(child, options.onLine)
  const result = await child
  await watch
  if (result.isCanceled) throw new KilnError('E_CANCELLED', `${options.what ?? command.program} was cancelled`)
  if (result.code === 'ENOENT') throw missingTool(command.program)
  const exitCode = result.exitCode ?? 128
  if (!(options.okCodes ?? [0]).includes(exitCode) || result.timedOut) {
    const how = result.timedOut ? `did not end within ${options.timeoutMs} ms` : result.signal ? `was ended by ${result.signal}` : `ended with exit code ${exitCode}`
    throw new KilnError('E_TOOL_FAILED', `${options.what ? `${options.what}: ` : ''}${command.program} ${how}`, {
      detail: `$ ${commandLine(command)}\n${tailLines(result.all ?? '', 40)}`,
    })
  }
  return { stdout: result.stdout, stderr: result.stderr, exitCode }
}

async function forwardLines(child: AsyncIterable<unknown> & { iterable(options: { from: 'all' }): AsyncIterable<unknown> }, onLine: (line: string) => void): Promise<void> {
  try {
    for await (const line of child.iterable({ from: 'all' })) onLine(String(line))
  } catch {
    // The result of the run tells about failures; here only the lines matter.
  }
}

/** The error for a program that is not installed. `kiln doctor` knows which package has it. */
export function missingTool(program: string): KilnError {
  return new KilnError('E_TOOL_MISSING', `the program ${program} is not installed`, { hint: 'run `kiln doctor` to see what is missing, or `kiln doctor --install` to install it' })
}

/** The last `count` lines of a text. */
export function tailLines(text: string, count: number): string {
  const lines = text.trimEnd().split('\n')
  return lines.slice(-count).join('\n')
}
