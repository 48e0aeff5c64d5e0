/**
 * Runs the pipelines of one stack, one after the other, until none waits. Whoever calls holds the stack's lock, so that a pipeline found running is one that
 * a dead worker left: it goes on at the stage that was running. Every stage may run again.
 */
import { KilnError, describeError, isKilnError } from '../base/errors.ts'
import { formatDuration } from '../base/units.ts'
import { sleep } from '../base/wait.ts'
import type { ProcessIdentity } from '../host/process.ts'
import type { PipelineLog } from './log.ts'
import type { Pipelines } from './pipelines.ts'
import { SupersededError } from './types.ts'
import type { Pipeline, StageError, StageResult } from './types.ts'

export interface StageContext {
  readonly pipeline: Pipeline
  /** What the stages before made. */
  readonly results: Readonly<Record<string, StageResult>>
  /** 1 for the first time; more when a worker died in it, or it is repeated. */
  readonly attempt: number
  readonly signal: AbortSignal
  note(text: string): void
}

export interface Stage {
  readonly name: string
  /** A hash over all that the result depends on. The same as of one that passed before, and `holds`: the stage is skipped and has that one's result. */
  key?(context: StageContext): Promise<string | undefined>
  /** Whether what an earlier run made is still there. */
  holds?(context: StageContext, made: StageResult): Promise<boolean>
  /** May run again at any point. @throws SupersededError, or whatever makes the pipeline fail */
  run(context: StageContext): Promise<StageResult>
}

/** Hears of a pipeline's life, to tell others. What it throws is noted and changes nothing. */
export interface PipelineListener {
  started?(pipeline: Pipeline, note: (text: string) => void): Promise<void>
  stageStarted?(pipeline: Pipeline, stage: string, note: (text: string) => void): Promise<void>
  ended?(pipeline: Pipeline, note: (text: string) => void): Promise<void>
}

export interface WorkerOptions {
  readonly pipelines: Pipelines
  readonly stack: string
  readonly identity: ProcessIdentity
  readonly stages: readonly Stage[]
  readonly logOf: (id: number) => PipelineLog
  readonly listener?: PipelineListener
  /** Why a failed stage should run again now, after whatever waiting that needs; undefined: it has failed. */
  readonly repeat?: (error: unknown, context: StageContext) => Promise<string | undefined>
  /** How soon a request to cancel is seen. */
  readonly pollMs?: number
  /** Ends the worker without ending the pipeline: the next worker goes on. */
  readonly signal?: AbortSignal
}

/** A stage that takes its worker down with it must not do so for ever. */
const MAX_ATTEMPTS = 8

/** Runs until no pipeline of the stack waits. Returns how many it ran. */
export async function runQueue(options: WorkerOptions): Promise<number> {
  const { pipelines, stack, identity, stages } = options
  const names = stages.map((stage) => stage.name)
  let count = 0
  for (;;) {
    options.signal?.throwIfAborted()
    const pipeline = pipelines.claim(stack, identity, names)
    if (pipeline === undefined) return count
    await runPipeline(options, pipeline)
    count += 1
  }
}

async function runPipeline(options: WorkerOptions, claimed: Pipeline): Promise<void> {
  const { pipelines } = options
  const log = options.logOf(claimed.id)
  const note = (text: string): void => log.write('kiln', text)
  const resumedAt = claimed.stages.find((stage) => stage.state === 'running')
  if (resumedAt !== undefined) note(`the worker before died in ${resumedAt.name}; going on there`)
  else if (claimed.stages.every((stage) => stage.state === 'queued')) note(`pipeline ${claimed.id} of ${claimed.stack}: ${claimed.commit.slice(0, 7)} ${claimed.subject}`)
  await tell(note, () => options.listener?.started?.(claimed, note))
  const aborter = new AbortController()
  const watch = watchCancel(options, claimed.id, aborter)
  try {
    const { state, reason } = await runStages(options, claimed.id, log, aborter.signal)
    // The last line is in the log before the row says that it has ended: who follows reads it.
    note(`${state}${reason === undefined ? '' : `: ${reason}`} (${formatDuration(Date.now() - Date.parse(claimed.createdAt))} after it was asked for)`)
    const before = pipelines.require(claimed.id)
    await tell(note, () => options.listener?.ended?.({ ...before, state, ...(reason === undefined ? {} : { reason }) }, note))
    pipelines.end(claimed.id, state, reason)
  } finally {
    watch.stop()
  }
}

interface Outcome {
  readonly state: 'passed' | 'failed' | 'cancelled' | 'superseded'
  readonly reason: string | undefined
}

async function runStages(options: WorkerOptions, id: number, log: PipelineLog, signal: AbortSignal): Promise<Outcome> {
  const { pipelines } = options
  const results: Record<string, StageResult> = {}
  for (const stage of options.stages) {
    const pipeline = pipelines.require(id)
    const record = pipeline.stages.find((each) => each.name === stage.name)
    if (record === undefined) throw new Error(`pipeline ${id} has no stage ${stage.name}`)
    if (record.state === 'failed') return { state: 'failed', reason: `${stage.name}: ${record.error?.message ?? 'failed'}` }
    if (record.state !== 'passed' && record.state !== 'skipped') {
      const outcome = await runStage(options, stage, { id, log, signal, results })
      if (outcome !== undefined) return outcome
    }
    results[stage.name] = pipelines.require(id).stages.find((each) => each.name === stage.name)?.result ?? {}
  }
  return { state: 'passed', reason: undefined }
}

