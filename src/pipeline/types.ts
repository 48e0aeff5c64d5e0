/** What a pipeline is, as data: one commit of one stack on its way to being served, in stages that are recorded. */
import type { ProcessIdentity } from '../host/process.ts'

/** `superseded`: a newer commit came while it waited, or the commit is older than what was delivered. */
export type PipelineState = 'queued' | 'running' | 'passed' | 'failed' | 'cancelled' | 'superseded'
/** `skipped`: its key is that of a stage that passed before, and what that one made is still there. */
export type StageState = 'queued' | 'running' | 'passed' | 'failed' | 'skipped' | 'cancelled' | 'superseded'

/** What a stage made, as one JSON object. */
export type StageResult = Readonly<Record<string, unknown>>

export interface StageError {
  readonly code: string
  readonly message: string
  readonly hint?: string
  readonly detail?: string
}

export interface StageRecord {
  readonly name: string
  readonly state: StageState
  readonly key?: string
  /** How often it began: more than once when a worker died in it, or when it was repeated. */
  readonly attempts: number
  readonly startedAt?: string
  readonly endedAt?: string
  readonly result?: StageResult
  readonly error?: StageError
}

/** What is asked for when a commit comes in. */
export interface PipelineRequest {
  /** The queue: pipelines of one stack run one after the other. */
  readonly stack: string
  readonly trigger: 'push' | 'webhook'
  readonly commit: string
  readonly branch: string
  /** First line of the commit's message. */
  readonly subject: string
  /** Who pushed, as far as it is known. */
  readonly who: string
  /** The branch was moved to a commit that does not follow from the one before. */
  readonly forced?: boolean
}

export interface Pipeline extends Required<PipelineRequest> {
  readonly id: number
  readonly state: PipelineState
  /** Why it ended as it did, for people. */
  readonly reason?: string
  readonly retryOf?: number
  readonly cancelRequested: boolean
  readonly createdAt: string
  readonly startedAt?: string
  readonly endedAt?: string
  /** The process that works on it, or died doing so. */
  readonly worker?: ProcessIdentity
  readonly stages: readonly StageRecord[]
  /** What listeners keep with it, such as the number of a deployment elsewhere. */
  readonly notes: Readonly<Record<string, unknown>>
}

export function isEnded(state: PipelineState): boolean {
  return state !== 'queued' && state !== 'running'
}

/** Thrown by a stage that finds the commit to be older than what was delivered: the pipeline ends without having failed. */
export class SupersededError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'SupersededError'
  }
}
