/** Where deliveries keep their things: in the data folder, readable by the owner only. */
import { join } from 'node:path'
import type { KilnHome } from '../../host/home.ts'

export interface StackPaths {
  readonly root: string
  /** What is known of the stack: folder in its repository, branch, GitHub repository. */
  readonly settings: string
  /** The bare repository that is pushed to and fetched into. */
  readonly repository: string
  /** Made by pipelines of a repository that has no kiln.lock of its own. */
  readonly lock: string
  readonly worker: string
  readonly workerLock: string
  readonly secret: string
  readonly token: string
  checkout(id: number): string
  log(id: number): string
}

export interface DeliveryPaths {
  readonly root: string
  readonly database: string
  /** What workers themselves write: crashes, warnings of Node. */
  readonly workerLog: string
  stack(name: string): StackPaths
}

export function deliveryPaths(home: Pick<KilnHome, 'root'>): DeliveryPaths {
  const root = join(home.root, 'delivery')
  return {
    root,
    database: join(root, 'pipelines.db'),
    workerLog: join(root, 'workers.log'),
    stack(name) {
      // A project's id, checked by the config's schema; this keeps every path below its root.
      if (!/^[a-z][a-z0-9-]{1,62}$/.test(name)) throw new Error(`${JSON.stringify(name)} is no name of a stack`)
      const folder = join(root, 'stacks', name)
      return {
        root: folder,
        settings: join(folder, 'delivery.json'),
        repository: join(folder, 'repository.git'),
        lock: join(folder, 'kiln.lock'),
        worker: join(folder, 'worker.json'),
        workerLock: join(folder, 'worker.lock'),
        secret: join(folder, 'webhook-secret'),
        token: join(folder, 'github-token'),
        checkout: (id) => join(folder, 'checkouts', String(id)),
        log: (id) => join(folder, 'logs', `${id}.log`),
      }
    },
  }
}
