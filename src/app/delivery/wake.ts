/** Workers are processes of their own, one for each stack that has work: started when a commit comes in, and again by whoever finds one dead. */
import { fileURLToPath } from 'node:url'
import { readTextIfExists } from '../../host/files.ts'
import { startDetached } from '../../host/detached.ts'
import type { KilnHome } from '../../host/home.ts'
import { isRunning } from '../../host/process.ts'
import type { ProcessIdentity } from '../../host/process.ts'
import type { Pipelines } from '../../pipeline/pipelines.ts'
import { deliveryPaths } from './paths.ts'

export const workerScript = fileURLToPath(new URL('worker.ts', import.meta.url))

/** Starts a worker for a stack. One that finds another at work ends at once, and that one looks at the queue again before it ends. */
export async function wakeWorker(home: KilnHome, stack: string, script = workerScript): Promise<void> {
  await startDetached({
    program: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', script, home.root, stack],
    logFile: deliveryPaths(home).workerLog,
    cwd: home.root,
  })
}

/** Starts workers for stacks that have work and none who does it. Returns those stacks. */
export async function reviveWorkers(home: KilnHome, pipelines: Pipelines, script = workerScript): Promise<readonly string[]> {
  const revived: string[] = []
  for (const stack of pipelines.stacksWithWork()) {
    if (await hasWorker(home, stack)) continue
    await wakeWorker(home, stack, script)
    revived.push(stack)
  }
  return revived
}

/** True while a worker of the stack lives. */
export async function hasWorker(home: KilnHome, stack: string): Promise<boolean> {
  const text = await readTextIfExists(deliveryPaths(home).stack(stack).worker)
  if (text === undefined) return false
  return isRunning(JSON.parse(text) as ProcessIdentity)
}
