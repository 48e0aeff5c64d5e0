/** `kiln pipelines …`: looking at pipelines, and asking for one to end or to run again. */
import { userInfo } from 'node:os'
import { KilnError } from '../../base/errors.ts'
import { exists } from '../../host/files.ts'
import type { KilnHome } from '../../host/home.ts'
import { readLog } from '../../pipeline/log.ts'
import { openPipelines } from '../../pipeline/pipelines.ts'
import type { Pipelines } from '../../pipeline/pipelines.ts'
import type { Pipeline } from '../../pipeline/types.ts'
import { followPipeline } from './follow.ts'
import { deliveryPaths } from './paths.ts'
import { hasWorker, reviveWorkers, wakeWorker } from './wake.ts'

/** Opens the pipelines of the data folder for as long as `use` runs. @throws KilnError E_NOT_FOUND when there never was one */
export async function withPipelines<T>(home: KilnHome, use: (pipelines: Pipelines) => Promise<T>): Promise<T> {
  const { database } = deliveryPaths(home)
  if (!(await exists(database)))
    throw new KilnError('E_NOT_FOUND', 'no pipeline has run here yet', {
      hint: '`kiln remote add` in a stack’s folder sets up `git push kiln`; `kiln webhook setup` a GitHub webhook',
    })
  const pipelines = openPipelines(database)
  try {
    return await use(pipelines)
  } finally {
    pipelines.close()
  }
}

/** The newest first. */
export async function listPipelines(home: KilnHome, limit: number): Promise<readonly Pipeline[]> {
  if (!(await exists(deliveryPaths(home).database))) return []
  return withPipelines(home, async (pipelines) => {
    await reviveWorkers(home, pipelines)
    return pipelines.list({ limit })
  })
}

/** One pipeline, by number or the newest. @throws KilnError E_NOT_FOUND */
export async function showPipeline(home: KilnHome, id: number | undefined): Promise<Pipeline & { readonly hasWorker: boolean }> {
  return withPipelines(home, async (pipelines) => {
    const found = choose(pipelines, id)
    return { ...found, hasWorker: found.state === 'running' && (await hasWorker(home, found.stack)) }
  })
}

/** The lines of a pipeline's log; with `follow` until it ends. Gives the pipeline as it is then. */
export async function pipelineLogs(
  home: KilnHome,
  options: { readonly id: number | undefined; readonly follow: boolean; readonly signal: AbortSignal; readonly onLine: (line: string) => void },
): Promise<Pipeline> {
  return withPipelines(home, async (pipelines) => {
    const { id, stack } = choose(pipelines, options.id)
    const lines = options.follow ? followPipeline({ home, pipelines, id, signal: options.signal }) : readLog(deliveryPaths(home).stack(stack).log(id))
    for await (const line of lines) options.onLine(line)
    return pipelines.require(id)
  })
}

/** @throws KilnError E_NOT_FOUND, E_USAGE when it has ended */
export async function cancelPipeline(home: KilnHome, id: number): Promise<Pipeline> {
  return withPipelines(home, async (pipelines) => {
    const cancelled = pipelines.cancel(id)
    // A dead worker cannot hear of it: the next one records it.
    await reviveWorkers(home, pipelines)
    return cancelled
  })
}

/** Puts the commit of a pipeline that has ended into the queue again. @throws KilnError E_NOT_FOUND, E_USAGE */
export async function retryPipeline(home: KilnHome, id: number): Promise<Pipeline> {
  return withPipelines(home, async (pipelines) => {
    const again = pipelines.retry(id, userInfo().username)
    await wakeWorker(home, again.stack)
    return again
  })
}

function choose(pipelines: Pipelines, id: number | undefined): Pipeline {
  if (id !== undefined) return pipelines.require(id)
  const newest = pipelines.list({ limit: 1 })[0]
  if (newest !== undefined) return newest
  throw new KilnError('E_NOT_FOUND', 'no pipeline has run here yet', { hint: 'git push kiln main' })
}