interface StageRun {
  readonly id: number
  readonly log: PipelineLog
  readonly signal: AbortSignal
  readonly results: Readonly<Record<string, StageResult>>
}

/** Runs or skips one stage, and records it. Gives the end of the pipeline when it did not pass. */
async function runStage(options: WorkerOptions, stage: Stage, run: StageRun): Promise<Outcome | undefined> {
  const { pipelines } = options
  const { id, log, signal } = run
  const note = (text: string): void => log.write(stage.name, text)
  for (;;) {
    const pipeline = pipelines.require(id)
    const attempt = (pipeline.stages.find((each) => each.name === stage.name)?.attempts ?? 0) + 1
    const context: StageContext = { pipeline, results: run.results, attempt, signal, note }
    const startMs = performance.now()
    try {
      signal.throwIfAborted()
      if (attempt > MAX_ATTEMPTS)
        throw new KilnError('E_PIPELINE', `${stage.name} began ${MAX_ATTEMPTS} times and never came to an end`, {
          hint: `kiln pipelines logs ${id}, then kiln pipelines retry ${id}`,
        })
      await tell(note, () => options.listener?.stageStarted?.(pipeline, stage.name, note))
      pipelines.beginStage(id, stage.name)
      note(attempt === 1 ? 'started' : `started again (${attempt})`)
      const key = await stage.key?.(context)
      const made = key === undefined ? undefined : pipelines.madeBefore(pipeline.stack, stage.name, key)
      if (made !== undefined && ((await stage.holds?.(context, made)) ?? true)) {
        if (key !== undefined) pipelines.setKey(id, stage.name, key)
        note('skipped: nothing that it depends on has changed')
        pipelines.endStage(id, stage.name, 'skipped', { result: made })
        return undefined
      }
      const result = await stage.run(context)
      signal.throwIfAborted()
      // What a run changes (a lock file that is written) may be part of its key: the next one meets the state after it.
      const after = await stage.key?.(context)
      if (after !== undefined) pipelines.setKey(id, stage.name, after)
      note(`passed in ${formatDuration(performance.now() - startMs)}`)
      pipelines.endStage(id, stage.name, 'passed', { result })
      return undefined
    } catch (error) {
      options.signal?.throwIfAborted()
      const outcome = endOf(error, signal)
      if (outcome !== undefined) {
        note(outcome.reason)
        pipelines.endStage(id, stage.name, outcome.state, {})
        return outcome
      }
      const again = attempt > MAX_ATTEMPTS ? undefined : await options.repeat?.(error, context).catch(() => undefined)
      if (again !== undefined && !signal.aborted) {
        note(`${describeError(error)}`)
        note(`again: ${again}`)
        continue
      }
      if (signal.aborted) continue
      const told = toStageError(error)
      note(`failed: ${told.message}`)
      if (told.detail !== undefined) note(told.detail)
      if (told.hint !== undefined) note(`next: ${told.hint}`)
      pipelines.endStage(id, stage.name, 'failed', { error: told })
      return { state: 'failed', reason: `${stage.name}: ${told.message}` }
    }
  }
}

function endOf(error: unknown, signal: AbortSignal): { readonly state: 'cancelled' | 'superseded'; readonly reason: string } | undefined {
  if (signal.aborted) return { state: 'cancelled', reason: 'cancelled while it ran' }
  return error instanceof SupersededError ? { state: 'superseded', reason: error.message } : undefined
}

function toStageError(error: unknown): StageError {
  if (!isKilnError(error)) return { code: 'E_UNEXPECTED', message: describeError(error), ...(error instanceof Error && error.stack !== undefined ? { detail: error.stack } : {}) }
  return {
    code: error.code,
    message: describeError(error),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.detail === undefined ? {} : { detail: error.detail }),
  }
}

/** Looks for a request to cancel while stages run. */
function watchCancel(options: WorkerOptions, id: number, aborter: AbortController): { stop(): void } {
  const ended = new AbortController()
  const cancelled = (): boolean => options.pipelines.get(id)?.cancelRequested !== false
  const check = (): void => {
    if (options.signal?.aborted === true) aborter.abort(options.signal.reason)
    else if (cancelled()) aborter.abort(new KilnError('E_CANCELLED', `pipeline ${id} was cancelled`))
  }
  const watching = async (): Promise<void> => {
    for (;;) {
      check()
      if (aborter.signal.aborted) return
      await sleep(options.pollMs ?? 500, ended.signal)
    }
  }
  watching().catch(() => {})
  const onEnd = (): void => aborter.abort(options.signal?.reason)
  options.signal?.addEventListener('abort', onEnd)
  return {
    stop() {
      ended.abort()
      options.signal?.removeEventListener('abort', onEnd)
    },
  }
}

/** Who is told must not be able to break the work. */
async function tell(note: (text: string) => void, work: () => Promise<void> | undefined): Promise<void> {
  try {
    await work()
  } catch (error) {
    note(`could not be reported: ${describeError(error)}`)
  }
}
