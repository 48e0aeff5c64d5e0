/** Watching a pipeline to its end: its log as it grows, and a new worker when the one that worked on it has died. */
import type { KilnHome } from '../../host/home.ts'
import { readLog } from '../../pipeline/log.ts'
import type { Pipelines } from '../../pipeline/pipelines.ts'
import { isEnded } from '../../pipeline/types.ts'
import type { Pipeline } from '../../pipeline/types.ts'
import { deliveryPaths } from './paths.ts'
import { reviveWorkers } from './wake.ts'

const REVIVE_EVERY_MS = 3000

export interface FollowOptions {
  readonly home: KilnHome
  readonly pipelines: Pipelines
  readonly id: number
  readonly signal?: AbortSignal
  readonly workerScript?: string
}

/** Yields the lines of the log until the pipeline has ended. */
export async function* followPipeline({ home, pipelines, id, signal, workerScript }: FollowOptions): AsyncGenerator<string> {
  const { stack } = pipelines.require(id)
  let revivedAtMs = performance.now()
  yield* readLog(deliveryPaths(home).stack(stack).log(id), {
    ...(signal === undefined ? {} : { signal }),
    async isDone() {
      const now = pipelines.get(id)
      if (now === undefined || isEnded(now.state)) return true
      if (performance.now() - revivedAtMs > REVIVE_EVERY_MS) {
        await reviveWorkers(home, pipelines, workerScript)
        revivedAtMs = performance.now()
      }
      return false
    },
  })
}

/** How a pipeline ended, and what to do next, in one or two lines. */
export function verdictOf({ id, state, reason, stages, commit }: Pipeline): readonly string[] {
  const url = stages.find((stage) => stage.name === 'deploy')?.result?.['url']
  const version = stages.find((stage) => stage.name === 'publish')?.result?.['version']
  const what = `pipeline ${id} (${commit.slice(0, 7)}) ${state}`
  if (state === 'passed') return [`${what}${typeof url === 'string' ? `: ${url} serves ${typeof version === 'string' ? version : 'it'}` : ''}`]
  const next = state === 'failed' || state === 'cancelled' ? [`next: kiln pipelines logs ${id}; when the cause is gone: kiln pipelines retry ${id}`] : []
  return [`${what}${reason === undefined ? '' : `: ${reason}`}`, ...next]
}
