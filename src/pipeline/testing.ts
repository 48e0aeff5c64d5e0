/** A worker with stages that only note that they ran, for tests; and a database that dies at a chosen call. */
import { appendFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openLog } from './log.ts'
import { openPipelines } from './pipelines.ts'
import type { Pipelines } from './pipelines.ts'
import type { PipelineRequest } from './types.ts'
import type { Stage, WorkerOptions } from './worker.ts'

export const stageNames = ['checkout', 'publish', 'bake', 'deploy', 'verify'] as const

export const identity = { pid: process.pid, startTime: 'test' }

export function request(change: Partial<PipelineRequest> = {}): PipelineRequest {
  return { stack: 'moshi', trigger: 'push', commit: 'a'.repeat(40), branch: 'main', subject: 'a change', who: 'tester', ...change }
}

/** Stages that append their name to a file when they run, so that what ran is known across processes. `before` strikes first. */
export function tracedStages(folder: string, before: (name: string, when: 'begin' | 'end') => void | Promise<void> = () => {}): readonly Stage[] {
  return stageNames.map((name) => ({
    name,
    async run({ pipeline, results, note }) {
      await before(name, 'begin')
      appendFileSync(join(folder, 'trace'), `${pipeline.id} ${name}\n`)
      note(`${name} works`)
      await before(name, 'end')
      return { made: `${name} of ${pipeline.commit.slice(0, 7)}`, after: Object.keys(results) }
    },
  }))
}

export async function readTrace(folder: string): Promise<readonly string[]> {
  return (await readFile(join(folder, 'trace'), 'utf8').catch(() => '')).trim().split('\n')
}

export function openIn(folder: string): Pipelines {
  return openPipelines(join(folder, 'pipelines.db'))
}

export function workerOptions(folder: string, pipelines: Pipelines, change: Partial<WorkerOptions> = {}): WorkerOptions {
  return { pipelines, stack: 'moshi', identity, stages: tracedStages(folder), logOf: (id) => openLog(join(folder, `${id}.log`)), pollMs: 5, ...change }
}

/** As if the process died at the nth call: that one does its work or not, and after it nothing does anything. */
export function dyingAt(pipelines: Pipelines, call: number, when: 'before' | 'after'): { readonly pipelines: Pipelines; calls(): number } {
  let count = 0
  const died = (): never => {
    throw new Error('the process died')
  }
  const proxy = new Proxy(pipelines, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name)
      if (typeof method !== 'function') return method
      return (...args: unknown[]): unknown => {
        count += 1
        if (count > call || (count === call && when === 'before')) died()
        const result: unknown = Reflect.apply(method, target, args)
        if (count === call) died()
        return result
      }
    },
  })
  return { pipelines: proxy, calls: () => count }
}
