/**
 * Drives terraform (or tofu) for root modules: init, plan to a file, apply of exactly that file. What it says becomes the engine's plan,
 * events and errors.
 */
import { createHash } from 'node:crypto'
import { chmod, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KilnError } from '../base/errors.ts'
import { ApplyError } from '../engine/apply.ts'
import type { AppliedNode } from '../engine/apply.ts'
import type { EngineEvent, PlanNode } from '../engine/types.ts'
import { exists, removeAll } from '../host/files.ts'
import { run, tailLines } from '../host/exec.ts'
import { watchApply } from './apply-events.ts'
import { diagnosticsError } from './errors.ts'
import type { DiagnosticPlace } from './errors.ts'
import { forgetDeadRun, waitForEarlierRun } from '../host/noted-run.ts'
import { clearedLock } from './leftovers.ts'
import { cleanEnvironment, runTerraform } from './process.ts'
import type { ProcessOptions, ProcessResult } from './process.ts'
import type { TerraformProgram } from './program.ts'
import { ShownPlan, planNodes } from './shown-plan.ts'
import type { UiMessage } from './messages.ts'

/** A folder of `.tf` files with a state of its own. */
export interface RootModule {
  /** What the addresses of resources begin with that are in no module of their own; also the name of its folder for work. */
  readonly name: string
  readonly dir: string
  /** Settings of its backend that stand in no file: bucket, prefix. */
  readonly backend: Readonly<Record<string, string>>
  /** Values of its variables; those that it does not declare are ignored. */
  readonly variables?: Readonly<Record<string, string>>
}

/** A plan on disk, and what it says. */
export interface ModulePlan {
  readonly module: RootModule
  readonly nodes: readonly PlanNode[]
  /** Nothing at all would change, the outputs included. */
  readonly empty: boolean
  readonly file: string
  /** SHA-256 of the file, hex. */
  readonly digest: string
}

export interface ModuleResult {
  readonly applied: readonly AppliedNode[]
  readonly changes: number
}

export interface TerraformOptions {
  readonly program: TerraformProgram
  /** Folder for logs, plans and downloaded providers; not in the user's repository. */
  readonly workDir: string
  /** Where providers are kept for all modules. */
  readonly pluginCache: string
  readonly signal: AbortSignal
  readonly note: (text: string) => void
  readonly onEvent?: (event: EngineEvent) => void
  /** Added to the environment of each run. */
  readonly env?: Readonly<Record<string, string>>
}

export interface PlanOptions {
  /** The removal of everything in the state. */
  readonly destroy?: boolean
  /** Only these, and what they need: `module.storage`. */
  readonly targets?: readonly string[]
}

export interface Terraform {
  /** @throws KilnError E_TERRAFORM, E_NETWORK, E_PERMISSION … */
  init(module: RootModule): Promise<void>
  /** Reads what is there and plans. Changes nothing. */
  plan(module: RootModule, options?: PlanOptions): Promise<ModulePlan>
  /** Applies exactly the plan that was made. @throws ApplyError; KilnError E_PLAN_STALE, E_STATE_LOCKED, E_CANCELLED */
  apply(plan: ModulePlan): Promise<ModuleResult>
  /** Values of the module's outputs that are no secrets. */
  outputs(module: RootModule): Promise<Readonly<Record<string, unknown>>>
}

