/** What the stages call: the same work as `kiln publish`, `kiln bake` and `kiln deploy`. The one place where a pipeline meets them; tests put others here. */
import { isKilnError } from '../../base/errors.ts'
import { sleep } from '../../base/wait.ts'
import { call, isAbsent } from '../../client/errors.ts'
import { loadStack } from '../../config/load.ts'
import { leaseHolder } from '../../engine/lease.ts'
import type { KilnHome } from '../../host/home.ts'
import type { StageResult } from '../../pipeline/types.ts'
import { startCloud } from '../cloud/control.ts'
import { publishedWheels } from '../kinds/python-package.ts'
import { bake, dev, publish } from '../parts.ts'
import { pocketClients } from '../stack/cloud-clients.ts'
import type { VerbOptions } from '../up.ts'
import { deploy } from './deploy.ts'

export interface DeployOptions extends VerbOptions {
  /** The image to run, as the bake before named it. */
  readonly image: string | undefined
  readonly version: string | undefined
  readonly who: string
  readonly why: string
  readonly commit: string
}

export interface Deliver {
  /** Before each stage but the checkout. */
  begin?(home: KilnHome): Promise<void>
  publish(options: VerbOptions): Promise<StageResult>
  /** Whether what an earlier publish gave is still in the index. */
  isPublished(options: VerbOptions, made: StageResult): Promise<boolean>
  /** Gives `images`: one row for each family. */
  bake(options: VerbOptions): Promise<StageResult>
  /** Whether the families still point to these images. */
  areBaked(options: VerbOptions, made: StageResult): Promise<boolean>
  /** Gives `url`, where the new version answers, if it answers anywhere. */
  deploy(options: DeployOptions): Promise<StageResult>
}

/** How long a pipeline waits for another command that changes the stack. */
const LEASE_WAIT_MS = 60 * 60_000
const LEASE_POLL_MS = 1000

export const deliver: Deliver = {
  begin: async (home) => void (await startCloud({ home })),

  publish: async (options) => {
    const { config } = await loadStack(options.dir)
    if (!Object.values(config.images).some((image) => 'python' in image && image.python.length > 0))
      return { published: false, reason: 'no image of the config has Python packages' }
    return whenFree(options, config.project.id, () => publish(options))
  },

  async isPublished(options, made) {
    if (made['sha256'] === undefined) return true
    const { config } = await loadStack(options.dir)
    const { daemon } = await startCloud({ home: options.home })
    const identity = { project: config.project.id, location: config.location.region, repository: config.package.repository, name: made['package'] }
    const wheels = await publishedWheels(pocketClients(options.home, daemon.url), identity, options.signal)
    return wheels.some((wheel) => wheel.sha256 === made['sha256'])
  },

  bake: async (options) => {
    const { config } = await loadStack(options.dir)
    const made = await whenFree(options, config.project.id, () => bake({ ...options, image: undefined }))
    return { images: Array.isArray(made['images']) ? (made['images'] as unknown[]) : [made] }
  },

  async areBaked(options, made) {
    const { config } = await loadStack(options.dir)
    const { daemon } = await startCloud({ home: options.home })
    const { images } = await pocketClients(options.home, daemon.url).compute()
    for (const row of made['images'] as readonly { readonly family?: unknown; readonly image?: unknown }[]) {
      try {
        const newest = await call(images.getFromFamily({ project: config.project.id, family: String(row.family) }))
        if (newest.name !== row.image || newest.status !== 'READY') return false
      } catch (error) {
        if (isAbsent(error)) return false
        throw error
      }
    }
    return true
  },

  deploy: async (options) => {
    const { config } = await loadStack(options.dir)
    if (config.server !== undefined) return whenFree(options, config.project.id, () => releaseOrFirstUp(options))
    if (config.dev === undefined) return { outcome: 'nothing to deploy', reason: 'the config has neither a `server` section nor a dev VM' }
    return whenFree(options, config.project.id, () => dev(options))
  },
}

/** The image that was baked, on the group that is there; the first time the folder's deploy makes the group too. */
async function releaseOrFirstUp(options: DeployOptions): Promise<StageResult> {
  try {
    return await deploy(options)
  } catch (error) {
    if (!isKilnError(error) || error.code !== 'E_NOT_FOUND' || options.image === undefined) throw error
    return deploy({ ...options, image: undefined, version: undefined })
  }
}

/** Runs `work`, which takes the stack's lease, as soon as nobody else has it. */
async function whenFree<T>(options: VerbOptions, stack: string, work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + LEASE_WAIT_MS
  for (let told = false; ; told = true) {
    try {
      return await work()
    } catch (error) {
      if (!isKilnError(error) || error.code !== 'E_LOCKED' || performance.now() > deadline) throw error
      if (!told) options.note(`waiting: ${error.message}`)
      do await sleep(LEASE_POLL_MS, options.signal)
      while ((await leaseHolder(options.home, stack)) !== undefined && performance.now() < deadline)
    }
  }
}
