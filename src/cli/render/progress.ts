/**
 * Live progress of an apply on stderr. On a terminal a tree of running tasks; elsewhere (CI, a pipe) one line when something starts
 * to take long, tells something, or ends.
 */
import { Listr, ListrLogger, ProcessOutput } from 'listr2'
import pc from 'picocolors'
import { formatDuration } from '../../base/units.ts'
import type { Address, EngineEvent, Plan } from '../../app/plan-types.ts'

export interface ProgressRenderer {
  onEvent(event: EngineEvent): void
  note(text: string): void
  /** Restores the terminal. */
  end(): Promise<void>
}

/** The renderer that fits stderr. */
export function createProgress(plan: Plan, stream: NodeJS.WriteStream = process.stderr): ProgressRenderer {
  // listr2 looks at stdout too: with --json in a pipe there are lines.
  return stream.isTTY === true && process.stdout.isTTY === true ? createTree(plan) : createLines(stream)
}

const past: Readonly<Record<string, string>> = { create: 'created', update: 'updated', replace: 'replaced', delete: 'deleted', forget: 'forgotten', noop: 'unchanged' }

function createLines(stream: NodeJS.WriteStream): ProgressRenderer {
  const write = (text: string): void => void stream.write(`${text}\n`)
  const begun = new Set<Address>()
  return {
    onEvent(event) {
      if (event.type === 'start' && event.action !== 'noop') {
        begun.add(event.address)
        write(`  ... ${event.action} ${event.address}`)
        return
      }
      // Something else made it meanwhile, as one API brings others with it: what was begun in sight ends in sight.
      if (event.type === 'done' && event.action === 'noop' && begun.has(event.address)) write(`  ok  ${event.address} is as it should be already`)
      else if (event.type === 'note') write(`      ${event.address}: ${event.text}`)
      else if (event.type === 'done' && event.action !== 'noop') write(`  ok  ${event.address} ${past[event.action] ?? event.action} (${formatDuration(event.durationMs)})`)
      else if (event.type === 'failed') write(`  ERR ${event.address} could not be ${past[event.action] ?? event.action}`)
      else if (event.type === 'skipped') write(`  --- ${event.address} skipped: ${event.because} failed`)
    },
    note: (text) => write(`      ${text}`),
    end: async () => {},
  }
}

interface TaskHandle {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: Error) => void
  title: (text: string) => void
  output: (text: string) => void
}

/** listr2 wants functions, the engine tells events: each event resolves the promise of its task. */
function createTree(plan: Plan): ProgressRenderer {
  const handles = new Map<Address, TaskHandle>()
  const changing = plan.nodes.filter((node) => node.action !== 'noop')
  for (const node of changing) {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    promise.catch(() => {})
    handles.set(node.address, { promise, resolve, reject, title: () => {}, output: () => {} })
  }
  const list = new Listr(
    changing.map((node) => ({
      title: `${node.action} ${node.address}`,
      rendererOptions: { outputBar: 1, persistentOutput: false },
      task: async (_context: unknown, task: { title: string | undefined; output: string | undefined }) => {
        const handle = handles.get(node.address)
        if (handle === undefined) return
        handle.title = (text) => void (task.title = text)
        handle.output = (text) => void (task.output = text)
        await handle.promise
      },
    })),
    {
      concurrent: true,
      exitOnError: false,
      registerSignalListeners: false,
      rendererOptions: { collapseErrors: true, showErrorMessage: false, logger: new ListrLogger({ processOutput: new ProcessOutput(process.stderr, process.stderr) }) },
    },
  )
  const running = list.run().catch(() => {})
  return {
    onEvent(event) {
      const handle = handles.get(event.address)
      if (handle === undefined) return
      if (event.type === 'note') handle.output(event.text)
      else if (event.type === 'done') {
        handle.title(`${past[event.action] ?? event.action} ${event.address} ${pc.dim(formatDuration(event.durationMs))}`)
        handle.resolve()
      } else if (event.type === 'failed') handle.reject(new Error('failed'))
      else if (event.type === 'skipped') {
        handle.title(`skipped ${event.address}: ${event.because} failed`)
        handle.resolve()
      }
    },
    note: () => {},
    async end() {
      for (const handle of handles.values()) handle.resolve()
      await running
    },
  }
}