/** Makes the driver; nothing runs yet. */
export function createTerraform(options: TerraformOptions): Terraform {
  const folderOf = (module: RootModule): string => join(options.workDir, module.name)
  const placeOf = (module: RootModule): DiagnosticPlace => ({ dir: module.dir, program: options.program.name })

  function processOptions(module: RootModule): ProcessOptions {
    const variables = Object.fromEntries(Object.entries(module.variables ?? {}).map(([name, value]) => [`TF_VAR_${name}`, value]))
    return {
      program: options.program,
      dir: module.dir,
      workDir: folderOf(module),
      signal: options.signal,
      env: {
        TF_DATA_DIR: join(folderOf(module), 'data'),
        ...(process.env['TF_PLUGIN_CACHE_DIR'] === undefined ? { TF_PLUGIN_CACHE_DIR: options.pluginCache } : {}),
        ...options.env,
        ...variables,
      },
    }
  }

  async function execute(module: RootModule, args: readonly string[], onMessage?: (message: UiMessage) => void): Promise<ProcessResult> {
    options.signal.throwIfAborted()
    const settings = processOptions(module)
    const result = await runTerraform(settings, args, onMessage)
    if (result.interrupted)
      throw new KilnError('E_CANCELLED', `${options.program.name} ${args[0] ?? ''} was cancelled; what was done is in the state`, { hint: 'run the same command again to go on' })
    return result
  }

  function failure(module: RootModule, result: ProcessResult, what: string): KilnError {
    if (result.diagnostics.some((diagnostic) => diagnostic.severity === 'error')) return diagnosticsError(result.diagnostics, placeOf(module), what)
    return new KilnError('E_TERRAFORM', `${what}: ${options.program.name} ended with exit code ${result.exitCode}`, {
      detail: tailLines(result.text.join('\n'), 20),
      hint: `its whole output is in ${result.logFile}`,
    })
  }

  /** Brings a state to the bucket that an earlier run could not save. */
  async function settle(module: RootModule): Promise<void> {
    const leftover = join(module.dir, 'errored.tfstate')
    if (!(await exists(leftover))) return
    options.note(`${module.name}: bringing the state that an earlier run could not save to the bucket`)
    const pushed = await execute(module, ['state', 'push', 'errored.tfstate'])
    if (pushed.exitCode !== 0) throw failure(module, pushed, `the state in ${leftover} could not be saved`)
    await removeAll(leftover)
  }

  /** A lock that a dead run of ours left is cleared, and the work repeated once. */
  async function withLock(module: RootModule, work: () => Promise<ProcessResult>): Promise<ProcessResult> {
    const result = await work()
    if (result.exitCode === 0 || result.exitCode === 2) await forgetDeadRun(folderOf(module))
    if (result.exitCode !== 1 || !(await clearedLock(result.diagnostics, { ...options, folder: folderOf(module), module: module.name, run: (args) => execute(module, args) })))
      return result
    return work()
  }

  return {
    async init(module) {
      await mkdir(folderOf(module), { recursive: true, mode: 0o700 })
      await mkdir(options.pluginCache, { recursive: true })
      await waitForEarlierRun(folderOf(module), { ...options, name: 'Terraform' })
      const backend = Object.entries(module.backend).map(([name, value]) => `-backend-config=${name}=${value}`)
      const result = await execute(module, ['init', '-json', '-input=false', '-reconfigure', ...backend])
      if (result.exitCode !== 0) throw failure(module, result, `${module.name}: init`)
      await settle(module)
    },

    async plan(module, { destroy = false, targets = [] } = {}) {
      const file = join(folderOf(module), `${destroy ? 'destroy' : 'plan'}${targets.length === 0 ? '' : '-part'}.tfplan`)
      await removeAll(file)
      const args = ['plan', '-json', '-input=false', '-detailed-exitcode', `-out=${file}`, ...(destroy ? ['-destroy'] : []), ...targets.map((target) => `-target=${target}`)]
      const result = await withLock(module, () => execute(module, args))
      if (result.exitCode !== 0 && result.exitCode !== 2) throw failure(module, result, `${module.name}: plan`)
      // a plan holds the values of secrets
      await chmod(file, 0o600)
      const shown = await run(
        { program: options.program.path, args: ['show', '-json', file], cwd: module.dir, env: cleanEnvironment(processOptions(module).env), cleanEnv: true },
        { what: `reading the plan of ${module.name}`, signal: options.signal },
      )
      return { module, nodes: planNodes(module.name, ShownPlan.parse(JSON.parse(shown.stdout))), empty: result.exitCode === 0, file, digest: await digestOf(file) }
    },

    async apply(plan) {
      const { module, nodes } = plan
      if (plan.empty) {
        await removeAll(plan.file)
        return { applied: [], changes: 0 }
      }
      if ((await digestOf(plan.file)) !== plan.digest) {
        throw new KilnError('E_PLAN_STALE', `the plan of ${module.name} was changed after it was shown`, { hint: 'run the same command again: it makes a new plan and shows it' })
      }
      const watch = watchApply(module.name, nodes, placeOf(module), (event) => options.onEvent?.(event))
      let result: ProcessResult
      try {
        result = await withLock(module, () => execute(module, ['apply', '-json', '-input=false', plan.file], (message) => watch.onMessage(message)))
      } finally {
        await removeAll(plan.file)
      }
      const outcome = watch.finish()
      if (outcome.failures.length > 0) throw new ApplyError(outcome.failures, outcome.untouched, nodes.filter((node) => node.action !== 'noop').length)
      if (result.exitCode !== 0) throw failure(module, result, `${module.name}: apply`)
      return { applied: outcome.done, changes: outcome.done.length }
    },

    async outputs(module) {
      const shown = await run(
        { program: options.program.path, args: ['output', '-json'], cwd: module.dir, env: cleanEnvironment(processOptions(module).env), cleanEnv: true },
        { what: `reading the outputs of ${module.name}`, signal: options.signal },
      )
      const all = JSON.parse(shown.stdout) as Readonly<Record<string, { readonly sensitive: boolean; readonly value: unknown }>>
      return Object.fromEntries(Object.entries(all).flatMap(([name, output]) => (output.sensitive ? [] : [[name, output.value]])))
    },
  }
}

async function digestOf(file: string): Promise<string> {
  if (!(await exists(file))) return 'gone'
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
}
