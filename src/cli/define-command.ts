/**
 * How a verb is declared: arguments, options, an action that returns its result as data, and how a person sees that result.
 * Everything that all verbs share lives here: --json, --yes, errors, exit codes, Ctrl-C.
 */
import { InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'
import { KilnError, describeError, isKilnError } from '../base/errors.ts'
import { kilnHome } from '../app/home.ts'
import type { KilnHome } from '../app/home.ts'
import { renderError } from './render/error.ts'

export interface OptionSpec {
  /** Commander's flags: `--port <n>`, `--no-cache`. */
  readonly flags: string
  readonly help: string
  readonly parse?: (text: string) => unknown
  /** The only values that are taken. */
  readonly choices?: readonly string[]
}

export interface Invocation {
  /** Positional arguments in order; missing optional ones are undefined. */
  readonly args: readonly (string | undefined)[]
  /** What stands after `--`: another program's words, not ours. */
  readonly rest: readonly string[]
  readonly options: Readonly<Record<string, unknown>>
  readonly json: boolean
  readonly yes: boolean
  readonly home: KilnHome
  /** Fires at Ctrl-C or SIGTERM: clean up, then end. */
  readonly signal: AbortSignal
  /** Progress for people, on stderr. */
  note(text: string): void
  /** The stack folder: argument, --stack, or the current one. */
  stackDir(argument?: string): string
}

export interface CommandSpec {
  readonly name: string
  readonly summary: string
  /** Commander's argument forms: `[dir]`, `<vm>`, `[command...]`. */
  readonly arguments?: readonly { readonly form: string; readonly help: string }[]
  readonly options?: readonly OptionSpec[]
  /** Works on a stack: gets --stack. */
  readonly stack?: boolean
  /** Can change things after asking: gets --yes. */
  readonly asks?: boolean
  /** Runs a program of the user's in the foreground: signals are that program's, and end nothing here. */
  readonly foreground?: boolean
  /** Text under the options in --help. */
  readonly footer?: string
  /** The result, as one JSON object. An `exitCode` member other than 0 becomes the exit code. */
  action(invocation: Invocation): Promise<Record<string, unknown>>
  /** What a person sees on stdout. Default: nothing. */
  render?(result: Record<string, unknown>): string
}

/** Adds a verb to its parent command; gives it back for verbs below it. */
export function defineCommand(parent: Command, spec: CommandSpec): Command {
  // An option behind a verb is that verb's, also where the program or the verb above has one of the same name.
  const command = parent.command(spec.name).description(spec.summary).enablePositionalOptions()
  for (const argument of spec.arguments ?? []) command.argument(argument.form, argument.help)
  for (const option of spec.options ?? []) {
    const made = new Option(option.flags, option.help)
    if (option.parse !== undefined) made.argParser(option.parse)
    if (option.choices !== undefined) made.choices(option.choices)
    command.addOption(made)
  }
  if (spec.stack === true) command.option('--stack <dir>', 'folder of kiln.config.ts (default: the current one)')
  if (spec.asks === true) command.option('-y, --yes', 'do not ask')
  command.option('--json', 'the result as one JSON object on the last line of stdout, progress on stderr')
  if (spec.footer !== undefined) command.addHelpText('after', `\n${spec.footer}`)
  command.action(async (...received: unknown[]) => {
    const options = received.at(-2) as Record<string, unknown>
    const positional = received.slice(0, -2)
    await execute(spec, options, positional)
  })
  return command
}

async function execute(spec: CommandSpec, options: Record<string, unknown>, positional: readonly unknown[]): Promise<void> {
  const json = options['json'] === true
  const aborter = new AbortController()
  const stop = listenForInterrupts(aborter, spec.foreground === true)
  try {
    const result = await spec.action({
      args: positional.map((value) => (typeof value === 'string' ? value : undefined)),
      rest: splitAtDashes(process.argv).after,
      options,
      json,
      yes: options['yes'] === true,
      home: kilnHome(),
      signal: aborter.signal,
      note: (text) => void process.stderr.write(`${text}\n`),
      stackDir: (argument) => argument ?? (typeof options['stack'] === 'string' ? options['stack'] : process.cwd()),
    })
    const { exitCode, ...visible } = result
    if (json) process.stdout.write(`${JSON.stringify(visible)}\n`)
    else {
      const text = spec.render?.(result)
      if (text !== undefined && text !== '') process.stdout.write(text.endsWith('\n') ? text : `${text}\n`)
    }
    if (typeof exitCode === 'number') process.exitCode = exitCode
  } catch (error) {
    const shown =
      aborter.signal.aborted && spec.foreground !== true && !(isKilnError(error) && error.code === 'E_APPLY')
        ? new KilnError('E_CANCELLED', `${spec.name} was cancelled`, { hint: 'run the same command again: it goes on from where it stopped' })
        : error
    process.stderr.write(renderError(shown))
    if (json) process.stdout.write(`${JSON.stringify({ error: errorAsJson(shown) })}\n`)
    process.exitCode = aborter.signal.aborted ? 130 : 1
  } finally {
    stop()
  }
}

function errorAsJson(error: unknown): Record<string, unknown> {
  if (!isKilnError(error)) return { code: 'E_UNEXPECTED', message: describeError(error) }
  return {
    code: error.code,
    message: describeError(error),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.detail === undefined ? {} : { detail: error.detail }),
  }
}

/** The first signal asks the command to end, the second ends the process. */
function listenForInterrupts(aborter: AbortController, foreground: boolean): () => void {
  const onSignal = (signal: NodeJS.Signals): void => {
    if (foreground) {
      // A terminal's Ctrl-C reached the program too; only what was sent to us alone is passed on.
      if (signal === 'SIGTERM') aborter.abort()
      return
    }
    if (aborter.signal.aborted) process.exit(130)
    process.stderr.write(`\n${signal}: cleaning up (again to end at once)\n`)
    aborter.abort(new KilnError('E_CANCELLED', `cancelled by ${signal}`))
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return () => {
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}

/** The command line before and after the first `--`. Only what is before is parsed. */
export function splitAtDashes(argv: readonly string[]): { readonly before: readonly string[]; readonly after: readonly string[] } {
  const at = argv.indexOf('--')
  return at < 0 ? { before: argv, after: [] } : { before: argv.slice(0, at), after: argv.slice(at + 1) }
}

/** Parses an option as a whole number. @throws InvalidArgumentError, which commander shows with the option's name */
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It is not a whole number.')
  return Number(text)
}
