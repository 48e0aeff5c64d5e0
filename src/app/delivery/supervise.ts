/** The daemon's part in deliveries: its webhook, and a look every few seconds whether work waits for a worker that has died. */
import { mkdirSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { exists } from '../../host/files.ts'
import type { KilnHome } from '../../host/home.ts'
import { openPipelines } from '../../pipeline/pipelines.ts'
import type { Pipelines } from '../../pipeline/pipelines.ts'
import { deliveryPaths } from './paths.ts'
import { reviveWorkers, wakeWorker, workerScript } from './wake.ts'
import { addWebhookRoute } from './webhook.ts'

export interface Supervisor {
  addRoutes(app: FastifyInstance): void
  /** Begins to look after workers. */
  start(): void
  stop(): void
}

const EVERY_MS = 5000

/** Nothing is opened until there is something to deliver. */
export function superviseDeliveries(options: { readonly home: KilnHome; readonly log: Logger; readonly script?: string; readonly everyMs?: number }): Supervisor {
  const { home, log, script = workerScript } = options
  const paths = deliveryPaths(home)
  let opened: Pipelines | undefined
  let timer: NodeJS.Timeout | undefined
  let looking: Promise<void> | undefined

  function pipelines(): Pipelines {
    mkdirSync(paths.root, { recursive: true, mode: 0o700 })
    return (opened ??= openPipelines(paths.database))
  }

  async function look(): Promise<void> {
    if (opened === undefined && !(await exists(paths.database))) return
    for (const stack of await reviveWorkers(home, pipelines(), script)) log.info({ stack }, 'a worker was started for a pipeline that had none')
  }

  return {
    addRoutes: (app) =>
      addWebhookRoute(app, {
        home,
        pipelines,
        wake: (stack) => wakeWorker(home, stack, script),
        onUnexpected: (error) => log.error({ err: error }, 'no worker could be started'),
      }),
    start() {
      const tick = (): void => {
        looking ??= look()
          .catch((error: unknown) => log.error({ err: error }, 'looking after deliveries failed'))
          .finally(() => (looking = undefined))
      }
      tick()
      timer = setInterval(tick, options.everyMs ?? EVERY_MS)
      timer.unref()
    },
    stop() {
      clearInterval(timer)
      opened?.close()
      opened = undefined
    },
  }
}
