/** Drives Packer for one image: its plugins, then the build. What it says becomes progress and errors. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { KilnError } from '../base/errors.ts'
import { environmentWithout, tailLines } from '../host/exec.ts'
import { runNoted, waitForEarlierRun } from '../host/noted-run.ts'
import type { PackerProgram } from './program.ts'

export interface PackerOptions {
  /** Folder of the `.pkr.hcl` files. */
  readonly dir: string
  /** Folder of ours for this image: logs, note. */
  readonly workDir: string
  readonly signal: AbortSignal
  readonly note: (text: string) => void
}

export interface BuildOptions extends PackerOptions {
  readonly program: PackerProgram
  /** Which builds, as `-only` takes it: `moshi-srv.*`. */
  readonly only: string
  /** Values of the template's variables, as `-var` takes them. */
  readonly variables: Readonly<Record<string, string>>
}

/** Waits for a Packer that outlived the command that began it: it finishes its image, or takes its machine down. */
export async function settlePacker(options: PackerOptions): Promise<void> {
  await mkdir(options.workDir, { recursive: true, mode: 0o700 })
  await waitForEarlierRun(options.workDir, { ...options, name: 'Packer' })
}

/**
 * `packer init`, then `packer build`. Ctrl-C is passed on, and Packer removes the machine that it made.
 * @throws KilnError E_TOOL_FAILED when its plugins cannot be had; E_BAKE with the end of its output; E_CANCELLED
 */
export async function buildWithPacker(options: BuildOptions): Promise<void> {
  await settlePacker(options)
  const init = await packer(options, ['init', '.'])
  if (init.exitCode !== 0) {
    throw new KilnError('E_TOOL_FAILED', 'packer init could not get the plugins of ops/packer', {
      detail: tailLines(init.output, 20),
      hint: 'look whether this machine reaches github.com, or install the plugin by hand: packer plugins install github.com/hashicorp/googlecompute',
    })
  }
  const variables = Object.entries(options.variables).flatMap(([name, value]) => ['-var', `${name}=${value}`])
  const build = await packer(options, ['build', '-color=false', `-only=${options.only}`, ...variables, '.'])
  if (build.exitCode === 0) return
  throw new KilnError('E_BAKE', `Packer could not make ${options.only}: ${reason(build.output)}`, {
    detail: tailLines(build.output, 40),
    hint: `its whole output is in ${build.logFile}; correct what it names and run the same command again`,
  })
}

async function packer(options: BuildOptions, args: readonly string[]): Promise<{ readonly exitCode: number; readonly output: string; readonly logFile: string }> {
  options.signal.throwIfAborted()
  const lines: string[] = []
  const logFile = join(options.workDir, `${args[0] ?? 'run'}.log`)
  const result = await runNoted(
    options.workDir,
    { program: options.program.path, args, cwd: options.dir, env: { ...environmentWithout(misleading), CHECKPOINT_DISABLE: '1' }, cleanEnv: true },
    {
      logFile,
      signal: options.signal,
      onLine(line) {
        lines.push(line)
        if (lines.length > KEPT_LINES) lines.shift()
        const step = stepOf(line)
        if (step !== undefined) options.note(step)
      },
    },
  )
  if (result.interrupted) throw new KilnError('E_CANCELLED', `packer ${args[0] ?? ''} was cancelled; Packer removed what it had made`, { hint: 'run the same command again' })
  return { exitCode: result.exitCode, output: lines.join('\n'), logFile }
}

const KEPT_LINES = 500

/** `==> moshi-srv.googlecompute.moshi_srv: Creating instance...` says a step; what scripts print is indented instead. */
export function stepOf(line: string): string | undefined {
  const step = /^==> [\w.-]+: (.+)$/.exec(line)?.[1]
  return step === undefined ? undefined : `Packer: ${step}`
}

/** The last step that it calls an error, else its last words. */
function reason(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '')
  const errors = lines.filter((line) => /error/i.test(line))
  return (errors.at(-1) ?? lines.at(-1) ?? 'it said nothing').replace(/^(==>|-->)? *([\w.-]+: )?/, '').slice(0, 300)
}

/** Variables of the user's that would change the output that is read here. Proxies, credentials and plugin folders pass. */
const misleading = /^(PACKER_LOG.*|PACKER_NO_COLOR|PKR_VAR_.*)$/
