/**
 * The post-receive hook of the git remote: puts a commit of the branch into the queue, wakes a worker, and shows the pipeline to whoever pushed. What it
 * writes is the pusher's "remote: …". When the pusher goes away, the pipeline goes on.
 */
import { text as readStream } from 'node:stream/consumers'
import { describeError, isKilnError } from '../../base/errors.ts'
import { kilnHome } from '../../host/home.ts'
import type { KilnHome } from '../../host/home.ts'
import { openPipelines } from '../../pipeline/pipelines.ts'
import type { Pipelines } from '../../pipeline/pipelines.ts'
import type { Pipeline } from '../../pipeline/types.ts'
import { followPipeline, verdictOf } from './follow.ts'
import { git, tryGit } from './git.ts'
import { deliveryPaths } from './paths.ts'
import { readSettings } from './settings.ts'
import type { DeliverySettings } from './settings.ts'
import { wakeWorker, workerScript } from './wake.ts'

export interface ReceiveOptions {
  readonly home: KilnHome
  readonly stack: string
  /** What git tells the hook: `OLD NEW REF` for each ref that changed. */
  readonly updates: string
  readonly say: (line: string) => void
  readonly workerScript?: string
}

const ZEROS = /^0+$/

/** Handles one push. */
export async function receive(options: ReceiveOptions): Promise<void> {
  const { home, stack, say } = options
  const settings = await readSettings(home, stack)
  if (settings === undefined) return say(`kiln: the commits are stored, and nothing runs: no settings of ${stack}. Run 'kiln remote add' in its folder.`)
  const pipelines = openPipelines(deliveryPaths(home).database)
  try {
    for (const line of options.updates.trim().split('\n')) {
      const [before = '', after = '', ref = ''] = line.split(' ')
      if (ref === '') continue
      const branch = ref.replace(/^refs\/heads\//, '')
      if (ref !== `refs/heads/${settings.branch}`) say(`kiln: ${branch} is ${ZEROS.test(after) ? 'removed' : 'stored'}; only ${settings.branch} is delivered`)
      else if (ZEROS.test(after)) say(`kiln: ${branch} is removed; nothing is delivered`)
      else await deliverCommit(options, pipelines, settings, { before, after })
    }
  } finally {
    pipelines.close()
  }
}

async function deliverCommit(
  options: ReceiveOptions,
  pipelines: Pipelines,
  settings: DeliverySettings,
  { before, after }: { readonly before: string; readonly after: string },
): Promise<void> {
  const { home, say } = options
  const { repository } = deliveryPaths(home).stack(settings.stack)
  const [subject = '', author = ''] = (await git(['log', '-1', '--format=%s%n%an <%ae>', after, '--'], { repository })).split('\n')
  const isForward = ZEROS.test(before) || (await tryGit(['merge-base', '--is-ancestor', before, after], { repository })) !== undefined
  const pipeline = pipelines.enqueue({ stack: settings.stack, trigger: 'push', commit: after, branch: settings.branch, subject, who: author, forced: !isForward })
  await wakeWorker(home, settings.stack, options.workerScript ?? workerScript)
  say(`kiln: pipeline ${pipeline.id} of ${settings.stack} delivers ${after.slice(0, 7)} "${subject}"`)
  say(`kiln: Ctrl-C ends the watching, not the pipeline: kiln pipelines logs ${pipeline.id} --follow`)
  const ahead = runningBefore(pipelines, pipeline)
  if (ahead !== undefined) say(`kiln: it waits for pipeline ${ahead.id} (${ahead.commit.slice(0, 7)})`)
  for await (const line of followPipeline({ home, pipelines, id: pipeline.id, ...(options.workerScript === undefined ? {} : { workerScript: options.workerScript }) })) say(line)
  for (const line of verdictOf(pipelines.require(pipeline.id))) say(`kiln: ${line}`)
}

function runningBefore(pipelines: Pipelines, { id, stack }: Pipeline): Pipeline | undefined {
  return pipelines.list({ stack }).find((each) => each.state === 'running' && each.id < id)
}

/** The main program of the hook; `script` is another worker in tests. */
export async function receiveMain(script?: string): Promise<void> {
  const [root = '', stack = ''] = process.argv.slice(2)
  const home = kilnHome({ ...process.env, KILN_HOME: root })
  // The pusher is gone; the worker is not.
  process.stdout.on('error', () => process.exit(0))
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  try {
    await receive({ home, stack, updates: await readStream(process.stdin), say, ...(script === undefined ? {} : { workerScript: script }) })
  } catch (error) {
    say(`kiln: ${describeError(error)}`)
    if (isKilnError(error) && error.hint !== undefined) say(`kiln: next: ${error.hint}`)
  }
}

if (import.meta.main) await receiveMain()
