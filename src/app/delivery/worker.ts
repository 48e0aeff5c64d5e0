/**
 * The worker of a stack: a process of its own, so that neither the end of a push nor a restart of the daemon ends what it does. One at a time for each
 * stack; a second one ends at once. Started with the data folder and the stack's name.
 */
import { mkdir } from 'node:fs/promises'
import { KilnError, describeError } from '../../base/errors.ts'
import { sleep } from '../../base/wait.ts'
import { exists, removeAll, writeFileDurable } from '../../host/files.ts'
import { kilnHome } from '../../host/home.ts'
import type { KilnHome } from '../../host/home.ts'
import { identifyProcess, isRunning } from '../../host/process.ts'
import type { ProcessIdentity } from '../../host/process.ts'
import { openLog } from '../../pipeline/log.ts'
import { openPipelines } from '../../pipeline/pipelines.ts'
import type { Pipelines } from '../../pipeline/pipelines.ts'
import { isEnded } from '../../pipeline/types.ts'
import { runQueue } from '../../pipeline/worker.ts'
import type { Stage, WorkerOptions } from '../../pipeline/worker.ts'
import { tryProcessLock } from '../../store/process-lock.ts'
import type { ProcessLock } from '../../store/process-lock.ts'
import { readDaemonFile } from '../cloud/files.ts'
import type { Deliver } from './deliver.ts'
import { deliveryPaths } from './paths.ts'
import { githubListener } from './report.ts'
import { deliveryStages } from './stages.ts'

export interface RunWorkerOptions {
  readonly home: KilnHome
  readonly stack: string
  readonly deliver?: Deliver
  readonly signal?: AbortSignal
}

/** Checkouts of this many pipelines are kept for looking into, logs and rows of more. */
const KEEP_CHECKOUTS = 3
const KEEP_PIPELINES = 200

/** Works the queue of a stack to its end; returns at once when another worker does. */
export async function runWorker(options: RunWorkerOptions): Promise<{ readonly ran: number }> {
  const { home, stack } = options
  const paths = deliveryPaths(home).stack(stack)
  // A data folder that was removed in the meantime is not made again.
  if (!(await exists(deliveryPaths(home).database))) return { ran: 0 }
  await mkdir(paths.root, { recursive: true, mode: 0o700 })
  const identity = await identifyProcess(process.pid)
  if (identity === undefined) throw new Error('this process is not in /proc')
  const pipelines = openPipelines(deliveryPaths(home).database)
  let ran = 0
  try {
    do {
      const lock = await takeLock(paths.workerLock)
      if (lock === undefined) return { ran }
      try {
        await writeFileDurable(paths.worker, `${JSON.stringify(identity)}\n`, 0o600)
        // Loading what bakes takes long, and some that start find another worker.
        const deliver = options.deliver ?? (await import('./deliver.ts')).deliver
        ran += await work(options, pipelines, identity, deliver)
        await prune(home, stack, pipelines)
        await removeAll(paths.worker)
      } finally {
        lock.release()
      }
      // Who put something into the queue just now may have found the lock taken, and left it to this one.
    } while (pipelines.stacksWithWork().includes(stack))
  } finally {
    pipelines.close()
  }
  return { ran }
}

/** Two that start together can keep each other out for a moment. */
async function takeLock(path: string): Promise<ProcessLock | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const lock = tryProcessLock(path)
    if (lock !== undefined || attempt === 5) return lock
    await sleep(20 + Math.random() * 100)
  }
}

async function work({ home, stack, signal }: RunWorkerOptions, pipelines: Pipelines, identity: ProcessIdentity, deliver: Deliver): Promise<number> {
  const watch = watchCloud(home, deliver, deliveryStages({ home, pipelines, deliver }))
  const options: WorkerOptions = {
    pipelines,
    stack,
    identity,
    stages: watch.stages,
    repeat: watch.repeat,
    logOf: (id) => openLog(deliveryPaths(home).stack(stack).log(id)),
    listener: githubListener({ home, pipelines }),
    ...(signal === undefined ? {} : { signal }),
  }
  return runQueue(options)
}

/**
 * A stage that fails because the pocket cloud went away in the middle has not failed: the cloud is started again, and the stage with it. Known by the
 * daemon, which is another than when the stage began.
 */
function watchCloud(home: KilnHome, deliver: Deliver, stages: readonly Stage[]): Required<Pick<WorkerOptions, 'stages' | 'repeat'>> {
  let began: ProcessIdentity | undefined
  const running = async (): Promise<ProcessIdentity | undefined> => {
    const file = await readDaemonFile(home)
    return file !== undefined && (await isRunning(file)) ? file : undefined
  }
  return {
    stages: stages.map((stage) => ({
      ...stage,
      async run(context) {
        if (stage.name !== 'checkout') await deliver.begin?.(home)
        began = await running()
        return stage.run(context)
      },
    })),
    async repeat() {
      const now = await running()
      if (began === undefined || (now !== undefined && now.pid === began.pid && now.startTime === began.startTime)) return undefined
      const { startCloud } = await import('../cloud/control.ts')
      const { daemon } = await startCloud({ home })
      return `the pocket cloud was restarted in the middle (now at ${daemon.url})`
    },
  }
}

async function prune(home: KilnHome, stack: string, pipelines: Pipelines): Promise<void> {
  const paths = deliveryPaths(home).stack(stack)
  for (const id of pipelines.prune(stack, KEEP_PIPELINES)) await removeAll(paths.log(id))
  const ended = pipelines.list({ stack, limit: KEEP_PIPELINES }).filter((pipeline) => isEnded(pipeline.state))
  for (const { id } of ended.slice(KEEP_CHECKOUTS)) await removeAll(paths.checkout(id))
}

/** The main program of a worker process; `deliver` is another one in tests. */
export async function workerMain(deliver?: Deliver): Promise<void> {
  const [root, stack] = process.argv.slice(2)
  if (root === undefined || stack === undefined) throw new KilnError('E_USAGE', 'a worker is started with the data folder and the name of a stack')
  const home = kilnHome({ ...process.env, KILN_HOME: root })
  const ended = new AbortController()
  // The pipeline is not at fault: the next worker goes on.
  process.on('SIGTERM', () => ended.abort(new Error('the worker was told to end')))
  try {
    await runWorker({ home, stack, signal: ended.signal, ...(deliver === undefined ? {} : { deliver }) })
  } catch (error) {
    if (ended.signal.aborted) return
    process.stderr.write(`${new Date().toISOString()} worker of ${stack}: ${describeError(error)}\n`)
    process.exitCode = 1
  }
}

if (import.meta.main) await workerMain()
